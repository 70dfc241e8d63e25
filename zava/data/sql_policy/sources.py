"""The walk through FROM: tables, CTEs, subqueries and joins, and the names each of them makes visible."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from zava.data.retail_schema import RETAIL_SCHEMA, TABLE_ROWS
from zava.data.sql_policy.ctes import Cte, Ctes
from zava.data.sql_policy.function_sources import FunctionWalk
from zava.data.sql_policy.grammar import Node
from zava.data.sql_policy.nodes import check_fields, only_node, strings, unknown
from zava.data.sql_policy.refusals import refused_column, refused_relation
from zava.data.sql_policy.scope import TABLES, FromItem, Scope, Source, alias_name, renamed
from zava.data.sql_policy.values import Column, QueryResult, Shape, Value
from zava.data.sql_policy.verdict import Refusal

_JOIN_KINDS: Final = frozenset({"JOIN_INNER", "JOIN_LEFT", "JOIN_RIGHT", "JOIN_FULL"})


class SourceWalk(FunctionWalk):
    """Visits the items of FROM. `left` are the items before one: what LATERAL can see of the same FROM clause."""

    def query(self, node: Node, outer: Scope | None, ctes: Ctes) -> QueryResult:
        """The columns of a SelectStmt; `QueryWalk` provides it."""
        raise NotImplementedError

    def cte_columns(self, cte: Cte) -> list[Column]:
        """The columns of a CTE; `QueryWalk` provides it."""
        raise NotImplementedError

    def from_item(self, node: Node, left: list[FromItem], outer: Scope | None, ctes: Ctes) -> FromItem:
        kind, body = only_node(node)
        self.enter()
        match kind:
            case "RangeVar":
                item = self._relation(body, ctes)
            case "RangeSubselect":
                item = self._subquery(body, left, outer, ctes)
            case "JoinExpr":
                item = self._join(body, left, outer, ctes)
            case "RangeFunction":
                item = self.function_source(body, _lateral(left, outer, ctes))
            case "RangeTableSample":
                item = self._sample(body, left, outer, ctes)
            case "JsonTable":
                result = self.table_result(body, _lateral(left, outer, ctes))
                item = _named_item(result, body.get("alias"), "json_table")
            case "RangeTableFunc":
                raise Refusal("xml_table", "XMLTABLE", "Use json_to_recordset or jsonb_array_elements on JSON instead.")
            case _:
                raise unknown(kind)
        self.depth -= 1
        return item

    def _relation(self, body: Node, ctes: Ctes) -> FromItem:
        if "catalogname" in body:
            raise Refusal(
                "schema", f"{body['catalogname']}.…", f"Name tables without the database, as in {RETAIL_SCHEMA}.name."
            )
        check_fields("RangeVar", body)
        name: str = body["relname"]
        schema: str | None = body.get("schemaname")
        alias: Node | None = body.get("alias")
        if schema is None and name in ctes:
            cte = ctes[name]
            columns = renamed(self.cte_columns(cte), alias)
            self.findings.read(cte.taken_weight())
            return FromItem([Source(alias_name(alias) or name, columns)], columns, cte.rows)
        table = TABLES.get(name) if schema in (None, RETAIL_SCHEMA) else None
        if table is None:
            raise refused_relation(schema, name, ctes)
        self.findings.relations.add(f"{RETAIL_SCHEMA}.{name}")
        self.findings.read(0)
        if alias is None:
            return FromItem([table], table.order, TABLE_ROWS[name])
        new_name = alias_name(alias)
        if "colnames" in alias:
            columns = renamed(table.order, alias)
            return FromItem([Source(new_name, columns)], columns, TABLE_ROWS[name])
        source = Source(new_name, table.order, columns=table.columns, whole=table.whole)
        return FromItem([source], table.order, TABLE_ROWS[name])

    def _subquery(self, body: Node, left: list[FromItem], outer: Scope | None, ctes: Ctes) -> FromItem:
        check_fields("RangeSubselect", body)
        visible = _lateral(left, outer, ctes) if "lateral" in body else outer
        return _named_item(self.query(body["subquery"]["SelectStmt"], visible, ctes), body.get("alias"))

    def _sample(self, body: Node, left: list[FromItem], outer: Scope | None, ctes: Ctes) -> FromItem:
        # SYSTEM takes whole pages and REPEATABLE the same rows every time: both tell where rows lie on disk, and so how
        # many rows of other tenants lie between them.
        method = strings(body["method"])
        if method[-1] != "bernoulli" or len(method) > 1 or "repeatable" in body:
            raise Refusal(
                "table_sample",
                ".".join(method) if "repeatable" not in body else "REPEATABLE",
                "Use TABLESAMPLE BERNOULLI (percent), or ORDER BY md5(key::text) LIMIT n for a fixed sample.",
            )
        check_fields("RangeTableSample", body)
        self.findings.volatile = True
        self.expressions(body["args"], _lateral(left, outer, ctes))
        return self.from_item(body["relation"], left, outer, ctes)

    def _join(self, body: Node, left: list[FromItem], outer: Scope | None, ctes: Ctes) -> FromItem:
        check_fields("JoinExpr", body)
        if body["jointype"] not in _JOIN_KINDS:
            raise unknown(body["jointype"])
        one = self.from_item(body["larg"], left, outer, ctes)
        two = self.from_item(body["rarg"], [*left, one], outer, ctes)
        sources = one.sources + two.sources
        columns = one.columns + two.columns
        keyed = True
        merged = self._merged_names(body, one, two)
        if merged is not None:
            columns = _merged(merged, one.columns, two.columns)
            self.findings.weigh(sum(value.weight for _, value in columns[: len(merged)]))
            keyed = bool(merged)
            if "join_using_alias" in body:
                using = columns[: len(merged)]
                sources.append(Source(alias_name(body["join_using_alias"]), using))
        elif "quals" in body:
            # A join condition sees the two sides and outer queries, not the other items of FROM.
            scope = Scope(sources, columns, outer, ctes)
            self.expression(body["quals"], scope)
            keyed = equalities(body["quals"]) > 0
        else:
            keyed = False
        rows = max(one.rows, two.rows) if keyed else one.rows * two.rows
        if "alias" in body:
            columns = renamed(columns, body["alias"])
            sources = [Source(alias_name(body["alias"]), columns)]
        return FromItem(sources, columns, rows)

    def _merged_names(self, body: Node, one: FromItem, two: FromItem) -> list[str] | None:
        """The columns that USING or NATURAL merges; None without either."""
        first, second = dict(one.columns), dict(two.columns)
        if "isNatural" in body:
            return [name for name in first if name in second]
        if "usingClause" not in body:
            return None
        names = strings(body["usingClause"])
        for name in names:
            if name not in first or name not in second:
                both = [column for column in first if column in second]
                raise refused_column(f"USING ({name})", name, both, "Both sides of USING need the column")
        return names


def equalities(node: Node) -> int:
    """How many conditions `a = b` between columns stand in an AND list: each joins two sources by a key."""
    if "BoolExpr" in node:
        return (
            sum(equalities(part) for part in node["BoolExpr"]["args"])
            if node["BoolExpr"]["boolop"] == "AND_EXPR"
            else 0
        )
    comparison = node.get("A_Expr", {})
    is_equality = comparison.get("kind") == "AEXPR_OP" and strings(comparison["name"])[-1] == "="
    return int(is_equality and "ColumnRef" in comparison.get("lexpr", {}) and "ColumnRef" in comparison["rexpr"])


def _lateral(left: Iterable[FromItem], outer: Scope | None, ctes: Ctes) -> Scope:
    """What an item of FROM sees of the items before it."""
    items = list(left)
    sources = [source for item in items for source in item.sources]
    return Scope(sources, [column for item in items for column in item.columns], outer, ctes)


def _named_item(result: QueryResult, alias: Node | None, name: str | None = None) -> FromItem:
    """An item under its alias; `name` is what PostgreSQL calls one without, if it can be called at all."""
    columns = renamed(result.columns, alias)
    return FromItem([Source(alias_name(alias) or name, columns)], columns, result.rows)


def _merged(names: list[str], first: list[Column], second: list[Column]) -> list[Column]:
    """The columns of a join: the merged ones, then the others of each side."""
    values = dict(first)
    others = dict(second)
    merged: list[Column] = []
    for name in names:
        one, two = values[name], others[name]
        plain = isinstance(one.shape, Shape) and isinstance(two.shape, Shape)
        shape = one.shape if plain and one.shape is two.shape else Shape.OPAQUE
        merged.append((name, Value(max(one.size, two.size), shape, weight=one.weight + two.weight)))
    rest = [column for column in first + second if column[0] not in names]
    return merged + rest
