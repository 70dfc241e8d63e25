"""Grants stand in for claims a token lacks, are changed by a command, and are seen by a running app."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from tests.clock import Clock
from tests.conftest import Database
from tests.loopback_issuer import SEATTLE, TACOMA
from zava.data import grant
from zava.data.grants import FRESH_SECONDS, StoredGrants
from zava.data.pools import Pools

_ISSUER = "zava-auth"


Command = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
def command(fresh_database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """`await command("add", ...)`: exit code, standard output, standard error."""
    administrator = fresh_database.administrator
    values = {"HOST": administrator.host, "PORT": str(administrator.port), "DATABASE": administrator.database}
    values |= {"SSLMODE": "disable", "ADMIN_USER": administrator.user, "ADMIN_PASSWORD": administrator.password}
    for name, value in values.items():
        monkeypatch.setenv(f"POSTGRES_{name}", value)

    async def run(*arguments: str) -> tuple[int, str, str]:
        code = await asyncio.to_thread(grant.main, arguments)  # it runs a loop of its own
        written = capsys.readouterr()
        return code, written.out, written.err

    return run


async def test_what_the_command_grants_and_takes_back_the_app_sees(fresh_database: Database, command: Command) -> None:
    pools, clock = Pools(fresh_database.settings), Clock()
    grants = StoredGrants(pools, clock)
    try:
        assert await grants.stores_of(_ISSUER, "ada") == frozenset()
        code, out, _ = await command(
            "add", _ISSUER, "ada", "--store", "zava retail seattle", "--store", TACOMA.upper(), "--region", "online"
        )
        assert (code, out) == (0, f"zava-auth  ada  {TACOMA}, {SEATTLE}, online\n")
        assert await grants.stores_of(_ISSUER, "ada") == frozenset(), "nothing is remembered, for half a minute"
        clock.now += FRESH_SECONDS
        assert await grants.stores_of(_ISSUER, "ada") == {UUID(SEATTLE), UUID(TACOMA)}
        assert await grants.regions_of(_ISSUER, "ada") == {"online"}
        assert await grants.stores_of("https://other.example", "ada") == frozenset()
        assert (await command("remove", _ISSUER, "ada", "--store", SEATTLE, "--region", "online"))[1] == (
            f"zava-auth  ada  {TACOMA}\n"
        )
        assert (await command("list"))[1] == f"zava-auth  ada  {TACOMA}\n"
        assert (await command("remove", _ISSUER, "ada"))[1] == "ada has no grant any more.\n"
        assert (await command("list"))[1] == "Nothing is granted.\n"
        clock.now += FRESH_SECONDS
        assert await grants.stores_of(_ISSUER, "ada") == frozenset()
    finally:
        await pools.close()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("add", _ISSUER, "ada"), "name a --store or a --region"),
        (("add", _ISSUER, "ada", "--store", "atlantis"), "there is no store 'atlantis'"),
        (("add", _ISSUER, "ada", "--region", "Online"), "there is no region 'Online'"),
        (("remove", _ISSUER, "ada"), "nothing is granted to ada"),
    ],
)
async def test_a_mistake_changes_nothing_and_is_named(
    arguments: tuple[str, ...], reason: str, command: Command
) -> None:
    assert await command(*arguments) == (1, "", f"Nothing was changed: {reason}\n")


async def test_without_an_administrator_the_command_says_what_to_set(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("POSTGRES_ADMIN_USER")
    code, _, err = await command("list")
    assert (code, err) == (2, "Set POSTGRES_ADMIN_USER: the administrator's connection comes from the environment.\n")


async def test_the_memory_of_grants_is_bounded(fresh_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zava.data.grants.MOST_REMEMBERED", 2)
    pools = Pools(fresh_database.settings)
    grants = StoredGrants(pools)
    try:
        for subject in "abc":
            await grants.stores_of(_ISSUER, subject)
    finally:
        await pools.close()
    assert len(grants._remembered) == 2
    assert grants._remembered.get((_ISSUER, "c")) is not None
