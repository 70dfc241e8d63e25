"""Nothing in a query escapes the policy: whatever is planted anywhere in an honest one is found."""

from __future__ import annotations

import copy
import random
import string
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.security.sql_table import ACCEPTED, REFUSED
from tests.security.test_sql_policy import NEWER
from zava.data.retail_schema import RETAIL_TABLES
from zava.data.sql_policy import Allowed, Refused, analyse, decide, grammar
from zava.data.sql_policy.functions import FUNCTIONS
from zava.data.sql_policy.nodes import FIELDS
from zava.data.sql_policy.queries import QueryWalk
from zava.data.sql_policy.refusals import refused_function
from zava.data.sql_policy.vocabulary import SYSTEM_COLUMNS, TYPES

Tree = dict[str, Any]
Place = tuple[Any, Any]  # a container of the tree and the key in it

_fast = settings(max_examples=200, deadline=None)
# Values, not nodes: their one field is what the walk reads.
_VALUES = frozenset("String Integer Float Boolean BitString List A_Star".split())
_EXPRESSIONS = frozenset(QueryWalk.visits)
_SLEEP: Tree = {
    "FuncCall": {"funcname": [{"String": {"sval": "pg_sleep"}}], "args": [{"A_Const": {"ival": {"ival": 9}}}]}
}
_CATALOGUE: Tree = {"RangeVar": {"relname": "pg_authid", "inh": True, "relpersistence": "p"}}


def _tree(sql: str) -> Tree:
    (statement,) = grammar.parse(sql.encode())
    tree: Tree = statement["stmt"]["SelectStmt"]
    return tree


def _refused(tree: Tree) -> bool:
    """Whether `analyse` and `decide` refuse a text that the grammar reads as `tree`."""

    def reading(_text: bytes) -> list[grammar.Node]:
        return [{"stmt": {"SelectStmt": tree}}]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grammar, "parse", reading)
        return isinstance(decide(analyse("SELECT 1")), Refused)


