"""What SQL that no policy looked at leaves on a session is gone when the next tenant's call gets that session.

Nobody but the opening of a transaction clears it: the pool resets nothing, and a pooler in transaction mode lends the
server's session that the last client gave back.
"""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Callable

import pytest

from tests.conftest import Database
from tests.security.planted import SEATTLE_SCOPE, Planted
from tests.security.session_checks import BELLEVUE_SCOPE
from tests.security.ways import AllWalls, SimpleProtocol, Unwrapped
from zava.data.isolation_proof import IsolationProof
from zava.data.pools import Pools
from zava.data.tenant_transaction import TenantTransactions

_SETTINGS = {
    "context of one's own": "SELECT set_config('zava.tenant_context', current_setting('zava.tenant_context'), false)",
    "no context": "SELECT set_config('zava.tenant_context', '', false)",
    "forged context": "SELECT set_config('zava.tenant_context', repeat('x', 200), false)",
    "search path": "SET search_path = pg_temp, public",
    "row security": "SET row_security = off",
    "read write": "SET default_transaction_read_only = off",
    "serializable": "SET default_transaction_isolation = serializable; SET default_transaction_deferrable = on",
    "time limit": "SET statement_timeout = '1ms'; SET lock_timeout = '1ms'; SET work_mem = '64kB'",
    "time zone": "SET TimeZone = 'Asia/Tokyo'",
    "forms of values": "SET DateStyle = 'German'; SET IntervalStyle = 'iso_8601'; SET bytea_output = 'escape'; "
    "SET extra_float_digits = 0",
    "texts": r"SET standard_conforming_strings = off; SET backslash_quote = on",
    "comparison with null": "SET transform_null_equals = on",
    "another's rows in a setting": "SELECT set_config('taken.rows', string_agg(email, ','), false) FROM customers",
}

# Says all that the settings above could change.
_QUESTION = r"""
SELECT email, created_at::text, (now() - now() + interval '25 hours')::text, '\x27'::bytea::text, 0.1::float8 + 0.2,
       '\', ' OR true --' = email, email = NULL, length('a\b')
FROM customers ORDER BY email
"""

_HELD = """
SELECT (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),
       (SELECT count(*) FROM pg_listening_channels())
"""


@pytest.fixture
async def routed(planted: Planted, route: Callable[[Database], Database]) -> AsyncIterator[Planted]:
    await planted.pools.close()
    pools = Pools(route(planted.database).settings)
    yield dataclasses.replace(
        planted, pools=pools, transactions=TenantTransactions(pools, planted.signer, planted.proof)
    )
    await pools.close()
    await planted.pools.close()
    await planted.end_sessions_of_tenants()


@pytest.mark.parametrize("leftover", _SETTINGS.values(), ids=_SETTINGS)
async def test_a_setting_does_not_change_the_next_tenants_answer(leftover: str, routed: Planted) -> None:
    before = await AllWalls(routed.transactions, BELLEVUE_SCOPE).run(_QUESTION)
    assert routed.evidence.owners(before.text) == {"bellevue"}
    for _ in range(3):
        outcome = await SimpleProtocol(routed.transactions, SEATTLE_SCOPE).run(leftover)
        assert outcome.error == ""
        assert await AllWalls(routed.transactions, BELLEVUE_SCOPE).run(_QUESTION) == before


async def test_no_setting_fails_the_proof(routed: Planted) -> None:
    proof, failed = IsolationProof(routed.pools, routed.signer), dict[str, tuple[str, ...]]()
    # A read that is repeated until the pooler has noticed that the last test's sessions were ended.
    assert (await AllWalls(routed.transactions, BELLEVUE_SCOPE).run(_QUESTION)).error == ""
    for name, leftover in _SETTINGS.items():
        outcome = await SimpleProtocol(routed.transactions, SEATTLE_SCOPE).run(leftover)
        assert outcome.error == ""
        failed[name] = await proof.run()
    assert failed == dict.fromkeys(_SETTINGS, ())


_EVERY_SETTING = """
SELECT set_config(name, CASE
    WHEN vartype = 'bool' AND setting = 'on' THEN 'off'
    WHEN vartype = 'bool' THEN 'on'
    WHEN vartype = 'enum' THEN (SELECT value FROM unnest(enumvals) AS value WHERE value <> setting LIMIT 1)
    WHEN setting = min_val THEN max_val
    ELSE min_val END, false)
FROM pg_settings
WHERE context = 'user' AND vartype <> 'string'
  AND name !~ '^transaction_|^default_with_oids|^temp_buffers|^zero_damaged|^debug_'
"""
_SETTINGS_NOW = r"""
SELECT name, setting FROM pg_settings
WHERE context IN ('user', 'superuser') AND name !~ '^zava|^statement_timeout|^application_name' ORDER BY name
"""


async def test_every_setting_of_a_user_is_back_whatever_was_done_to_it(routed: Planted) -> None:
    before = await Unwrapped(routed.transactions, BELLEVUE_SCOPE).run(_SETTINGS_NOW)
    assert len(before.rows) > 150
    outcome = await SimpleProtocol(routed.transactions, SEATTLE_SCOPE).run(_EVERY_SETTING)
    assert outcome.error == ""
    assert len(outcome.rows) > 80
    after = await Unwrapped(routed.transactions, BELLEVUE_SCOPE).run(_SETTINGS_NOW)
    assert set(after.rows) ^ set(before.rows) == set()


async def test_a_cursor_shows_no_row_to_the_next_tenant(routed: Planted) -> None:
    for _ in range(3):
        held = await SimpleProtocol(routed.transactions, SEATTLE_SCOPE).run(
            "DECLARE held CURSOR WITH HOLD FOR TABLE retail.customers"
        )
        assert held.error == ""
        outcome = await SimpleProtocol(routed.transactions, BELLEVUE_SCOPE).run("FETCH ALL FROM held")
        assert (outcome.rows, "34000" in outcome.error) == ((), True)


async def test_locks_and_channels_end_with_the_next_call(routed: Planted) -> None:
    for _ in range(3):
        taken = await SimpleProtocol(routed.transactions, SEATTLE_SCOPE).run(
            "SELECT pg_advisory_lock(7); LISTEN seattle"
        )
        assert taken.error == ""
        outcome = await Unwrapped(routed.transactions, BELLEVUE_SCOPE).run(_HELD)
        assert outcome.rows == ((0, 0),)
