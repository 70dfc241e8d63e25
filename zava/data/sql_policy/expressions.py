"""The walk through expressions: every operator, function, type and column named in one is checked where it stands.

`QueryWalk` in `queries.py` completes this class with what only queries have; it is one walk, in layers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Final

from zava.data.sql_policy.columns import column_parts, resolve_column, resolve_source, select_field
from zava.data.sql_policy.digits import arithmetic, cast_value, text_size
from zava.data.sql_policy.findings import Findings
from zava.data.sql_policy.grammar import Node
from zava.data.sql_policy.growth import bounded, joined
from zava.data.sql_policy.json_paths import is_path_cast, literal_path
from zava.data.sql_policy.limits import MAX_DEPTH
from zava.data.sql_policy.literals import changes_daily, literal_text
from zava.data.sql_policy.nodes import FIELDS, check_fields, only_node, unknown
from zava.data.sql_policy.refusals import refused_node
from zava.data.sql_policy.scope import Scope
from zava.data.sql_policy.type_names import cast_source, check_collation, check_operator, check_type
from zava.data.sql_policy.values import FIXED, FIXED_SIZE, Shape, Value, array_of, element_of, one_of
from zava.data.sql_policy.verdict import Refusal
from zava.data.sql_policy.vocabulary import GROWING_OPERATORS, QUERY_OPERATORS

_OPERATOR_KINDS: Final = frozenset(
    "AEXPR_OP AEXPR_OP_ANY AEXPR_OP_ALL AEXPR_DISTINCT AEXPR_NOT_DISTINCT AEXPR_NULLIF AEXPR_IN AEXPR_LIKE AEXPR_ILIKE "
    "AEXPR_SIMILAR".split()
)
_RANGE_KINDS: Final = frozenset("AEXPR_BETWEEN AEXPR_NOT_BETWEEN AEXPR_BETWEEN_SYM AEXPR_NOT_BETWEEN_SYM".split())
_CLOCKS: Final = frozenset(
    "SVFOP_CURRENT_DATE SVFOP_CURRENT_TIME SVFOP_CURRENT_TIME_N SVFOP_CURRENT_TIMESTAMP SVFOP_CURRENT_TIMESTAMP_N "
    "SVFOP_LOCALTIME SVFOP_LOCALTIME_N SVFOP_LOCALTIMESTAMP SVFOP_LOCALTIMESTAMP_N".split()
)


Visit = Callable[[Any, Node, Scope], Value]


def too_deep() -> Refusal:
    return Refusal("too_deep", "nesting", "Split the query into CTEs: it is nested too deeply.")


def with_fields(visits: Mapping[str, Visit]) -> dict[str, tuple[Visit, frozenset[str]]]:
    """A table of visits, the fields that a node of each kind may have beside."""
    return {kind: (visit, FIELDS[kind]) for kind, visit in visits.items()}


class ExpressionWalk:
    """Visits expressions; `expression` is the way in."""

    def __init__(self) -> None:
        self.findings = Findings()
        self.subquery_columns: dict[int, str] = {}
        self.depth = 0

    # How a node of each kind is visited; the layers above add theirs.
    visits: ClassVar[dict[str, tuple[Visit, frozenset[str]]]]

    def enter(self) -> None:
        """Go one level deeper; whoever returns normally takes it back."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise too_deep()

    def expression(self, node: Node, scope: Scope) -> Value:
        # The most frequent call of all: what only_node, check_fields and enter do stands here in line.
        if len(node) != 1:
            raise unknown("node without a kind")
        ((kind, body),) = node.items()
        known = self.visits.get(kind)
        if known is None:
            raise refused_node(kind, body)
        visit, fields = known
        if not fields.issuperset(body):
            check_fields(kind, body)
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise too_deep()
        value = visit(self, body, scope)
        self.depth -= 1
        self.findings.weight += 1
        return value

    def expressions(self, nodes: Iterable[Node], scope: Scope) -> list[Value]:
        return [self.expression(node, scope) for node in nodes]

    def optional(self, node: Node | None, scope: Scope) -> None:
        """Visit an expression of which only its being allowed matters."""
        if node is not None:
            self.expression(node, scope)

    def constant(self, body: Node, _scope: Scope) -> Value:
        if "ival" in body:
            return FIXED
        if "sval" in body:
            text: str = body["sval"]["sval"]
            if not self.findings.volatile and changes_daily(text):
                self.findings.volatile = True
            return Value(text_size(text), Shape.PLAIN)
        if "fval" in body:
            return Value(text_size(body["fval"]["fval"]), Shape.FIXED)
        if "bsval" in body:
            return Value(float(len(body["bsval"]["bsval"])), Shape.PLAIN)
        return Value(0.0, Shape.PLAIN) if "isnull" in body else FIXED

    def column(self, body: Node, scope: Scope) -> Value:
        value = self._referred(body, scope)
        self.findings.weigh(value.weight)
        return value

    def _referred(self, body: Node, scope: Scope) -> Value:
        fields = body["fields"]
        if len(fields) == 2 and "String" in fields[1]:  # the usual form, found without a detour
            source = scope.source(fields[0]["String"]["sval"])
            value = None if source is None else source.columns.get(fields[1]["String"]["sval"])
            if value is not None:
                return value
        parts, star = column_parts(fields)
        if not star:
            return resolve_column(parts, scope)
        if not parts:  # ROW(*)
            rows = [source.row() for source in scope.sources]
            return Value(sum(row.size for row in rows), Shape.OPAQUE, weight=sum(row.weight for row in rows))
        return resolve_source(parts, scope).row()

    def operation(self, body: Node, scope: Scope) -> Value:
        # A chain such as a || b || c is nested to the left: going down it in a loop keeps the stack flat.
        chain = [body]
        while "A_Expr" in body.get("lexpr", ()) and body["kind"] == "AEXPR_OP":
            body = body["lexpr"]["A_Expr"]
            check_fields("A_Expr", body)
            chain.append(body)
        value = self.expression(body["lexpr"], scope) if "lexpr" in body else FIXED
        for step in reversed(chain):
            value = self.operator(step, value, scope)
        return value

    def operator(self, body: Node, left: Value, scope: Scope) -> Value:
        if body["kind"] in _RANGE_KINDS:
            self.expressions(body["rexpr"]["List"]["items"], scope)
            return FIXED
        if body["kind"] not in _OPERATOR_KINDS:
            raise unknown(body["kind"])
        name = check_operator(body["name"], self.findings)
        operand: Node = body["rexpr"]
        if name == "@?" or (name == "@@" and (is_path_cast(operand) or literal_text(operand) is not None)):
            operand = literal_path(operand)
        if "List" in operand:
            self.expressions(operand["List"]["items"], scope)
            return FIXED
        right = self.expression(operand, scope)
        if body["kind"] != "AEXPR_OP":
            return one_of([left]) if body["kind"] == "AEXPR_NULLIF" else FIXED
        if name == "||" or (name in QUERY_OPERATORS and Shape.TSQUERY in (left.shape, right.shape)):
            return joined(left, right, name)
        if name not in GROWING_OPERATORS:
            return FIXED
        value = arithmetic(name, left, right, operand)
        if left.shape is Shape.FIXED and right.shape is Shape.FIXED:
            return value
        is_document = left.shape is Shape.DOCUMENT and name in ("->", "#>", "-", "#-")
        return Value(value.size, Shape.DOCUMENT if is_document else Shape.PLAIN)

    def indirection(self, body: Node, scope: Scope) -> Value:
        value = self.expression(body["arg"], scope)
        for step in body["indirection"]:
            kind, fields = only_node(step)
            match kind:
                case "String":
                    value = select_field(value, fields["sval"])
                case "A_Indices":
                    check_fields(kind, fields)
                    self.optional(fields.get("lidx"), scope)
                    self.optional(fields.get("uidx"), scope)
                    value = element_of(value, is_slice="is_slice" in fields)
                case _:  # (x).* is expanded by the select list; elsewhere PostgreSQL has no use for it
                    raise unknown(kind)
        return value

    def type_cast(self, body: Node, scope: Scope) -> Value:
        value = self.expression(body["arg"], scope)
        name, target = check_type(body["typeName"], self.findings, cast_source(body["arg"], value))
        return cast_value(body["arg"], value, name, target)

    def collate(self, body: Node, scope: Scope) -> Value:
        check_collation(body)
        return self.expression(body["arg"], scope)

    def condition(self, body: Node, scope: Scope) -> Value:
        """AND, OR, NOT, IS NULL, IS TRUE, GROUPING(): whatever is inside, the result is small."""
        self.expressions(body["args"] if "args" in body else [body["arg"]], scope)
        return FIXED

    def alternatives(self, body: Node, scope: Scope) -> Value:
        return one_of(self.expressions(body["args"], scope))

    def case(self, body: Node, scope: Scope) -> Value:
        self.optional(body.get("arg"), scope)
        results: list[Value] = []
        for branch in body["args"]:
            when: Node = branch["CaseWhen"]
            check_fields("CaseWhen", when)
            self.expression(when["expr"], scope)
            results.append(self.expression(when["result"], scope))
        if "defresult" in body:
            results.append(self.expression(body["defresult"], scope))
        return one_of(results)

    def array(self, body: Node, scope: Scope) -> Value:
        values = self.expressions(body.get("elements", ()), scope)
        array = array_of(values, sum(value.size for value in values) + FIXED_SIZE * len(values))
        return bounded(array.size, array.shape, "ARRAY", array.element)

    def row(self, body: Node, scope: Scope) -> Value:
        size = sum(value.size for value in self.expressions(body.get("args", ()), scope))
        return bounded(size, Shape.OPAQUE, "ROW")

    def clock(self, body: Node, _scope: Scope) -> Value:
        if body["op"] not in _CLOCKS:
            raise refused_node("SQLValueFunction", body)
        self.findings.volatile = True
        return FIXED

    def named_argument(self, body: Node, scope: Scope) -> Value:
        return self.expression(body["arg"], scope)


ExpressionWalk.visits = with_fields(
    {
        "A_ArrayExpr": ExpressionWalk.array,
        "A_Const": ExpressionWalk.constant,
        "A_Expr": ExpressionWalk.operation,
        "A_Indirection": ExpressionWalk.indirection,
        "BoolExpr": ExpressionWalk.condition,
        "BooleanTest": ExpressionWalk.condition,
        "CaseExpr": ExpressionWalk.case,
        "CoalesceExpr": ExpressionWalk.alternatives,
        "CollateClause": ExpressionWalk.collate,
        "ColumnRef": ExpressionWalk.column,
        "GroupingFunc": ExpressionWalk.condition,
        "MinMaxExpr": ExpressionWalk.alternatives,
        "NamedArgExpr": ExpressionWalk.named_argument,
        "NullTest": ExpressionWalk.condition,
        "RowExpr": ExpressionWalk.row,
        "SQLValueFunction": ExpressionWalk.clock,
        "TypeCast": ExpressionWalk.type_cast,
    }
)
