"""What a text costs a model: tokens of `o200k_base`, counted by bpe-openai, whose wheel holds the ranks."""

from __future__ import annotations

import json
import warnings

with warnings.catch_warnings():
    # The package reads its own files by a way that Python 3.11 and 3.12 call deprecated, and 3.13 does not.
    warnings.simplefilter("ignore", DeprecationWarning)
    import bpe_openai

_ENCODING = bpe_openai.get_encoding("o200k_base")


def tokens(content: object) -> int:
    """The number of tokens of a text, or of anything else as compact JSON."""
    text = content if isinstance(content, str) else json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    return len(_ENCODING.encode(text))
