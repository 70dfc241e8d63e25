"""The SQL policy decides as its two tables say, tells what a query uses, and of a refused one what to write instead."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import zava.data.sql_policy
from tests.security.sql_table import ACCEPTED, REFUSED, SqlCase
from zava.data.retail_schema import RETAIL_TABLES, TABLE_ROWS
from zava.data.sql_policy import Allowed, Refused, SqlAnalysis, Violation, analyse, decide, grammar
from zava.data.sql_policy.functions import AGGREGATES, FUNCTIONS, OUT_COLUMN, ROW_COLUMNS, SET_RETURNING, VOLATILE
from zava.data.sql_policy.limits import MAX_SERIES

_PACKAGE = Path(zava.data.sql_policy.__file__).parent


def _decided(sql: str) -> Allowed | Refused:
    return decide(analyse(sql))


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.id)
def test_an_attack_is_refused_by_its_rule_with_a_hint(case: SqlCase) -> None:
    decision = _decided(case.sql)
    assert isinstance(decision, Refused)
    assert (decision.rule, len(decision.piece) <= 80, decision.hint[-1:]) == (case.rule, True, ".")
    assert 15 < len(decision.hint) < 1_000


@pytest.mark.parametrize("case", ACCEPTED, ids=lambda case: case.id)
def test_honest_sql_is_allowed(case: SqlCase) -> None:
    analysis = analyse(case.sql)
    assert analysis.violations == ()
    assert decide(analysis) == Allowed(
        analysis.statement, analysis.fingerprint, analysis.relations, analysis.volatile, analysis.collects
    )


@pytest.mark.parametrize("case", ACCEPTED, ids=lambda case: case.id)
def test_a_wrapped_statement_is_a_subquery_of_the_same_tree(case: SqlCase) -> None:
    statement = analyse(case.sql).statement
    (wrapped,) = grammar.parse(f"SELECT * FROM (\n{statement}\n) AS q LIMIT 11".encode())
    (alone,) = grammar.parse(statement.encode())
    (source,) = wrapped["stmt"]["SelectStmt"]["fromClause"]
    assert _without_places(source["RangeSubselect"]["subquery"]) == _without_places(alone["stmt"])


def _without_places(node: object) -> object:
    """The tree without positions in the text."""
    if isinstance(node, dict):
        places = {"location", "list_start", "list_end", "rexpr_list_start", "rexpr_list_end", "name_location"}
        return {key: _without_places(value) for key, value in node.items() if key not in places}
    return [_without_places(item) for item in node] if isinstance(node, list) else node


def test_the_tables_are_large_and_their_ids_unique() -> None:
    for table in (ACCEPTED, REFUSED):
        assert len(table) >= 170
        assert len({case.id for case in table}) == len(table)
        assert len({case.sql for case in table}) == len(table)


def test_every_rule_has_an_attack() -> None:
    # Texts that are too long or too deep are made in `test_sql_policy_limits`: they would fill the table.
    assert set(_rules()) - {case.rule for case in REFUSED} == {"too_long", "too_deep"}


def _rules() -> Iterator[str]:
    """Every rule a Refusal or Violation is made with, and those of the lists in `refusals`."""
    for file in _PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id="Refusal" | "Violation"), args=[ast.Constant(value=str(rule)), *_]):
                    yield rule
                case ast.Tuple(elts=[ast.Constant(value=str(rule)), ast.Constant(), _]) if file.name == "refusals.py":
                    yield rule
                case _:
                    pass


def test_an_analysis_tells_what_a_query_uses() -> None:
    sql = """
        -- revenue
        WITH m AS (SELECT store_id, sum(total_amount)::float8 AS revenue FROM retail.orders GROUP BY store_id)
        SELECT upper(s.store_name) || m.revenue::text FROM m JOIN stores s USING (store_id) WHERE m.revenue > 10;
    """
    assert analyse(sql) == SqlAnalysis(
        statement_kind="select",
        relations=("retail.orders", "retail.stores"),
        functions=("sum", "upper"),
        operators=(">", "||"),
        ctes=("m",),
        cast_targets=("float8", "text"),
        volatile=False,
        fingerprint=grammar.fingerprint(sql.encode()),
        statement=sql.partition("-- revenue")[2].strip().removesuffix(";"),
        violations=(),
    )


def test_an_analysis_of_refused_sql_tells_why() -> None:
    analysis = analyse("SELECT pg_sleep(1) FROM orders")
    assert analysis.relations == ("retail.orders",)
    assert analysis.violations == (Violation("sleep", "pg_sleep()", "Leave it out: a query must not wait."),)


def test_an_analysis_of_an_unknown_kind_is_refused_though_nothing_was_found() -> None:
    assert decide(SqlAnalysis()) == Refused("statement", "", "Write exactly one SELECT statement.")


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("SELECT 1", "select"),
        ("TABLE orders", "select"),
        ("VALUES (1)", "values"),
        ("SELECT 1 UNION SELECT 2", "set_operation"),
        ("DELETE FROM orders", ""),
    ],
)
def test_the_kind_of_a_statement(sql: str, kind: str) -> None:
    assert analyse(sql).statement_kind == kind


def test_a_fingerprint_ignores_literals_and_nothing_else() -> None:
    seattle, tacoma, other = (
        analyse(f"SELECT count(*) FROM stores WHERE {column} = '{name}'").fingerprint
        for column, name in (("store_name", "Seattle"), ("store_name", "Tacoma"), ("region", "Seattle"))
    )
    assert seattle == tacoma != other
    assert len(seattle) == 16


@pytest.mark.parametrize(
    ("sql", "volatile"),
    [
        ("SELECT count(*) FROM orders", False),
        ("SELECT date_trunc('month', order_date) FROM orders", False),
        ("SELECT age(order_date, '2024-01-01') FROM orders", False),
        ("SELECT count(*) FROM orders WHERE order_date > now() - interval '1 day'", True),
        ("SELECT count(*) FROM orders WHERE order_date > CURRENT_DATE", True),
        ("SELECT count(*) FROM orders WHERE order_date > 'yesterday'", True),
        ("SELECT count(*) FROM orders WHERE order_date > timestamptz ' TODAY 10:00'", True),
        ("SELECT age(order_date) FROM orders", True),
        ("SELECT count(*) FROM orders WHERE order_date > ('to' || 'day')::timestamptz", True),
        ("SELECT count(*) FROM orders WHERE order_date::date = ANY (string_to_array('no,w', ',')::date[])", True),
        ("SELECT * FROM json_to_record(('{\"d\": \"n' || 'ow\"}')::json) AS r(d date)", True),
        ("SELECT JSON_VALUE(('{\"d\": \"n' || 'ow\"}')::jsonb, '$.d' RETURNING date)", True),
        (
            "SELECT order_date::date, '2025-01-01'::date, date_trunc('month', min(order_date))::date FROM orders "
            "GROUP BY 1",
            False,
        ),
        (
            "SELECT (order_date AT TIME ZONE 'UTC')::date, (date '2025-01-01' + interval '1 month')::date FROM orders",
            False,
        ),
        ("SELECT date('n' || 'ow')", True),
        ("SELECT pg_catalog.date('n' || 'ow')", True),
        ("SELECT count(*) FROM orders WHERE order_date > timestamptz(reverse('won'))", True),
        ("SELECT \"timestamp\"('to' || 'day'), \"time\"('n' || 'ow')", True),
        ("SELECT daterange('[n' || 'ow,)')", True),
        ("SELECT datemultirange('{[n' || 'ow,)}')", True),
        (f"SELECT '{' ' * 130}now'::date", True),
        ("SELECT count(*) FROM orders WHERE order_date = ANY ('{\"n\\ow\"}')", True),
        ("SELECT order_date::date <@ '[n\"o\"w,)'::daterange FROM orders", True),
        ("SELECT order_date::timetz AT TIME ZONE 'America/Los_Angeles' FROM orders", True),
        ("SELECT date(order_date), date('2025-01-01'), daterange('2025-01-01', '2025-02-01') FROM orders", False),
        ("SELECT order_id FROM orders ORDER BY random() LIMIT 1", True),
        ("SELECT gen_random_uuid()", True),
        ("SELECT count(*) FROM orders TABLESAMPLE BERNOULLI (5)", True),
        ("SELECT (SELECT clock_timestamp())", True),
    ],
)
def test_volatile_says_that_the_answer_may_change(sql: str, volatile: bool) -> None:
    analysis = analyse(sql)
    assert (analysis.violations, analysis.volatile) == ((), volatile)


@pytest.mark.parametrize(
    ("sql", "hint"),
    [
        ("SELECT stor_name FROM stores", "did you mean store_name"),
        ("SELECT o.totl_amount FROM orders o", "did you mean total_amount"),
        ("SELECT * FROM ordres", "did you mean orders"),
        ("SELECT ifnull(phone, '') FROM customers", "coalesce(a, b)"),
        ("SELECT frobnicate(phone) FROM customers", "a function of postgresql itself"),
        ('SELECT 1 FROM orders WHERE status = "completed"', "single quotes: 'completed'"),
        ("SELECT uper(phone) FROM customers", "did you mean upper"),
        ("SELECT '1'::numerc", "did you mean numeric"),
        ("SELECT * FROM pg_class", "get_multiple_table_schemas"),
        ("SELECT total_amount AS t FROM orders WHERE t > 1", "repeat the expression"),
        ("SELECT orders.status FROM orders o", "alias of this from clause: o."),
        ("SELECT * FORM orders", 'postgresql says: syntax error at or near "form"'),
    ],
)
def test_a_hint_says_what_to_write_instead(sql: str, hint: str) -> None:
    decision = _decided(sql)
    assert isinstance(decision, Refused)
    assert hint in decision.hint.lower()


# Allowed, but not in the table: PostgreSQL 16, which runs it, does not know them.
NEWER = tuple(
    SqlCase(name, sql, "a construct of PostgreSQL 17 or 18")
    for name, sql in (
        (
            "json_table",
            "SELECT t.a, t.c FROM JSON_TABLE('[{\"a\": 1, \"b\": [2]}]'::jsonb, '$[*]' COLUMNS (a int PATH '$.a', "
            "NESTED PATH '$.b[*]' COLUMNS (c text PATH '$'), n FOR ORDINALITY)) AS t",
        ),
        (
            "json_table_lateral",
            "SELECT s.store_name, j.v FROM stores s, JSON_TABLE(to_jsonb(s), '$.*' PASSING 1 AS x COLUMNS (v text "
            "FORMAT JSON PATH '$' DEFAULT 'x' ON EMPTY ERROR ON ERROR, e bool EXISTS PATH '$') NULL ON ERROR) AS j",
        ),
        (
            "json_query_functions",
            "SELECT JSON_VALUE(to_jsonb(s), '$.a' PASSING 1 AS x RETURNING text DEFAULT '' ON EMPTY), JSON_EXISTS("
            "to_jsonb(s), '$.a'), JSON_QUERY(to_jsonb(s), '$.x' WITH WRAPPER ERROR ON ERROR) FROM stores s",
        ),
        ("json_conversions", "SELECT JSON_SCALAR(1), JSON_SERIALIZE('{}' RETURNING text), JSON('{}')"),
        ("at_local", "SELECT order_date AT LOCAL FROM orders"),
        ("new_functions", "SELECT uuidv7(), casefold('X'), array_sort(ARRAY[2, 1]), to_bin(5)"),
    )
)


@pytest.mark.parametrize("case", NEWER, ids=lambda case: case.id)
def test_what_newer_servers_know_is_allowed(case: SqlCase) -> None:
    assert isinstance(_decided(case.sql), Allowed)


def test_importing_the_policy_does_not_import_what_the_parser_s_package_imports() -> None:
    code = "import sys, zava.data.sql_policy; sys.exit(any(name in sys.modules for name in ('postgast', 'google')))"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=_PACKAGE.parents[2]).returncode == 0


def test_an_unforeseen_tree_is_refused_and_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def unforeseen(_text: bytes) -> list[grammar.Node]:
        return [{"stmt": {"SelectStmt": {"op": 5}}}]

    monkeypatch.setattr(grammar, "parse", unforeseen)
    decision = _decided("SELECT 1")
    assert isinstance(decision, Refused)
    assert decision.rule == "unknown_syntax"
    assert [record.name for record in caplog.records] == ["zava.data.sql_policy"]


def test_the_lists_agree_with_each_other() -> None:
    assert set(TABLE_ROWS) == set(RETAIL_TABLES)
    listed = AGGREGATES | SET_RETURNING | VOLATILE | set(ROW_COLUMNS) | set(OUT_COLUMN)
    assert listed - set(FUNCTIONS) == set()
    assert isinstance(_decided(f"SELECT generate_series(1, {MAX_SERIES})"), Allowed)
    assert isinstance(_decided(f"SELECT generate_series(1, {MAX_SERIES + 1})"), Refused)
