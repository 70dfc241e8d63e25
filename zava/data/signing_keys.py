"""The keys the database accepts tenant contexts from: at most two at a time, so that one can replace the other."""

from __future__ import annotations

from datetime import datetime

import asyncpg

from zava.data import command
from zava.data.administration import AdministratorConnection
from zava.data.tenant_context import SigningKey

_ACCEPTED = "(not_after IS NULL OR not_after > now())"


class SigningKeys:
    """`guard.context_key` as an administrator changes it; only HMAC pads are stored, never a key."""

    def __init__(self, administrator: AdministratorConnection) -> None:
        self._administrator = administrator

    async def keys(self) -> list[tuple[str, datetime | None]]:
        """The accepted keys' ids, each with the moment it ends, the oldest first."""
        async with command.as_role(self._administrator, "zava_guard") as connection:
            rows = await connection.fetch(
                f"SELECT key_id, not_after FROM guard.context_key WHERE {_ACCEPTED} ORDER BY created_at, key_id"  # noqa: S608
            )
        return [(row["key_id"], row["not_after"]) for row in rows]

    async def install(self, key: SigningKey) -> None:
        """Accept the key the app is configured with. Safe to run again; other keys stay as they are."""
        async with command.as_role(self._administrator, "zava_guard") as connection:
            await insert_key(connection, key)

    async def add(self, key: SigningKey) -> None:
        """Accept a new key beside the one in use, and forget those that have ended.

        Raises:
            ValueError: two keys are accepted already.
        """
        async with command.as_role(self._administrator, "zava_guard") as connection:
            if await connection.fetchval(f"SELECT count(*) >= 2 FROM guard.context_key WHERE {_ACCEPTED}"):  # noqa: S608
                raise ValueError("two keys are accepted already; retire the old one first")
            await connection.execute(f"DELETE FROM guard.context_key WHERE NOT {_ACCEPTED}")  # noqa: S608
            await insert_key(connection, key)

    async def retire(self, key_id: str, minutes: float) -> datetime:
        """Stop accepting a key, `minutes` from now, unless it was to end sooner already. Returns that moment.

        Raises:
            ValueError: there is no such key, or no other one that stays.
        """
        async with command.as_role(self._administrator, "zava_guard") as connection:
            if not await connection.fetchval(
                "SELECT EXISTS (SELECT FROM guard.context_key WHERE key_id <> $1 AND not_after IS NULL)", key_id
            ):
                raise ValueError(f"{key_id} is the only key that stays; add another one first")
            until = await connection.fetchval(
                """UPDATE guard.context_key SET not_after = least(not_after, now() + $2 * interval '1 minute')
                   WHERE key_id = $1 RETURNING not_after""",
                key_id,
                minutes,
            )
            if until is None:
                raise ValueError(f"there is no key {key_id}")
            return until


async def insert_key(connection: asyncpg.Connection, key: SigningKey) -> None:
    """Accept `key` without an end; the connection acts as zava_guard."""
    inner_pad, outer_pad = key.pads()
    await connection.execute(
        """INSERT INTO guard.context_key (key_id, inner_pad, outer_pad) VALUES ($1, $2, $3)
           ON CONFLICT (key_id) DO UPDATE
           SET inner_pad = excluded.inner_pad, outer_pad = excluded.outer_pad, not_after = NULL""",
        key.key_id,
        inner_pad,
        outer_pad,
    )
