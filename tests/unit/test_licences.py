"""Everything that is or may be deployed may be used by anybody: no copyleft among what is pinned for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

_PROJECT = Path(__file__).parents[2]

_FREE = re.compile(
    r"MIT|MIT[- ]0|MIT License|BSD|BSD License|(2-|3-)Clause BSD License|BSD-[23]-Clause|PSF-2\.0"
    r"|ISC|Apache(-| Software License|[- ]2\.0| Software)*"
)
# By hand, where the package says nothing that can be read or is not installed here, each with where it says so.
_BY_HAND = {
    "async-timeout": "Apache-2.0",  # Python before 3.11.3 alone; its LICENSE
    "certifi": "MPL-2.0",  # weak copyleft, by file: the file of certificates is used as it is, nothing of it is changed
    "httpx2-jsfetch": "BSD-3-Clause",  # browsers alone
    "isodate": "BSD-3-Clause",  # the field holds the licence's text
    "pywin32": "PSF-2.0",  # Windows alone
}


def _pinned() -> Iterator[str]:
    for file in ("requirements.txt", "requirements-monitor.txt"):
        for line in (_PROJECT / file).read_text("utf-8").splitlines():
            if found := re.match(r"([A-Za-z0-9_.-]+)(?:\[.*\])?==", line):
                yield found[1]


def _licence(name: str) -> str:
    """What the package's metadata says: an expression, a short text, or its classifiers."""
    if name in _BY_HAND:
        return _BY_HAND[name]
    said = metadata.metadata(name)
    classifiers = [text.split(" :: ")[-1] for text in said.get_all("Classifier") or [] if text.startswith("License ::")]
    stated = said.get_all("License-Expression") or said.get_all("License") or []
    return stated[0] if stated else " OR ".join(classifiers)


def test_nothing_that_is_deployed_is_under_copyleft() -> None:
    licences = {name: _licence(name) for name in _pinned()}
    assert len(licences) > 50
    others = {
        name: licence
        for name, licence in licences.items()
        if not all(_FREE.fullmatch(part.strip(" ()")) for part in re.split(" OR | AND ", licence))
    }
    assert others == {"certifi": "MPL-2.0"}


def test_what_was_looked_up_by_hand_is_still_pinned() -> None:
    assert set(_BY_HAND) <= set(_pinned())


def test_the_licences_told_in_the_decisions_are_those_of_the_packages() -> None:
    deployed = (_PROJECT / "docs/decisions.md").read_text("utf-8").partition("\nLaptop (")[0]
    told = {
        re.sub(r"\[.*|\s.*", "", name): licence
        for names, licence in re.findall(r"^\| ([a-z][^|]*) \| [^|]+ \| ([^|]+) \|$", deployed, re.MULTILINE)
        for name in names.split(", ")
        if licence != "licence"
    }
    assert len(told) > 14
    assert told == {name: _licence(name).removesuffix(" License") for name in told}
