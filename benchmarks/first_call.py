"""A worker's first minute in a process of its own: `python -m benchmarks.first_call TOKEN`.

Imports the app and has one question answered through the registered HTTP trigger, then prints the seconds of both and
the memory that stays, in MiB, as JSON.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

_BODY = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "execute_sales_query", "arguments": {"postgresql_query": "SELECT count(*) FROM stores"}},
}


def trigger() -> Any:
    """The function behind the registered HTTP trigger, with the app imported. To be taken once."""
    app = importlib.import_module("function_app").app
    (mcp,) = (each for each in app.get_functions() if each.get_function_name() == "mcp")
    return mcp.get_user_function()


async def ask(trigger: Any, token: str) -> None:
    """One question. Ends the program when the answer is not a good one."""
    func = importlib.import_module("azure.functions")  # ours has imported it: a way to name it, and no more
    request = func.HttpRequest(
        method="POST",
        url="http://127.0.0.1/mcp",
        headers={
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "Authorization": f"Bearer {token}",
        },
        params={},
        route_params={},
        body=json.dumps(_BODY).encode(),
    )
    answer = await trigger(request)
    if answer.status_code != 200 or json.loads(answer.get_body())["result"]["isError"]:
        raise SystemExit(f"not a good answer: {answer.status_code} {answer.get_body()}")


def main(token: str) -> None:
    started = time.perf_counter()
    mcp = trigger()
    imported = time.perf_counter()
    asyncio.run(ask(mcp, token))
    answered = time.perf_counter()
    gc.collect()
    status = Path("/proc/self/status")
    resident = int(status.read_text().split("VmRSS:")[1].split()[0]) / 1024 if status.exists() else None
    print(json.dumps({"imported": imported - started, "answered": answered - started, "resident": resident}))


if __name__ == "__main__":
    main(sys.argv[1])
