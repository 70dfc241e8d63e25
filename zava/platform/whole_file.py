"""Writes files that hold keys or tokens, each whole or not at all, whatever ends the process meanwhile."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path


def write_whole(path: Path, content: bytes, mode: int, *, keep: bool = False) -> None:
    """Write a file so that nobody ever reads half of it, nor anybody whom `mode` keeps out any of it.

    With `keep` a file that is there stays: of two first starts at the same time both go on with the same content.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
        if keep:
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(draft)  # unlike a rename it takes no other file's place
        else:
            draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
