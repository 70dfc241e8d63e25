"""Tries a statement on one way and tells everything about it that must not be: the check behind tests of the walls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.security.canaries import Evidence
from tests.security.database_state import DatabaseState
from tests.security.planted import Planted
from tests.security.ways import Outcome, Way

OUR_SCHEMAS = ("retail.", "zava.", "guard.")
_READERS_OWN = frozenset({"pg_catalog.pg_authid", "pg_catalog.pg_db_role_setting"})


@dataclass(frozen=True, slots=True)
class Attempts:
    """Statements on one way, in the planted database and in its twin.

    `own` are the stores whose rows may come back, `asked` is what the attacker knows beside the statement. If `strict`,
    not even PostgreSQL's own tables may change: it holds as long as READ ONLY cannot be left.
    """

    name: str
    planted: Planted
    twin: Planted
    way: Callable[[Planted], Way]
    own: tuple[str, ...] = ("seattle",)
    asked: str = ""
    strict: bool = False

    async def violations(self, sql: str, state: DatabaseState, *, compared: bool = True) -> list[str]:
        """What went wrong, one sentence each. `compared` says whether the twin must give the same answer."""
        outcome = await self.way(self.planted).run(sql)
        found = [f"{self.name}: rows of {owner}" for owner in self._leaked_by(outcome, sql)]
        if not outcome.in_time and not self.strict:
            await self.planted.end_sessions_of_tenants()  # the client gave up, and the server may go on for ever
        if outcome.in_time and compared and await self._is_unlike_twin(sql, outcome):
            found.append(f"{self.name}: the answer depends on rows of others: {outcome.text[:200]}")
        changes = await state.changes()
        if changes & _READERS_OWN:
            await self.planted.mend_reader()
            await state.changes()
        found += [f"{self.name}: wrote into {table}" for table in sorted(changes) if self._must_stay(table)]
        return found

    def _leaked_by(self, outcome: Outcome, sql: str) -> list[str]:
        evidence: Evidence = self.planted.evidence
        return sorted(evidence.of_others(outcome.text, *self.own, asked=sql + self.asked))

    async def _is_unlike_twin(self, sql: str, outcome: Outcome) -> bool:
        if await self._agree(outcome, sql):
            return False
        # Times and random numbers differ from themselves as well: only an answer that is given twice counts.
        again = await self.way(self.planted).run(sql)
        return again == outcome and not await self._agree(again, sql)

    async def _agree(self, outcome: Outcome, sql: str) -> bool:
        expected = await self.way(self.twin).run(sql)
        names = (self.planted.database.name, self.twin.database.name)
        return not expected.in_time or outcome.without(*names) == expected.without(*names)

    def _must_stay(self, table: str) -> bool:
        return self.strict or table.startswith(OUR_SCHEMAS)
