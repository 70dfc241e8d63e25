"""Why a function, relation or kind of statement is refused: the rule, and what a model should write instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from zava.data.retail_schema import RETAIL_SCHEMA, RETAIL_TABLES
from zava.data.sql_policy.functions import FUNCTIONS
from zava.data.sql_policy.grammar import Node
from zava.data.sql_policy.verdict import Refusal

_CATALOGUES: Final = frozenset("pg_catalog information_schema pg_toast".split())
_SCHEMA_TOOL: Final = "Use the tool get_multiple_table_schemas to see tables and columns."
_SESSION: Final = "Leave it out: the server and the session are not part of the sales data."
_SQL_TEXT: Final = "Write the inner query directly, as a subquery or CTE, instead of passing SQL as text."

# By exact name first, then by prefix, in this order.
_FUNCTION_RULES: Final[tuple[tuple[str, str, str], ...]] = (
    # rule, names and prefixes*, hint
    ("setting", "set_config current_setting", "Leave it out: settings can be neither read nor changed."),
    (
        "session_information",
        """version current_user session_user user current_role system_user getpgusername current_database
        current_catalog current_schema current_schemas current_query inet_* pg_backend_pid pg_postmaster_start_time
        pg_conf_load_time getdatabaseencoding icu_unicode_version unicode_version pg_client_encoding row_security_active
        pg_is_in_recovery pg_my_temp_schema pg_is_other_temp_schema pg_trigger_depth pg_jit_available pg_listening*""",
        _SESSION,
    ),
    ("sleep", "pg_sleep*", "Leave it out: a query must not wait."),
    (
        "sql_as_text",
        """query_to_xml* cursor_to_xml* table_to_xml* schema_to_xml* database_to_xml* ts_stat ts_rewrite crosstab*
        connectby* dblink*""",
        _SQL_TEXT,
    ),
    ("large_object", "lo_* loread lowrite lo", "Leave it out: there are no large objects to read."),
    ("xml", "xml* xpath*", "Build JSON instead, for example with jsonb_build_object() or json_agg()."),
    ("lock", "pg_advisory* pg_try_advisory*", "Leave it out: a query must not take locks."),
    (
        "transaction_information",
        """txid_* pg_current_xact* pg_xact* pg_snapshot* pg_current_snapshot pg_visible_in_snapshot age_xid
        pg_last_committed_xact pg_get_multixact* mxid_age pg_export_snapshot""",
        "Use order_date or another timestamp column to order or compare rows in time.",
    ),
    (
        "sequence",
        "nextval currval lastval setval pg_get_serial_sequence pg_sequence* pg_get_sequence*",
        "Number rows with row_number() OVER (ORDER BY ...) instead.",
    ),
    (
        "size_information",
        "pg_*size* pg_column_compression pg_relation* pg_table* pg_database* pg_tablespace* pg_total* pg_indexes*",
        "Use count(*) for rows and length() for texts.",
    ),
    (
        "catalogue",
        """pg_get_* format_type to_reg* has_* col_description obj_description shobj_description pg_describe*
        pg_*_is_visible pg_identify* regclass regproc regprocedure regoper regoperator regtype regrole regnamespace
        regconfig regdictionary regcollation enum_* pg_collation_for pg_typeof""",
        _SCHEMA_TOOL,
    ),
    ("server_function", "pg_* binary_upgrade* amvalidate", "Leave it out: functions of the server are not available."),
    ("random_seed", "setseed", "Order by md5(column::text || 'seed') for a sample that can be repeated."),
    ("row_type", "*populate_record*", "Name the columns: jsonb_to_recordset(x) AS t(a integer, b text)."),
)

# What models write from the habit of other databases.
_OTHER_DIALECTS: Final[Mapping[str, str]] = {
    name: instead
    for names, instead in (
        ("ifnull nvl isnull zeroifnull", "coalesce(a, b)"),
        ("if iif", "CASE WHEN ... THEN ... ELSE ... END"),
        ("group_concat listagg wm_concat", "string_agg(x, ', ')"),
        ("median", "percentile_cont(0.5) WITHIN GROUP (ORDER BY x)"),
        ("year month day hour minute quarter week weekday dayofweek dayofyear", "extract(field FROM x)"),
        ("dateadd datesub adddate subdate add_months", "x + interval '1 month'"),
        ("datediff timestampdiff months_between days_between", "a - b, or age(a, b)"),
        ("date_format strftime format_date to_varchar", "to_char(x, 'YYYY-MM-DD')"),
        ("getdate sysdate curdate current_datetime", "now() or CURRENT_DATE"),
        ("len", "length(x)"),
        ("instr charindex locate", "strpos(text, part)"),
        ("rand newid", "random()"),
        ("uuid_generate_v4", "gen_random_uuid()"),
        ("last_day eomonth", "date_trunc('month', x) + interval '1 month - 1 day'"),
        ("array_contains", "x = ANY (array)"),
        ("json_extract", "x -> 'key' or x ->> 'key'"),
        ("safe_divide", "a / nullif(b, 0)"),
        ("similarity word_similarity levenshtein unaccent", "ILIKE, or the tool semantic_search_products"),
    )
    for name in names.split()
}

_STATEMENTS: Final[tuple[tuple[str, str, str], ...]] = (
    # rule, kinds of nodes, hint
    ("explain", "ExplainStmt", "Send the SELECT itself: plans and estimates are not available."),
    ("show", "VariableShowStmt", "Leave it out: settings are not available."),
    ("set", "VariableSetStmt AlterSystemStmt ConstraintsSetStmt", "Leave it out: settings cannot be changed."),
    ("copy", "CopyStmt", "Use SELECT: the result comes back to you directly."),
    ("do_block", "DoStmt", "Write one SELECT instead of a procedure: CTEs and CASE replace variables and branches."),
    ("call", "CallStmt ExecuteStmt PrepareStmt DeallocateStmt", "Write the SELECT itself."),
    ("transaction", "TransactionStmt", "Send only the SELECT: every query already runs in its own transaction."),
    (
        "data_change",
        "InsertStmt UpdateStmt DeleteStmt MergeStmt TruncateStmt",
        "Only reading is possible: write a SELECT that returns the rows in question.",
    ),
    (
        "cursor",
        "DeclareCursorStmt FetchStmt ClosePortalStmt",
        "Send the SELECT itself and page with ORDER BY and LIMIT/OFFSET.",
    ),
    ("notify", "ListenStmt UnlistenStmt NotifyStmt", "Leave it out: sessions cannot talk to each other."),
    (
        "maintenance",
        "LockStmt VacuumStmt ClusterStmt ReindexStmt CheckPointStmt DiscardStmt LoadStmt RefreshMatViewStmt",
        "Only reading is possible: write a SELECT.",
    ),
)
_STATEMENT_RULES: Final[Mapping[str, tuple[str, str]]] = {
    kind: (rule, hint) for rule, kinds, hint in _STATEMENTS for kind in kinds.split()
}


_NODE_RULES: Final[Mapping[str, tuple[str, str]]] = {
    "ParamRef": ("parameter", "Write the value itself as a literal instead of a placeholder."),
    "XmlExpr": ("xml", "Build JSON instead, for example with jsonb_build_object() or json_agg()."),
    "XmlSerialize": ("xml", "Build JSON instead, for example with jsonb_build_object() or json_agg()."),
    "SQLValueFunction": (
        "session_information",
        "Leave it out: the server and the session are not part of the sales data.",
    ),
    "SetToDefault": ("unknown_syntax", "Write a value or NULL instead of DEFAULT."),
    "CurrentOfExpr": ("cursor", "Write the condition itself: there are no cursors."),
}


def refused_statement(kind: str) -> Refusal:
    """The refusal of a statement that is no SELECT. What is not listed creates, alters, drops or grants."""
    rule, hint = _STATEMENT_RULES.get(
        kind, ("schema_change", "Only reading is possible: write a SELECT, with CTEs instead of tables and views.")
    )
    return Refusal(rule, kind.removesuffix("Stmt"), hint)


def refused_function(name: str) -> Refusal:
    """The refusal of a function that is not on the list."""
    for rule, patterns, hint in _FUNCTION_RULES:
        if any(_matches(name, pattern) for pattern in patterns.split()):
            return Refusal(rule, f"{name}()", hint)
    instead = _OTHER_DIALECTS.get(name)
    if instead is not None:
        return Refusal("function", f"{name}()", f"PostgreSQL has no such function: use {instead}.")
    hint = "Use a function of PostgreSQL itself for numbers, texts, dates, arrays, JSON or aggregates"
    return Refusal("function", f"{name}()", f"{hint}{did_you_mean(name, FUNCTIONS)}.")


def refused_node(kind: str, body: Node) -> Refusal:
    """The refusal of an expression of a kind that is not visited."""
    rule, hint = _NODE_RULES.get(kind, ("unknown_syntax", "Write the query without this construct."))
    piece = f"${body['number']}" if kind == "ParamRef" and "number" in body else str(body.get("op", kind))
    return Refusal(rule, piece.removeprefix("SVFOP_"), hint)


def refused_relation(schema: str | None, name: str, ctes: Iterable[str]) -> Refusal:
    """The refusal of a relation that is neither a table a tenant may see nor a CTE in scope."""
    piece = name if schema is None else f"{schema}.{name}"
    if schema in _CATALOGUES or (schema is None and name.startswith("pg_")):
        return Refusal("catalogue", piece, _SCHEMA_TOOL)
    if schema not in (None, RETAIL_SCHEMA):
        return Refusal("schema", piece, f"Only schema {RETAIL_SCHEMA} can be read: {', '.join(RETAIL_TABLES)}.")
    known = [*RETAIL_TABLES, *ctes]
    return Refusal("relation", piece, f"Use one of {', '.join(known[:30])}{did_you_mean(name, known)}.")


def refused_column(piece: str, name: str, known: list[str], reason: str = "") -> Refusal:
    """The refusal of a column that is not known where it is named."""
    listed = f"use one of {', '.join(known[:60])}" if known else "there are no columns in scope here"
    hint = f"{reason}: {listed}" if reason else listed[0].upper() + listed[1:]
    close = did_you_mean(name, known)
    if not close and piece == name:
        close = f"; a text stands in single quotes: '{name[:40]}'"
    return Refusal("column", piece, f"{hint}{close}.")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    # Imported late: only refusals need it, and it costs five milliseconds.
    from difflib import get_close_matches

    close = get_close_matches(name[:60], list(known), 1)
    return f"; did you mean {close[0]}" if close else ""


def _matches(name: str, pattern: str) -> bool:
    """`pattern` is a name in which every * stands for any characters."""
    head, *rest = pattern.split("*")
    if not rest:
        return name == pattern
    if not name.startswith(head):
        return False
    name = name.removeprefix(head)
    for part in rest[:-1]:
        _, found, name = name.partition(part)
        if not found:
            return False
    return name.endswith(rest[-1])
