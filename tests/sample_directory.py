"""The sample stores as a store directory, without a database."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from zava.data.store_directory import Store
from zava.local.stores import STORES


class SampleDirectory:
    """Implements `zava.services.access.Directory`."""

    async def stores(self) -> Mapping[UUID, Store]:
        return {store.store_id: Store(store.store_id, store.name, store.region) for store in STORES}


def ids(*slugs: str) -> frozenset[UUID]:
    """The ids of sample stores by their short names; of all of them without names."""
    return frozenset(store.store_id for store in STORES if not slugs or store.slug in slugs)