def _places(node: Any) -> Iterator[Place]:
    """Every place in the tree that holds a node or a value."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in list(items):
        yield node, key
        yield from _places(value)


def _is_kind(node: Any) -> str:
    """The kind of a node that says it, else nothing."""
    if isinstance(node, dict) and len(node) == 1:
        (kind,) = node
        return kind if kind[:1].isupper() else ""
    return ""


def _planted(sql: str, wanted: Callable[[Any, Any], bool], plant: Callable[[Any], Any]) -> list[str]:
    """Every place that is `wanted` in the tree of `sql` and where a planted thing is not refused."""
    unseen: list[str] = []
    tree = _tree(sql)
    for container, key in list(_places(tree)):
        if not wanted(container, key):
            continue
        before = container[key]
        container[key] = plant(copy.copy(before))
        if not _refused(tree):
            unseen.append(f"{key} of {container}"[:300])
        container[key] = before
    return unseen


# Each construct once: the query with the most kinds of nodes for every kind there is.
def _covering() -> list[Any]:
    kinds_of = {case: {_is_kind(container[key]) for container, key in _places(_tree(case.sql))} for case in ACCEPTED}
    chosen: dict[str, Any] = {}
    for case in sorted(kinds_of, key=lambda case: len(case.sql)):
        if new := kinds_of[case] - set().union(*(kinds_of[other] for other in chosen.values())):
            chosen |= dict.fromkeys(new, case)
    some = random.Random(7).sample(ACCEPTED, 25)
    return list({case.id: case for case in [*chosen.values(), *NEWER, *some]}.values())


_covering_cases = pytest.mark.parametrize("case", _covering(), ids=lambda case: case.id)


@_covering_cases
def test_an_unknown_field_on_any_node_is_refused(case: Any) -> None:
    def is_node(container: Any, key: Any) -> bool:
        value = container[key]
        is_value = not isinstance(value, dict) or _is_kind(container) in _VALUES or _is_kind(value) != ""
        return not is_value and value != {} and key not in ("ival", "fval", "boolval", "sval", "bsval")

    def with_surprise(node: Tree) -> Tree:
        return node | {"surprise": {"FuncCall": {}}}

    assert _planted(case.sql, is_node, with_surprise) == []


@_covering_cases
def test_an_unknown_kind_of_node_anywhere_is_refused(case: Any) -> None:
    def is_kind(container: Any, key: Any) -> bool:
        return _is_kind(container[key]) in FIELDS

    assert _planted(case.sql, is_kind, lambda _: {"SurpriseExpr": {"location": 1}}) == []


@_covering_cases
def test_a_forbidden_call_in_place_of_any_expression_is_refused(case: Any) -> None:
    def is_expression(container: Any, key: Any) -> bool:
        return _is_kind(container[key]) in _EXPRESSIONS

    assert _planted(case.sql, is_expression, lambda _: _SLEEP) == []


@_covering_cases
def test_a_catalogue_in_place_of_any_relation_is_refused(case: Any) -> None:
    def is_relation(container: Any, key: Any) -> bool:
        return _is_kind(container[key]) in ("RangeVar", "RangeSubselect", "RangeFunction", "JoinExpr")

    assert _planted(case.sql, is_relation, lambda _: _CATALOGUE) == []


@_covering_cases
def test_a_forbidden_name_in_place_of_any_other_is_refused(case: Any) -> None:
    named = {"funcname", "names", "name", "operName", "collname", "useOp", "method"}

    def is_name(container: Any, key: Any) -> bool:
        return key in named and isinstance(container[key], list) and "BETWEEN" not in str(container.get("kind"))

    for forbidden in (["regclass"], ["guard", "="], ["pg_catalog", "pg_sleep"]):
        name = [{"String": {"sval": part}} for part in forbidden]
        assert _planted(case.sql, is_name, lambda _, name=name: name) == []


@_covering_cases
def test_an_unknown_column_in_place_of_any_other_is_refused(case: Any) -> None:
    def is_reference(container: Any, key: Any) -> bool:
        return key == "fields" and "String" in container[key][-1]

    def renamed(fields: list[Tree]) -> list[Tree]:
        return [*fields[:-1], {"String": {"sval": "record_out"}}]

    assert _planted(case.sql, is_reference, renamed) == []


_attacks = st.sampled_from([case.sql for case in REFUSED if case.sql.isascii() and "\x00" not in case.sql])
_honest = st.sampled_from([case.sql for case in ACCEPTED])
_WORDS = sorted({word for case in (*ACCEPTED, *REFUSED) for word in case.sql.split() if word.isascii()})
_identifiers = st.text(
    st.characters(blacklist_categories=("Cs",), blacklist_characters='"\x00'), min_size=1, max_size=15
).filter(lambda name: len(name.encode()) < 60)


@_fast
@given(st.text(max_size=300))
def test_any_text_is_decided(text: str) -> None:
    _decided_without_surprise(text)


@_fast
@given(st.lists(st.sampled_from(_WORDS), max_size=40))
def test_any_words_are_decided(words: list[str]) -> None:
    _decided_without_surprise(" ".join(words))


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_mutated_attacks_and_queries_are_decided(data: st.DataObject) -> None:
    words = (data.draw(_attacks) + " " + data.draw(_honest)).split()
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(words) - 1))
        match data.draw(st.sampled_from(["drop", "double", "swap", "insert"])):
            case "drop" if len(words) > 1:
                del words[place]
            case "double":
                words.insert(place, words[place])
            case "swap":
                other = data.draw(st.integers(0, len(words) - 1))
                words[place], words[other] = words[other], words[place]
            case _:
                words.insert(place, data.draw(st.sampled_from(_WORDS)))
    _decided_without_surprise(" ".join(words))


def _decided_without_surprise(sql: str) -> None:
    decision = decide(analyse(sql))
    # This piece is what a tree gives that the walk misread.
    assert not isinstance(decision, Refused) or (decision.rule, decision.piece) != ("unknown_syntax", "statement")


@_fast
@given(
    _attacks, st.sampled_from(["{};", "/* ; */ {}", "{} -- x", "SELECT * FROM ({}) AS q", "WITH q AS ({}) SELECT 1"])
)
def test_an_attack_stays_one_inside_of_anything(sql: str, around: str) -> None:
    assert isinstance(decide(analyse(around.format(sql))), Refused)


@_fast
@given(_honest)
def test_an_honest_query_stays_one_inside_of_another(sql: str) -> None:
    statement = analyse(sql).statement
    for around in ("SELECT * FROM (\n{}\n) AS q", "WITH q AS (\n{}\n) SELECT 1 FROM q", "SELECT EXISTS (\n{}\n)"):
        assert isinstance(decide(analyse(around.format(statement))), Allowed)


@_fast
@given(_identifiers)
def test_only_the_reader_s_tables_can_be_named(name: str) -> None:
    decision = decide(analyse(f'SELECT 1 FROM "{name}"'))
    assert isinstance(decision, Allowed) == (name in RETAIL_TABLES)


@_fast
@given(_identifiers, _identifiers)
def test_a_column_of_a_subquery_is_found_under_its_own_name_only(given_name: str, asked: str) -> None:
    for name in (given_name, asked):
        sql = f'SELECT q."{name}" FROM (SELECT 1 AS "{given_name}") AS q'
        assert isinstance(decide(analyse(sql)), Allowed) == (name == given_name and name not in SYSTEM_COLUMNS)


@_fast
@given(st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\x00"), max_size=500))
def test_any_literal_is_only_a_literal(text: str) -> None:
    escaped = text.replace("'", "''")
    assert isinstance(decide(analyse(f"SELECT '{escaped}' AS text FROM stores")), Allowed)


_FORBIDDEN = ["pg_sleep", "set_config", "current_setting", "version", "pg_read_file", "dblink", "lo_import", "ts_stat"]


@_fast
@given(st.sampled_from(_FORBIDDEN), st.randoms(use_true_random=False))
def test_no_spelling_hides_a_function(name: str, rng: random.Random) -> None:
    any_case = "".join(rng.choice((letter.lower(), letter.upper())) for letter in name)
    escaped = "".join(rng.choice((letter, f"\\{ord(letter):04x}", f"\\+{ord(letter):06x}")) for letter in name)
    for spelling in (any_case, f'"{name}"', f'U&"{escaped}"', f"pg_catalog.{any_case}", f'"pg_catalog" . "{name}"'):
        for call in (
            f"SELECT {spelling}('x')",
            f"SELECT * FROM {spelling}/**/ ('x')",
            f"SELECT 1 ORDER BY {spelling}()",
        ):
            decision = decide(analyse(call))
            assert isinstance(decision, Refused)
            assert decision.rule == refused_function(name).violation.rule


@_fast
@given(st.text(string.ascii_lowercase + "_0123456789", min_size=1, max_size=12))
def test_only_listed_functions_and_types_can_be_named(name: str) -> None:
    call, cast = decide(analyse(f'SELECT "{name}"(1, 2)')), decide(analyse(f"SELECT 'x'::\"{name}\""))
    assert isinstance(call, Allowed) <= (name in FUNCTIONS)
    assert isinstance(cast, Allowed) == (name in TYPES)
