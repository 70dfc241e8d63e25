"""Random honest analytics: joins, filters, aggregates, windows, set operations, subqueries, with one answer each.

A table is written `{orders}`, so that a statement can be asked twice: by a tenant, for whom it is `retail.orders`, and
by a superuser, for whom it becomes a subselect with the tenant's filter written by hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from hypothesis import strategies as st

from zava.local.stores import STORES

TENANT_TABLES = ("stores", "customers", "inventory", "orders", "order_items")
_SHARED_TABLES = ("products",)

# Alias of each table, and its columns by what can be done with them.
_ALIASES = {"stores": "s", "customers": "c", "inventory": "v", "orders": "o", "order_items": "i", "products": "p"}
_TABLES = {alias: table for table, alias in _ALIASES.items()}
_NUMBERS = {
    "v": ("stock_level",),
    "o": ("total_amount",),
    "i": ("quantity", "unit_price", "discount_amount", "total_amount"),
    "p": ("cost", "base_price"),
}
_TEXTS = {
    "s": ("store_name", "region", "location"),
    "c": ("first_name", "last_name", "email"),
    "o": ("status",),
    "p": ("sku", "product_name"),
}
_TIMES = {"c": ("created_at",), "o": ("order_date",), "v": ("updated_at",)}
_KEYS = {
    "s": "store_id",
    "c": "customer_id",
    "v": "product_id",
    "o": "order_id",
    "i": "order_item_id",
    "p": "product_id",
}
_JOINS = (
    ("o", "i", "o.order_id = i.order_id AND o.store_id = i.store_id"),
    ("o", "c", "o.customer_id = c.customer_id"),
    ("o", "s", "o.store_id = s.store_id"),
    ("c", "s", "c.store_id = s.store_id"),
    ("v", "s", "v.store_id = s.store_id"),
    ("i", "p", "i.product_id = p.product_id"),
    ("v", "p", "v.product_id = p.product_id"),
)


def as_tenant(statement: str) -> str:
    """The statement as a tenant would send it."""
    return statement.format_map({table: f"retail.{table}" for table in (*TENANT_TABLES, *_SHARED_TABLES)})


def by_hand(statement: str, store_id: UUID) -> str:
    """The statement with the tenant's filter written into every place where a tenant table is read."""
    filtered: Mapping[str, str] = {
        table: f"(SELECT * FROM retail.{table} WHERE store_id = '{store_id}')" for table in TENANT_TABLES
    }
    return statement.format_map({**filtered, **{table: f"retail.{table}" for table in _SHARED_TABLES}})


def _columns(kind: Mapping[str, tuple[str, ...]], aliases: list[str]) -> list[str]:
    return [f"{alias}.{name}" for alias in aliases for name in kind.get(alias, ())]


