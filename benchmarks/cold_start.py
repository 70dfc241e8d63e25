"""A worker's start: import of the app and its first answered call, against `import mcp.server` alone.

Fresh processes take turns, with bytecode as `compileall` leaves it and with none at all (not the standard library's
either, on both sides). The call is `execute_sales_query` with a store manager's token: keys, isolation proof and both
pools are paid for in it. `rich`, which the SDK imports where it finds it, is hidden: the deployed package has none.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.contract import Options, Row
from benchmarks.database import Prepared, sample_database

_PROJECT = Path(__file__).resolve().parents[1]
_WITHOUT_RICH = "import sys; sys.modules['rich'] = None; "
_SDK_ALONE = "import time; started = time.perf_counter(); import mcp.server; print(time.perf_counter() - started)"
_FIRST_CALL = "from benchmarks.first_call import main; main(sys.argv[1])"


def _run(code: str, environment: dict[str, str], *arguments: str) -> Any:
    command = [sys.executable, "-c", _WITHOUT_RICH + code, *arguments]
    ended = subprocess.run(command, cwd=_PROJECT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(ended.stdout)


def _measured(prepared: Prepared, rounds: int, cache: Path, *, bytecode: bool) -> tuple[float, str, float | None]:
    """The ratio, what it is made of, and the memory after the call."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment = inherited | prepared.environment | {"PYTHONPYCACHEPREFIX": str(cache)}
    if not bytecode:
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
    token = prepared.issuer.mint("store_manager", stores=["seattle"])
    if bytecode:
        _run(_FIRST_CALL, environment, token)
    pairs = [(_run(_FIRST_CALL, environment, token), _run(_SDK_ALONE, environment)) for _ in range(rounds)]
    ratio = statistics.median(app["answered"] / alone for app, alone in pairs)
    imported, answered = (statistics.median(app[key] for app, _ in pairs) * 1e3 for key in ("imported", "answered"))
    alone = statistics.median(each for _, each in pairs) * 1e3
    resident = [app["resident"] for app, _ in pairs if app["resident"]]
    detail = f"import {imported:.0f} ms, answered after {answered:.0f} ms, mcp.server alone {alone:.0f} ms"
    return ratio, detail, statistics.median(resident) if resident else None


def rows(options: Options) -> list[Row]:
    rounds = 3 if options.quick else 11
    with (
        tempfile.TemporaryDirectory(prefix="zava-bench-", ignore_cleanup_errors=True) as folder,
        sample_database(Path(folder), scale=0.01) as prepared,
    ):
        warm, warm_detail, resident = _measured(prepared, rounds, Path(folder) / "warm", bytecode=True)
        cold, cold_detail, _ = _measured(prepared, 1 if options.quick else 3, Path(folder) / "none", bytecode=False)
    return [
        Row("cold start and first call / import of mcp.server", 1.5, warm, warm_detail, at_most=True),
        Row("the same without bytecode", 1.5, cold, cold_detail, at_most=True),
        Row("memory of the worker after the first call, MiB", 160, resident, "resident set", at_most=True),
    ]
