"""The sizes a query may have, and the check that runs before PostgreSQL's grammar sees it.

The functions that walk the tree of the grammar recurse in C: a chain of 4 000 operators overflows a stack of 512 KiB
and ends the process. Brackets, prefix and binary operators, and a handful of keywords are all that can make the tree
deeper, so their number bounds its depth. They are counted wherever they stand, which nothing can hide from; only a text
with too many is scanned, to count again without its strings (a list of UUIDs is full of dashes) and comments.
"""

from __future__ import annotations

from itertools import islice
from typing import Final

from zava.data.sql_policy import grammar
from zava.data.sql_policy.verdict import Refusal

# Characters; an honest query has a few hundred, a long report a few thousand.
MAX_CHARACTERS: Final = 20_000
# Signs and keywords that can deepen the tree. At most 340 bytes of C stack each were measured: 225 KiB in all.
MAX_DEEPENING: Final = 1_000
# Levels of nested expressions and queries that the walk follows (at most five Python frames each).
MAX_DEPTH: Final = 80

# The literal size that repeat, lpad, rpad, char(n) and bit(n) may name.
MAX_LITERAL_SIZE: Final = 1_000
# The literal width of lpad and rpad below an aggregate that collects, and of a field of format().
MAX_WIDTH: Final = 100
MAX_ARRAY_FILL: Final = 10_000
# Rows of one generate_series whose bounds are literals.
MAX_SERIES: Final = 100_000
# Estimated bytes of one value; a backend holds about three copies of it at worst.
MAX_VALUE_BYTES: Final = 128 * 1024 * 1024
# Estimated bytes that one turn of a recursive query may add to a value.
MAX_RECURSIVE_GROWTH: Final = 65_536
# Nodes of a query whose subqueries are flattened: the planner takes 1.4 KB and 8 us for each, and heeds no time limit.
MAX_WEIGHT: Final = 50_000
# What reading a table or CTE counts for: 50 KB of plans.
RELATION_WEIGHT: Final = 50
# Tables and CTEs named in one query; planning more than these took up to 370 MB a second.
MANY_RELATIONS: Final = 16

_MAX_RUN: Final = 500
_TOKENS_AT_ONCE: Final = 1_000
_SIGNS: Final = b"()[]+-*/<>=~!@#%^&|`?:"
_KEYWORDS: Final = tuple(b"not case union except intersect join collate zone local".split())
_RUNS: Final = bytes(byte if byte in b"+-*/<>=~!@#%^&|`?" else ord(" ") for byte in range(256))


def check_text(sql: str) -> None:
    """Refuse what must not reach the parser.

    Raises:
        Refusal: `nul`, `encoding`, `too_long`, `too_deep`, or `syntax` for a string that is not closed.
    """
    if len(sql) > MAX_CHARACTERS:
        raise Refusal(
            "too_long",
            f"{len(sql)} characters",
            f"Keep a query below {MAX_CHARACTERS} characters: filter with a subquery or a join instead of long lists.",
        )
    if "\x00" in sql:
        raise Refusal("nul", "NUL character", "Send the query as plain text without NUL characters.")
    try:
        text = sql.encode()
    except UnicodeEncodeError:
        raise Refusal("encoding", "lone surrogate", "Send the query as valid Unicode text.") from None
    # A text this short cannot hold too many.
    if len(text) > MAX_DEEPENING and _deepening(text) > MAX_DEEPENING and not _is_flat(text):
        raise Refusal(
            "too_deep",
            f"more than {MAX_DEEPENING} operators and brackets",
            "Split the query: use fewer operators, brackets and joins, and an IN list or a VALUES list instead of long "
            "chains.",
        )


def _deepening(text: bytes) -> int:
    lowered = text.lower()
    return len(text) - len(text.translate(None, _SIGNS)) + sum(lowered.count(keyword) for keyword in _KEYWORDS)


def _is_flat(text: bytes) -> bool:
    """Whether there are few enough signs and keywords outside of literals and comments."""
    # The scanner looks ahead over a whole run of operator characters at each of them.
    if any(len(run) > _MAX_RUN for run in text.translate(_RUNS).split()):
        return False
    tokens = grammar.code(text)
    left = MAX_DEEPENING
    while left >= 0 and (some := b" ".join(islice(tokens, _TOKENS_AT_ONCE))):
        left -= _deepening(some)
    return left >= 0
