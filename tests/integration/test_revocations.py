"""A revoked token or subject is refused within ten seconds; without the database for a minute, everybody is."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from tests.clock import Clock
from tests.conftest import Database
from zava.data import revoke
from zava.data.pools import Pools
from zava.data.revocations import AGAIN_SECONDS, EFFECTIVE_SECONDS, RENEW_SECONDS, STALE_SECONDS, Revocations
from zava.errors import AuthenticationError, ServiceUnavailableError
from zava.platform.database_login import DatabaseLogins
from zava.platform.identity import Principal
from zava.platform.token_verifier import LEEWAY_SECONDS

_NOW = int(time.time())
ADA = Principal("zava-auth", "ada", frozenset({"super_admin"}), None, None, None, "token-1", _NOW, _NOW + 3_600)
EVE = replace(ADA, subject="eve", token_id="token-2")


async def refused(revocations: Revocations, principal: Principal) -> str:
    """The code of the refusal, or nothing."""
    try:
        await revocations.check(principal)
    except (AuthenticationError, ServiceUnavailableError) as problem:
        return problem.code
    return ""


async def test_a_revoked_token_is_refused_after_ten_seconds_at_the_latest(fresh_database: Database) -> None:
    pools, clock = Pools(fresh_database.settings), Clock()
    revocations = Revocations(pools, clock)
    try:
        assert await refused(revocations, ADA) == ""
        assert await revoke.revoke_token(fresh_database.administrator, "token-1") == "The token token-1 is revoked."
        clock.now = RENEW_SECONDS - 0.1
        assert await refused(revocations, ADA) == "", "the snapshot is fresh"
        clock.now = EFFECTIVE_SECONDS
        assert await refused(revocations, ADA) == "AUTHENTICATION_ERROR"
        assert await refused(revocations, EVE) == ""
        assert await refused(revocations, replace(ADA, token_id="token-3")) == ""
    finally:
        await pools.close()


async def test_a_busy_worker_learns_of_it_in_the_background_without_a_call_waiting(fresh_database: Database) -> None:
    pools, clock = Pools(fresh_database.settings), Clock()
    revocations = Revocations(pools, clock)
    try:
        await revocations.check(ADA)
        await revoke.revoke_token(fresh_database.administrator, "token-1")
        clock.now = RENEW_SECONDS
        assert [await refused(revocations, ADA) for _ in range(5)] == [""] * 5
        taking = revocations._taking
        assert taking is not None
        await taking
        assert await refused(revocations, ADA) == "AUTHENTICATION_ERROR"
    finally:
        await pools.close()


async def test_a_revoked_subject_loses_its_old_tokens_and_keeps_its_new_ones(fresh_database: Database) -> None:
    pools = Pools(fresh_database.settings)
    revocations = Revocations(pools, Clock())
    try:
        before = time.time()
        said = await revoke.revoke_subject(fresh_database.administrator, "zava-auth", "ada")
        assert said.startswith("Every token of ada issued up to ")
        # An issuer whose clock is ahead dates an old token later, by as much as is let pass elsewhere.
        late = {-3_600, 0, LEEWAY_SECONDS - 5}
        issued = dict.fromkeys(late, "AUTHENTICATION_ERROR") | {LEEWAY_SECONDS + 10: ""}
        for seconds, expected in issued.items():
            assert await refused(revocations, replace(ADA, issued_at=int(before) + seconds)) == expected, seconds
        assert await refused(revocations, EVE) == ""
        assert await refused(revocations, replace(ADA, issuer="https://other.example")) == ""
    finally:
        await pools.close()


async def test_twenty_calls_at_once_take_one_snapshot(fresh_database: Database) -> None:
    pools = Pools(fresh_database.settings)
    revocations = Revocations(pools, Clock())
    taken = 0
    take = revocations._take

    async def counted() -> None:
        nonlocal taken
        taken += 1
        await take()

    revocations._take = counted
    try:
        assert await asyncio.gather(*(refused(revocations, ADA) for _ in range(20))) == [""] * 20
    finally:
        await pools.close()
    assert taken == 1


async def test_with_the_database_cut_off_the_snapshot_holds_a_minute_and_then_nobody_is_let_in(
    fresh_database: Database,
) -> None:
    pools, clock = Pools(fresh_database.settings), Clock()
    revocations = Revocations(pools, clock)
    superuser = await fresh_database.cluster.superuser("postgres").open()

    async def allow(connections: bool) -> None:
        await superuser.execute(f"ALTER DATABASE {fresh_database.name} ALLOW_CONNECTIONS {connections}")
        if not connections:
            await superuser.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", fresh_database.name
            )

    try:
        await revoke.revoke_token(fresh_database.administrator, "token-2")
        assert await refused(revocations, ADA) == ""
        await allow(False)
        for seconds in (RENEW_SECONDS, EFFECTIVE_SECONDS, STALE_SECONDS):
            clock.now = seconds
            assert await refused(revocations, ADA) == "", seconds
            assert await refused(revocations, EVE) == "AUTHENTICATION_ERROR", seconds
        clock.now = STALE_SECONDS + 0.1
        assert await refused(revocations, ADA) == "SERVICE_UNAVAILABLE"
        await allow(True)
        clock.now += AGAIN_SECONDS
        assert await refused(revocations, ADA) == ""
        cold = Revocations(Pools(fresh_database.settings), clock)
        assert await refused(cold, EVE) == "AUTHENTICATION_ERROR"
    finally:
        await superuser.close()
        await pools.close()


async def test_while_the_logins_password_cannot_be_had_it_is_asked_for_now_and_then(database: Database) -> None:
    asked: list[float] = []
    clock = Clock()

    class NoPassword:
        async def __call__(self, refused: str | None = None) -> str:
            asked.append(clock.now)
            raise ServiceUnavailableError("the vault is away")

    revocations = Revocations(Pools(database.settings, DatabaseLogins(NoPassword(), NoPassword())), clock)
    for clock.now in (0, AGAIN_SECONDS / 2, AGAIN_SECONDS):
        with pytest.raises(ServiceUnavailableError, match="What was revoked cannot be looked up"):
            await revocations.check(ADA)
    assert asked == [0, AGAIN_SECONDS]


async def test_what_no_token_can_mean_any_more_is_ignored_and_pruned(fresh_database: Database) -> None:
    administrator, pools = fresh_database.administrator, Pools(fresh_database.settings)
    superuser = await fresh_database.superuser()
    try:
        await superuser.execute(
            """INSERT INTO zava.revoked_tokens VALUES ('token-1', now(), now() - interval '1 second');
               INSERT INTO zava.revoked_subjects VALUES ('zava-auth', 'ada', now(), now() - interval '1 second')"""
        )
        assert await refused(Revocations(pools), ADA) == ""
        await revoke.revoke_token(administrator, "other")
        await revoke.revoke_subject(administrator, "zava-auth", "other")
        assert await superuser.fetchval("SELECT array_agg(token_id) FROM zava.revoked_tokens") == ["other"]
        assert await superuser.fetchval("SELECT array_agg(subject) FROM zava.revoked_subjects") == ["other"]
        assert [line.split()[:2] for line in (await revoke.revoked(administrator)).splitlines()] == [
            ["token", "other"],
            ["subject", "zava-auth"],
        ]
        keeps = await superuser.fetchval(
            "SELECT min(keep_until) > now() + interval '25 hours' FROM (SELECT keep_until FROM zava.revoked_tokens "
            "UNION ALL SELECT keep_until FROM zava.revoked_subjects) AS kept"
        )
        assert keeps is True
    finally:
        await superuser.close()
        await pools.close()


@pytest.mark.parametrize("arguments", [("token", "x"), ("subject", "zava-auth", "ada"), ("list",)])
async def test_the_command_runs(
    arguments: tuple[str, ...],
    fresh_database: Database,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    administrator = fresh_database.administrator
    values = {"HOST": administrator.host, "PORT": str(administrator.port), "DATABASE": administrator.database}
    values |= {"SSLMODE": "disable", "ADMIN_USER": administrator.user, "ADMIN_PASSWORD": administrator.password}
    for name, value in values.items():
        monkeypatch.setenv(f"POSTGRES_{name}", value)
    assert await asyncio.to_thread(revoke.main, arguments) == 0
    assert "revoked" in capsys.readouterr().out
