"""Pages a person looks at: each one HTML document that loads nothing, put together from the files of this folder."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent
_INCLUDE = re.compile(r"/\* include ([a-z_]+\.(?:css|js)) \*/\n")


@cache
def page(name: str) -> str:
    """The page `name`.html of this folder, with each line `/* include FILE */` replaced by that file."""
    text = (_FOLDER / f"{name}.html").read_text("utf-8")
    return _INCLUDE.sub(lambda line: (_FOLDER / line[1]).read_text("utf-8"), text)
