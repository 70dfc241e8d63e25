"""The stores of one caller, read like any other tenant row: through the signed transaction."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from zava.data.repeated_read import repeated_read
from zava.data.tenant_context import TenantScope
from zava.data.tenant_transaction import TenantTransactions

_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class TenantStore:
    store_id: UUID
    name: str
    location: str
    region: str
    is_online: bool


class TenantStores:
    def __init__(self, transactions: TenantTransactions) -> None:
        self._transactions = transactions

    async def read(self, scope: TenantScope, *, deadline: float) -> list[TenantStore]:
        """The stores within `scope`, by name.

        Raises:
            DatabaseError: and its kin, as `TenantTransactions.open` lists them.
        """
        return await repeated_read(lambda: self._read(scope, deadline), deadline=deadline)

    async def _read(self, scope: TenantScope, deadline: float) -> list[TenantStore]:
        async with self._transactions.open(scope, timeout_seconds=_TIMEOUT_SECONDS, deadline=deadline) as connection:
            rows = await connection.fetch(
                "SELECT store_id, store_name, location, region, is_online FROM retail.stores ORDER BY store_name"
            )
        return [TenantStore(*row) for row in rows]
