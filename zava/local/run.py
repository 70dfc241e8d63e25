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

from zava.local.data_folder import DataFolderError
from zava.local.environment import prepared
from zava.local.postgres import LocalPostgresError
from zava.local.token_issuer import LocalIssuer, TokenIssuerError, write_whole

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
            _print_how_to_connect(data, options.port)
            _serve(options.port)
    except (LocalPostgresError, TokenIssuerError, DataFolderError) as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make run", description="Run Zava on this machine; Ctrl-C stops it all.")
    parser.add_argument("--port", type=int, default=7071, help="port of the endpoint on 127.0.0.1 (default 7071)")
    parser.add_argument("--data", type=Path, default=Path(".local"), help="folder for database and keys")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="size of the sample data, 0.01 to 10 (first start only)"
    )
    return parser.parse_args(arguments)


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


def _serve(port: int) -> None:
    from zava.local import dev_host  # after the settings are in place

    logging.basicConfig(level=logging.INFO, format="%(levelname)-7s %(name)s: %(message)s")
    print(dev_host.NOTICE, flush=True)
    asyncio.run(dev_host.serve(dev_host.build(_PROJECT), port=port))


def _print_how_to_connect(data: Path, port: int) -> None:
    url = f"http://127.0.0.1:{port}/mcp"
    issuer = LocalIssuer(data)
    tokens = {name: issuer.mint(role, stores=stores, regions=regions) for name, role, stores, regions in _ROLES}
    print(f"\nZava answers at {url}\n")
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
