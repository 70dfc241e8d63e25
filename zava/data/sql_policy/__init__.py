"""The SQL policy, the first of three walls: what SQL a tenant's assistant may send.

    analyse(sql) -> SqlAnalysis        what the text is and uses; never raises, never crashes the process
    decide(analysis) -> Allowed | Refused(rule, piece, hint)

The text is parsed by PostgreSQL's own grammar and every node of the tree is visited. Lists decide, and what is on none
is refused: kinds of nodes and their fields (`nodes`), statements, relations and columns (`data.retail_schema`),
functions (`functions`), operators, types and collations (`vocabulary`). Every column reference is resolved to a known
column by PostgreSQL's rules of scope (`scope`), because `o.f` and `(x).f` call the function `f` when there is no such
column. The other two walls (a login that can only read, a signed tenant context) do not depend on this one.

Limits. Before parsing: 20 000 characters, 1 000 operators and brackets, which bounds the C stack the parser needs to
about 225 KiB (`limits`). The walk follows 80 levels. A value may grow to an estimated 128 MiB, literal sizes to 1 000,
a generate_series of literals to 100 000 rows (`growth`), the query itself to 50 000 nodes once the planner has
flattened its subqueries (`findings`). The estimates stop cheap memory bombs, not every large result:
a query that only burns time, disk or CPU (a join without a condition, an endless recursion, a costly regular
expression) is accepted here and ended by `statement_timeout`; what a result may weigh is up to the runner's caps.

The policy reads names as PostgreSQL does with `search_path` = retail, public and `standard_conforming_strings` on, on a
server of version 16 or later where no function, operator or type is added to those schemas besides pgvector's.
"""

from __future__ import annotations

import logging

from zava.data.sql_policy import grammar
from zava.data.sql_policy.limits import check_text
from zava.data.sql_policy.nodes import check_fields, only_node
from zava.data.sql_policy.queries import QueryWalk
from zava.data.sql_policy.refusals import refused_statement
from zava.data.sql_policy.verdict import Allowed, Refusal, Refused, SqlAnalysis, Violation, decide

__all__ = ["Allowed", "Refused", "SqlAnalysis", "Violation", "analyse", "decide"]

_log = logging.getLogger(__name__)


def analyse(sql: str) -> SqlAnalysis:
    """What `sql` is and uses. Text that cannot be parsed, or is refused, gives an analysis with its violation."""
    walk = QueryWalk()
    known = SqlAnalysis()
    try:
        check_text(sql)
        text = sql.encode()
        node, known = _only_statement(text)
        walk.query(node, None, {})
        violations = ()
    except Refusal as refusal:
        violations = (refusal.violation,)
    except RecursionError:
        violations = (Violation("too_deep", "nesting", "Split the query into CTEs: it is nested too deeply."),)
    except Exception:  # noqa: BLE001  (default deny: a tree that the walk misreads is never let through)
        _log.exception("the SQL policy met a tree it cannot read")
        violations = (Violation("unknown_syntax", "statement", "Write the query in a simpler way."),)
    found = walk.findings
    return SqlAnalysis(
        statement_kind=known.statement_kind,
        fingerprint=known.fingerprint,
        statement=known.statement,
        relations=tuple(sorted(found.relations)),
        functions=tuple(sorted(found.functions)),
        operators=tuple(sorted(found.operators)),
        ctes=tuple(sorted(found.ctes)),
        cast_targets=tuple(sorted(found.cast_targets)),
        volatile=found.volatile,
        collects=found.collects,
        violations=violations,
    )


def _only_statement(text: bytes) -> tuple[grammar.Node, SqlAnalysis]:
    """The SelectStmt that is the only statement of `text`, and what is known of it without looking into it.

    Raises:
        Refusal: `syntax`, `empty`, `multiple_statements`, or the rule for a statement that is no SELECT.
    """
    statements = grammar.parse(text)
    if not statements:
        raise Refusal("empty", "", "Write one SELECT statement.")
    if len(statements) > 1:
        raise Refusal("multiple_statements", f"{len(statements)} statements", "Send one SELECT statement at a time.")
    statement = statements[0]
    check_fields("RawStmt", statement)
    kind, node = only_node(statement["stmt"])
    if kind != "SelectStmt":
        raise refused_statement(kind)
    start, length = statement.get("stmt_location", 0), statement.get("stmt_len", 0)
    only = text[start : start + length] if length else text[start:]
    return node, SqlAnalysis(
        statement_kind=_kind(node), fingerprint=grammar.fingerprint(only), statement=only.decode().strip()
    )


def _kind(node: grammar.Node) -> str:
    if node["op"] != "SETOP_NONE":
        return "set_operation"
    return "values" if "valuesLists" in node else "select"
