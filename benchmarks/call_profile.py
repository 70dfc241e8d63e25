"""Where the time of one `execute_sales_query` call goes: the shares of the worker's own processor time, by part.

Calls one after another through the registered trigger, answers not kept. A signal looks at the stack after each
millisecond of processor time; the first part of `_PARTS` with a frame on the stack owns that millisecond. Prints a
table and writes it into docs/benchmarks.md. `python -m benchmarks.call_profile`.
"""

from __future__ import annotations

import asyncio
import collections
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType

from benchmarks.database import sample_database
from benchmarks.first_call import ask, trigger
from benchmarks.run import PAGE, rewrite

_SECONDS, _WARM_UP = 15.0, 200
_BEGIN, _END = "<!-- profile: written by make profile -->\n", "<!-- end of profile -->"
_PARTS = (
    ("the caller's limit, counted in PostgreSQL", ("zava/services/rate_limit.py", "zava/data/call_rates.py")),
    ("SQL policy: parse and judge", ("zava/data/sql_policy/",)),
    ("the tenant's transaction: connection, BEGIN, context, COMMIT", ("zava/data/tenant_transaction.py",)),
    ("the caller's SQL: prepare, run, rows as JSON", ("zava/data/query_runner.py",)),
    ("giving connections back", ("zava/data/pools.py",)),
    ("token, revocation, stores", ("zava/protocol/authentication.py", "zava/services/access.py")),
    ("audit, span, measures", ("zava/protocol/audit.py", "zava/platform/tracing.py", "zava/platform/telemetry.py")),
    ("the SDK's kernel: schemas, dispatch, JSON", ("site-packages/mcp/", "site-packages/mcp_types/")),
    ("the rest of Zava: trigger, edge, endpoint, tool", ("function_app.py", "zava/protocol/", "zava/services/")),
    ("bytes from PostgreSQL", ("asyncio/selector_events.py",)),
)
_ELSE = "the event loop itself"


def _part(frame: FrameType | None) -> str:
    files: list[str] = []
    while frame is not None:
        files.append(frame.f_code.co_filename)
        frame = frame.f_back
    return next((name for name, places in _PARTS if any(place in file for file in files for place in places)), _ELSE)


async def _profiled(token: str) -> tuple[collections.Counter[str], float, float]:
    """Milliseconds by part, and per call the seconds of processor time and the seconds that pass."""
    mcp = trigger()
    for _ in range(_WARM_UP):
        await ask(mcp, token)
    seen = collections.Counter[str]()
    signal.signal(signal.SIGPROF, lambda _number, frame: seen.update((_part(frame),)))
    calls, started, processor = 0, time.perf_counter(), time.process_time()
    signal.setitimer(signal.ITIMER_PROF, 0.001, 0.001)
    while time.perf_counter() < started + _SECONDS:
        await ask(mcp, token)
        calls += 1
    signal.setitimer(signal.ITIMER_PROF, 0)
    return seen, (time.process_time() - processor) / calls, (time.perf_counter() - started) / calls


def main() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="zava-bench-", ignore_cleanup_errors=True) as folder,
        sample_database(Path(folder), scale=0.01) as prepared,
    ):
        unlimited = {"RATE_LIMIT_PER_MINUTE": "1000000", "RATE_LIMIT_BURST": "100000"}
        os.environ.update(prepared.environment | unlimited)
        token = prepared.issuer.mint("store_manager", stores=["seattle"])
        seen, processor, passed = asyncio.run(_profiled(token))
    lines = [
        f"A call takes {passed * 1e3:.2f} ms. The worker works {processor * 1e3:.2f} ms and waits for the rest.",
        "",
        "| part | share |",
        "| --- | --- |",
        *(f"| {name} | {count / seen.total():.0%} |" for name, count in seen.most_common()),
    ]
    print("\n".join(lines))
    rewrite(PAGE, _BEGIN, _END, "\n".join(lines))


if __name__ == "__main__":
    sys.exit(main())
