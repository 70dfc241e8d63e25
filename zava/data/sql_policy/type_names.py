"""Checks of the names that are not columns, functions or relations: types, operators, collations."""

from __future__ import annotations

from zava.data.sql_policy.digits import NUMERIC_TYPES
from zava.data.sql_policy.findings import Findings
from zava.data.sql_policy.grammar import Node
from zava.data.sql_policy.limits import MAX_LITERAL_SIZE
from zava.data.sql_policy.literals import literal_number
from zava.data.sql_policy.nodes import check_fields, only_node, strings
from zava.data.sql_policy.refusals import did_you_mean
from zava.data.sql_policy.values import FIXED, FIXED_SIZE, Shape, Value
from zava.data.sql_policy.verdict import Refusal
from zava.data.sql_policy.vocabulary import (
    COLLATIONS,
    EXTENSION_SCHEMA,
    FIXED_TYPES,
    OPERATORS,
    PADDED_TYPES,
    TYPES,
    VECTOR_OPERATORS,
)

_SHAPES = {
    "json": Shape.DOCUMENT,
    "jsonb": Shape.DOCUMENT,
    "tsvector": Shape.TSVECTOR,
    "tsquery": Shape.TSQUERY,
}
_DATED_TYPES = frozenset(
    """date time timetz timestamp timestamptz daterange tsrange tstzrange datemultirange tsmultirange
    tstzmultirange""".split()
)
_EXTENSION_TYPES = frozenset({"vector", "halfvec"})


def check_type(node: Node, findings: Findings, source: Value | None = None) -> tuple[str, Value]:
    """Refuse a type that is not on the list; its name, and the shape and the least size of its values.

    `source` is what is cast to it; without one the value is read from a text or a document.

    Raises:
        Refusal: `type`, `reg_type`, `oid_type`, `size_argument` or `unknown_syntax`.
    """
    check_fields("TypeName", node)
    *schema, name = strings(node["names"])
    known = name in TYPES and (
        schema in ([], ["pg_catalog"]) or (schema == [EXTENSION_SCHEMA] and name in _EXTENSION_TYPES)
    )
    if not known:
        raise _refused_type(".".join([*schema, name]), name)
    findings.cast_targets.add(name)
    findings.volatile |= reads_clock(name, source)
    length = _length(name, node.get("typmods", []))
    if "arrayBounds" in node or name.endswith("multirange"):
        return name, Value(length, Shape.ARRAY)
    if name in FIXED_TYPES:
        return name, FIXED if length <= FIXED_SIZE else Value(length, Shape.FIXED)
    return name, Value(length, _SHAPES.get(name, Shape.PLAIN))


def cast_source(node: Node, value: Value) -> Value:
    """What a cast of `node` reads: of a literal nothing, since the walk has looked at every literal."""
    return FIXED if "A_Const" in node else value


def reads_clock(type_name: str, source: Value | None) -> bool:
    """Whether a value of this type, made of `source` (None: of a text or a document), may be another one tomorrow.

    A text that was put together may read 'now' or 'today', and a time with a zone follows today's rules of that zone.
    """
    if type_name == "timetz":
        return True
    return type_name in _DATED_TYPES and (source is None or source.shape is not Shape.FIXED)


def _length(name: str, modifiers: list[Node]) -> float:
    """The characters that a length or precision makes a value have."""
    for modifier in modifiers:
        check_fields(*only_node(modifier))
    lengths = [literal_number(modifier) for modifier in modifiers]
    if None in lengths:
        raise Refusal("type", name, "Write the length or precision of a type as literal integers.")
    longest = max((length or 0.0 for length in lengths), default=0.0)
    if name in PADDED_TYPES and longest > MAX_LITERAL_SIZE:
        raise Refusal("size_argument", name, f"Use text, or a length of at most {MAX_LITERAL_SIZE}.")
    return longest if name in PADDED_TYPES or name in NUMERIC_TYPES else FIXED_SIZE


def _refused_type(piece: str, name: str) -> Refusal:
    if name.startswith("reg"):
        return Refusal(
            "reg_type",
            piece,
            "Leave the cast out: to_tsvector('english', ...) needs none, and get_multiple_table_schemas shows tables.",
        )
    if name in ("oid", "xid", "xid8", "cid", "tid", "pg_lsn"):
        return Refusal(
            "oid_type", piece, "Cast to integer or text: the database's internal identifiers are not available."
        )
    if name == "xml":
        return Refusal("xml", piece, "Build JSON instead, for example with jsonb_build_object() or json_agg().")
    return Refusal(
        "type", piece, f"Use a built-in type such as text, numeric, date or jsonb{did_you_mean(name, TYPES)}."
    )


def check_operator(names: list[Node], findings: Findings) -> str:
    """Refuse an operator that is not on the list or is named in a schema that is not PostgreSQL's own.

    Raises:
        Refusal: `operator`.
    """
    if len(names) == 1 and (name := names[0]["String"]["sval"]) in OPERATORS:
        findings.operators.add(name)
        return name
    *schema, name = strings(names)
    known = name in OPERATORS and (
        schema in ([], ["pg_catalog"]) or (schema == [EXTENSION_SCHEMA] and name in VECTOR_OPERATORS)
    )
    if not known:
        raise Refusal("operator", ".".join([*schema, name]), "Use a standard operator, without OPERATOR(schema.name).")
    findings.operators.add(name)
    return name


def check_collation(node: Node) -> None:
    """Refuse a collation that is not on the list; `node` is a CollateClause.

    Raises:
        Refusal: `collation`.
    """
    check_fields("CollateClause", node)
    *schema, name = strings(node["collname"])
    if schema not in ([], ["pg_catalog"]) or name not in COLLATIONS:
        raise Refusal("collation", ".".join([*schema, name]), 'Leave COLLATE out, or use COLLATE "C".')
