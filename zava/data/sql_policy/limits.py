"""The sizes a query may have, and the check that runs before PostgreSQL's grammar sees it.

The grammar and the functions that walk its tree recurse in C: a chain of 4 000 operators overflows a stack of 512 KiB
and ends the process. Brackets, prefix and binary operators, and a handful of keywords are all that can make the tree
deeper, so their number bounds its depth. They are counted wherever they stand, in strings and comments too: a count
that is too high only refuses, and nothing can hide from it.
"""

from __future__ import annotations

from typing import Final

from zava.data.sql_policy.verdict import Refusal

# Characters; an honest query has a few hundred, a long report a few thousand.
MAX_CHARACTERS: Final = 20_000
# Signs and keywords that can deepen the tree. 134 bytes of C stack each were measured: 200 KiB in all.
MAX_DEEPENING: Final = 1_500
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

_SIGNS: Final = b"()[]+-*/<>=~!@#%^&|`?:"
_KEYWORDS: Final = ("not", "case", "union", "except", "intersect", "join", "collate", "zone", "local")


def check_text(sql: str) -> None:
    """Refuse what must not reach the parser.

    Raises:
        Refusal: `nul`, `encoding`, `too_long` or `too_deep`.
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
    deepening = len(text) - len(text.translate(None, _SIGNS))
    # Each sign is one byte: a text that could not hold too many of both needs no second look.
    if len(text) > MAX_DEEPENING:
        lowered = sql.lower()
        deepening += sum(lowered.count(keyword) for keyword in _KEYWORDS)
    if deepening > MAX_DEEPENING:
        raise Refusal(
            "too_deep",
            f"{deepening} operators and brackets",
            "Split the query: use fewer operators, brackets and joins, an IN list or a VALUES list instead of long "
            "chains, and no decoration in comments.",
        )
