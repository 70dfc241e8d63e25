"""The table: what is broken and mended, and what callers may get meanwhile beside good answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tests.fault_table import data_breaks, other_breaks
from tests.fault_table.data_breaks import Break
from tests.fault_table.load import BY_WORDS, NO_CONNECTION


@dataclass(frozen=True, slots=True)
class Fault:
    """Attributes:
    breaks: breaks something, and mends it in the end.
    allowed: codes that callers may get, beside good answers.
    shows: one of these was got, or the fault has shown nothing.
    seconds: how long it stays broken.
    worker: the one that is called; `new` is one that is started when the fault is there already.
    """

    breaks: Break
    allowed: frozenset[str] = frozenset()
    shows: frozenset[str] = frozenset()
    seconds: float = 1.5
    worker: Literal["direct", "pooled", "new"] = "direct"


_AWAY = frozenset({"DATABASE_UNAVAILABLE"})
_WORDS = frozenset({BY_WORDS})
_NOT_YET = frozenset({"SERVICE_UNAVAILABLE"})

FAULTS: dict[str, Fault] = {
    "PostgreSQL restarted": Fault(data_breaks.restarted, _AWAY, _AWAY),
    "PostgreSQL killed (kill -9)": Fault(data_breaks.killed, _AWAY, _AWAY),
    "PostgreSQL frozen for 10 s": Fault(data_breaks.frozen, _AWAY | {"QUERY_TIMEOUT"}, seconds=10),
    "connections cut in the middle of queries": Fault(data_breaks.cut, _AWAY, seconds=3),
    "no connection free in PostgreSQL": Fault(data_breaks.no_connection_free, _AWAY, _AWAY),
    "no room for temporary files": Fault(data_breaks.no_room_for_temporary_files, _AWAY, _AWAY),
    "failover to another server, behind PgBouncer": Fault(data_breaks.failed_over, _AWAY, worker="pooled"),
    "PgBouncer restarted": Fault(data_breaks.pooler_restarted, _AWAY, _AWAY, worker="pooled"),
    "answers in Redis under other callers' keys": Fault(data_breaks.redis_damaged(data_breaks.swapped)),
    "values of another type in Redis": Fault(data_breaks.redis_damaged(data_breaks.wrong_type)),
    "Redis slow": Fault(data_breaks.redis_slow, seconds=2),
    "Redis killed": Fault(data_breaks.redis_killed, worker="pooled"),
    "database password rotated": Fault(other_breaks.password_rotated, _AWAY),
    "database password changed before the vault's": Fault(other_breaks.password_changed_before_the_vault, _AWAY, _AWAY),
    "database password refused": Fault(other_breaks.password_refused, _AWAY, _AWAY),
    "Key Vault fails, worker warm": Fault(other_breaks.vault_fails),
    "Key Vault fails as a worker starts": Fault(other_breaks.vault_fails, _NOT_YET, _NOT_YET, worker="new"),
    "Key Vault hangs as a worker starts": Fault(other_breaks.vault_hangs, _NOT_YET, _NOT_YET, worker="new"),
    "managed identity fails as a worker starts": Fault(other_breaks.identity_fails, _NOT_YET, _NOT_YET, worker="new"),
    "embedder hangs": Fault(other_breaks.embedder_hangs, shows=_WORDS, worker="new"),
    "embedder throttles": Fault(other_breaks.embedder_throttles, shows=_WORDS, worker="new"),
    "issuer's keys away, worker warm": Fault(other_breaks.issuer_away),
    "issuer's keys away as a worker starts": Fault(other_breaks.issuer_away, _NOT_YET, _NOT_YET, worker="new"),
    "worker's clock ten minutes ahead": Fault(other_breaks.clock(600), frozenset({"ISOLATION_FAILED"})),
    "worker's clock ten minutes behind": Fault(other_breaks.clock(-600), frozenset({"ISOLATION_FAILED"})),
    "collector of telemetry away": Fault(other_breaks.collector_away, seconds=3),
    "clients that disconnect": Fault(other_breaks.clients_disconnect),
    "clients that send slowly": Fault(other_breaks.clients_send_slowly),
    "a client that repeats one request": Fault(other_breaks.client_repeats),
    "event loop changed under the pools": Fault(other_breaks.loop_changed, frozenset({NO_CONNECTION})),
}
