"""Which of the caller's stores a name means. Stores out of scope do not exist here: no message tells of them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from zava.data.store_directory import Store
from zava.errors import ValidationError

_MOST_NAMED = 20
_MOST_CHARACTERS = 200


def choose_store(text: str, stores: Sequence[Store]) -> Store | None:
    """The one of `stores` that `text` means: its id, its name, or words of its name or their beginnings.

    None when `text` is empty: all of them are meant.

    Raises:
        ValidationError: none or several are meant; the hint lists the stores there are.
    """
    if len(text) > _MOST_CHARACTERS:  # comparing a megabyte of words with every store would hold up everybody
        raise ValidationError(
            f"The store has {len(text)} characters; at most {_MOST_CHARACTERS} are taken.",
            "Name it by words of its name.",
        )
    words = _words(text)
    if not words:
        return None
    for store in stores:
        if text.strip().lower() == str(store.store_id) or words == _words(store.name):
            return store
    meant = [store for store in stores if all(word in _words(store.name) for word in words)]
    if not meant:
        meant = [store for store in stores if all(_begins_one(word, store) for word in words)]
    if len(meant) == 1:
        return meant[0]
    shown = f"{text.strip()[:60]!r}"
    if meant:
        raise ValidationError(f"Several of your stores fit {shown}.", f"Name one of: {_listed(meant)}.")
    raise ValidationError(
        f"None of your stores fits {shown}.", f"Leave store out for all of them, or name one of: {_listed(stores)}."
    )


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _begins_one(word: str, store: Store) -> bool:
    return any(own.startswith(word) for own in _words(store.name))


def _listed(stores: Sequence[Store]) -> str:
    names = sorted(store.name for store in stores)
    rest = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")
