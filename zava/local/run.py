"""`make run`: the whole of Zava on this machine, from nothing to an endpoint that answers, in one process."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import socket
import sys
from pathlib import Path

import asyncpg

from zava.local import dev_host
from zava.local.data_folder import DataFolderError
from zava.local.environment import prepared
from zava.local.functions_engine import DevHostError
from zava.local.postgres import LocalPostgresError
from zava.local.sample_rows import SampleSize
from zava.local.token_issuer import LocalIssuer, TokenIssuerError
from zava.platform.settings import SettingsError
from zava.platform.whole_file import write_whole

_PROJECT = Path(__file__).resolve().parents[2]
_ROLES = (
    ("head office", "super_admin", (), ()),
    ("Puget Sound", "regional_manager", (), ("puget-sound",)),
    ("Seattle", "store_manager", ("seattle",), ()),
)


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    if problem := _port_problem(options.port):
        print(problem, file=sys.stderr)
        return 1
    data: Path = options.data.resolve()
    try:
        with prepared(data, scale=options.scale) as environment:
            os.environ.update(environment)
            os.environ.setdefault("LOG_LEVEL", "WARNING")  # a terminal is no place for the audit
            asyncio.run(_serve(data, options.port))
    except (LocalPostgresError, TokenIssuerError, DataFolderError, DevHostError, SettingsError) as problem:
        print(problem, file=sys.stderr)
        return 1
    except asyncpg.DiskFullError:
        print(f"The disk that holds {data} is full: free about 1 GB and start again.", file=sys.stderr)
        return 1
    except (asyncpg.InterfaceError, asyncpg.PostgresConnectionError):
        # Where it cannot write its log of changes, PostgreSQL ends itself instead of refusing the statement.
        print(f"PostgreSQL ended, see {data / 'postgres.log'}: a full disk needs about 1 GB.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make run", description="Run Zava on this machine; Ctrl-C stops it all.")
    parser.add_argument("--port", type=int, default=7071, help="port of the endpoint on 127.0.0.1 (default 7071)")
    parser.add_argument("--data", type=Path, default=Path(".local"), help="folder for database and keys")
    parser.add_argument(
        "--scale", type=_scale, default=1.0, help="size of the sample data, 0.01 to 10 (first start only)"
    )
    return parser.parse_args(arguments)


def _scale(text: str) -> float:
    scale = float(text)
    try:
        SampleSize.of_scale(scale)
    except ValueError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from None
    return scale


def _port_problem(port: int) -> str | None:
    """Looked at before anything is started, so that a busy port costs nobody a minute."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError:
            return f"Port {port} needs root: take another one, for example make run PORT=7099."
        except OSError:
            return f"Port {port} is taken by another program: stop it, or take another one: make run PORT=7099."
        except OverflowError:
            return f"There is no port {port}: take one between 1024 and 65535, for example make run PORT=7099."
    return None


async def _serve(data: Path, port: int) -> None:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)-7s %(name)s: %(message)s")
    issuer = LocalIssuer(data)
    tokens = {name: issuer.mint(role, stores=stores, regions=regions) for name, role, stores, regions in _ROLES}
    await dev_host.serve(dev_host.build(_PROJECT), port=port, ready=lambda port: _print_how_to_connect(tokens, port))


def _print_how_to_connect(tokens: dict[str, str], port: int) -> None:
    url = f"http://127.0.0.1:{port}/mcp"
    print(f"\n{dev_host.NOTICE}\n\nZava answers at {url}\nHow to connect, and how it is: {url.removesuffix('mcp')}\n")
    for name, token in tokens.items():
        print(f"Token for {name} (12 hours):\n{token}\n")
    print(
        f"{_write_client_configuration(url, tokens)} Other clients: send the header\n"
        "  Authorization: Bearer <token>\n"
        "More tokens: make token ROLE=store_manager STORE=spokane. Stop with Ctrl-C.\n",
        flush=True,
    )


def _write_client_configuration(url: str, tokens: dict[str, str]) -> str:
    """Put one entry a token into `.vscode/mcp.json`, beside whatever a person keeps there; say what was done."""
    file = _PROJECT / ".vscode" / "mcp.json"
    try:
        document = json.loads(file.read_text("utf-8")) if file.exists() else {}
        servers = document.setdefault("servers", {})
        for name, token in tokens.items():
            servers[f"zava-{name}".lower().replace(" ", "-")] = {
                "type": "http",
                "url": url,
                "headers": {"Authorization": f"Bearer {token}"},
            }
    except (ValueError, AttributeError, TypeError):
        return f"VS Code: {file.name} holds comments or is no JSON object, so it was left alone; add the URL yourself."
    file.parent.mkdir(exist_ok=True)
    write_whole(file, json.dumps(document, indent=2).encode(), 0o600)
    return "VS Code: open this folder, .vscode/mcp.json is ready."


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