@st.composite
def _sources(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A FROM clause of one to four joined tables, and their aliases."""
    aliases = [draw(st.sampled_from("scvoi"))]
    clause = f"{{{_TABLES[aliases[0]]}}} AS {aliases[0]}"
    for _ in range(draw(st.integers(0, 3))):
        edges = [edge for edge in _JOINS if (edge[0] in aliases) != (edge[1] in aliases)]
        if clause.count("store_id = s.store_id"):  # two tables that meet in a store only would give every pair of rows
            edges = [edge for edge in edges if edge[1] != "s"]
        if not edges:
            break
        left, right, condition = draw(st.sampled_from(edges))
        joined = right if left in aliases else left
        kind = draw(st.sampled_from(("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN")))
        clause += f" {kind} {{{_TABLES[joined]}}} AS {joined} ON {condition}"
        aliases.append(joined)
    return clause, aliases


@st.composite
def _conditions(draw: st.DrawFn, aliases: list[str]) -> str:
    numbers, texts, times = (_columns(kind, aliases) for kind in (_NUMBERS, _TEXTS, _TIMES))
    known = draw(st.sampled_from(aliases))
    options = [f"{known}.{_KEYS[known]} IS NOT NULL", f"{known} IS NOT NULL"]
    if numbers:
        column, bound = draw(st.sampled_from(numbers)), draw(st.integers(-5, 300))
        options += [
            f"{column} {draw(st.sampled_from(('<', '<=', '=', '<>', '>=', '>')))} {bound}",
            f"{column} BETWEEN {bound} AND {bound + draw(st.integers(0, 500))}",
            f"{column} % 7 = {draw(st.integers(0, 6))}",
            f"{column} > (SELECT avg(x.total_amount) FROM {{orders}} AS x)",
            f"{column} >= ALL (SELECT x.stock_level FROM {{inventory}} AS x WHERE x.stock_level < 3)",
        ]
    if texts:
        column, letter = draw(st.sampled_from(texts)), draw(st.sampled_from("aeiorstz"))
        options += [
            f"{column} LIKE '%{letter}%'",
            f"lower({column}) < '{letter}'",
            f"{column} ~ '^{letter.upper()}'",
            f"length({column}) > {draw(st.integers(4, 20))}",
            f"{column} IN (SELECT x.first_name FROM {{customers}} AS x UNION SELECT y.store_name FROM {{stores}} AS y)",
        ]
    if times:
        column = draw(st.sampled_from(times))
        options += [
            f"{column} >= DATE '2020-01-01' + {draw(st.integers(0, 2500))}",
            f"extract(dow FROM {column}) = {draw(st.integers(0, 6))}",
        ]
    if "c" in aliases:
        options += [
            "EXISTS (SELECT 1 FROM {orders} AS x WHERE x.customer_id = c.customer_id AND x.total_amount > 100)",
            "c.customer_id NOT IN (SELECT x.customer_id FROM {orders} AS x)",
        ]
    if alias := next((alias for alias in aliases if alias != "p"), None):
        options.append(f"{alias}.store_id = '{draw(st.sampled_from(STORES)).store_id}'")
    return draw(st.sampled_from(options))


@st.composite
def _filters(draw: st.DrawFn, aliases: list[str]) -> str:
    terms = draw(st.lists(_conditions(aliases), max_size=3))
    if not terms:
        return ""
    joined = draw(st.sampled_from((" AND ", " OR "))).join(f"({term})" for term in terms)
    return f" WHERE NOT ({joined})" if draw(st.integers(0, 5)) == 0 else f" WHERE {joined}"


@st.composite
def _keys(draw: st.DrawFn, aliases: list[str]) -> str:
    options = [f"left({column}, {draw(st.integers(1, 9))})" for column in _columns(_TEXTS, aliases)]
    options += [f"date_trunc('{unit}', {column})" for column in _columns(_TIMES, aliases) for unit in ("month", "year")]
    options += [f"width_bucket({column}, 0, 500, 5)" for column in _columns(_NUMBERS, aliases)]
    options += [f"{alias}.store_id" for alias in aliases if alias != "p"]
    return draw(st.sampled_from(options or ["1 + 1"]))


@st.composite
def _aggregates(draw: st.DrawFn, aliases: list[str]) -> str:
    numbers, texts = _columns(_NUMBERS, aliases), _columns(_TEXTS, aliases)
    options = ["count(*)", f"count(DISTINCT {aliases[0]}.{_KEYS[aliases[0]]})"]
    if numbers:
        column = draw(st.sampled_from(numbers))
        options += [f"{name}({column})" for name in ("sum", "avg", "min", "max", "count", "stddev")]
        options += [
            f"percentile_cont({draw(st.sampled_from((0.1, 0.5, 0.9)))}) WITHIN GROUP (ORDER BY {column})",
            f"percentile_disc(0.5) WITHIN GROUP (ORDER BY {column})",
            f"array_agg(DISTINCT {column} ORDER BY {column})",
            f"bool_or({column} > 50)",
            f"sum({column}) FILTER (WHERE {column} > 20)",
        ]
    if texts:
        column = draw(st.sampled_from(texts))
        options += [
            f"max({column})",
            f"string_agg(DISTINCT left({column}, 3), ',' ORDER BY left({column}, 3))",
            f"jsonb_agg({column} ORDER BY {column})",
            f"mode() WITHIN GROUP (ORDER BY {column})",
        ]
    return draw(st.sampled_from(options))


@st.composite
def _grouped(draw: st.DrawFn) -> str:
    clause, aliases = draw(_sources())
    keys = draw(st.lists(_keys(aliases), max_size=2, unique=True))
    outputs = [*keys, *draw(st.lists(_aggregates(aliases), min_size=1, max_size=3))]
    group = ""
    if keys:
        listed = ", ".join(keys)
        group = draw(
            st.sampled_from((f" GROUP BY {listed}", f" GROUP BY ROLLUP ({listed})", f" GROUP BY CUBE ({listed})"))
        )
        group += draw(st.sampled_from(("", " HAVING count(*) > 1", " HAVING count(*) % 2 = 0")))
    return f"SELECT {_named(outputs)} FROM {clause}{draw(_filters(aliases))}{group}"


@st.composite
def _windowed(draw: st.DrawFn) -> str:
    clause, aliases = draw(_sources())
    key, identity = draw(_keys(aliases)), ", ".join(f"{alias}.{_KEYS[alias]}, {alias}::text" for alias in aliases)
    numbers = _columns(_NUMBERS, aliases) or ["1"]
    column = draw(st.sampled_from(numbers))
    windows = [
        f"rank() OVER (PARTITION BY {key} ORDER BY {column})",
        f"dense_rank() OVER (ORDER BY {column} DESC NULLS LAST)",
        f"sum({column}) OVER (PARTITION BY {key} ORDER BY {column})",
        f"round(100.0 * {column} / nullif(sum({column}) OVER (), 0), 3)",
        f"row_number() OVER (ORDER BY {column}, {identity})",
        f"lag({column}) OVER (PARTITION BY {key} ORDER BY {column}, {identity})",
        f"ntile(4) OVER (ORDER BY {identity})",
        f"count(*) OVER (PARTITION BY {key})",
    ]
    outputs = [key, column, *draw(st.lists(st.sampled_from(windows), min_size=1, max_size=2, unique=True))]
    inner = f"SELECT {_named(outputs)} FROM {clause}{draw(_filters(aliases))}"
    order = ", ".join(str(position) for position in range(1, len(outputs) + 1))
    return f"{inner} ORDER BY {order} LIMIT {draw(st.integers(1, 60))} OFFSET {draw(st.integers(0, 3))}"


@st.composite
def _combined(draw: st.DrawFn) -> str:
    """A set operation over texts of two sources."""
    parts: list[str] = []
    for _ in range(2):
        clause, aliases = draw(_sources())
        parts.append(f"SELECT ({draw(_keys(aliases))})::text AS k FROM {clause}{draw(_filters(aliases))}")
    operation = draw(st.sampled_from(("UNION", "UNION ALL", "INTERSECT", "EXCEPT", "EXCEPT ALL")))
    return f"SELECT k, count(*) AS n FROM ({parts[0]} {operation} {parts[1]}) AS q GROUP BY k"


@st.composite
def _lateral(draw: st.DrawFn) -> str:
    inner = draw(
        st.sampled_from(
            (
                "SELECT o.order_id, o.total_amount FROM {orders} AS o WHERE o.store_id = s.store_id",
                "SELECT v.product_id, v.stock_level FROM {inventory} AS v WHERE v.store_id = s.store_id",
                "SELECT i.order_item_id, i.quantity FROM {order_items} AS i WHERE i.store_id = s.store_id",
            )
        )
    )
    kind = draw(st.sampled_from(("CROSS JOIN LATERAL ({}) AS t", "LEFT JOIN LATERAL ({}) AS t ON true")))
    best = f"{inner} ORDER BY 2 DESC, 1 LIMIT {draw(st.integers(1, 9))}"
    return f"SELECT s.store_name, t.* FROM {{stores}} AS s {kind.format(best)}"


@st.composite
def _named_first(draw: st.DrawFn) -> str:
    """A grouped query behind a CTE, once read and once counted."""
    hint = draw(st.sampled_from(("", "MATERIALIZED ", "NOT MATERIALIZED ")))
    return f"WITH q AS {hint}({draw(_grouped())}) SELECT q.*, (SELECT count(*) FROM q AS r) AS lines FROM q"


def _named(outputs: list[str]) -> str:
    return ", ".join(f"{output} AS c{position}" for position, output in enumerate(outputs))


HONEST_QUERIES = st.one_of(_grouped(), _windowed(), _combined(), _lateral(), _named_first())
