"""The names that alerts are written on: what the code says is what `docs/telemetry.md` lists."""

from __future__ import annotations

import re
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
_CALL = re.compile(r'telemetry\.(count|record|event)\(\s*"([a-z_]+)"')
_EITHER = re.compile(r'telemetry\.(count|record|event)\(\s*"([a-z_]+)" if [^"]+ else "([a-z_]+)"')

_STEP = re.compile(r'"(zava\.[a-z.]+_ms)"')


def _said_in_code() -> set[tuple[str, str]]:
    said: set[tuple[str, str]] = set()
    for file in (PROJECT / "zava").rglob("*.py"):
        text = file.read_text("utf-8")
        if '_aggregates.add("telemetry_lost"' in text:
            said.add(("metric", "telemetry_lost"))
        for pattern in (_CALL, _EITHER):
            for method, *names in pattern.findall(text):
                said |= {("event" if method == "event" else "metric", name) for name in names}
        said |= {("step", name) for name in _STEP.findall(text)}
    return said


def _documented() -> set[tuple[str, str]]:
    documented: set[tuple[str, str]] = set()
    kind = ""
    for line in (PROJECT / "docs" / "telemetry.md").read_text("utf-8").splitlines():
        if line.startswith(("| metric |", "| event |", "| step |")):
            kind = line.split()[1]
        elif kind and line.startswith("| `"):
            documented |= {(kind, name) for name in re.findall(r"`([a-z_.]+)`", line.split("|")[1])}
        elif not line.startswith("|"):
            kind = ""
    return documented


def test_the_document_lists_exactly_what_the_code_says() -> None:
    assert _said_in_code() == _documented()
