"""Lends this machine an environment's database and vault, for one command or for a shell, and closes both afterwards.

    python scripts/operate.py bash                                   # a shell: type the commands there, then exit
    python scripts/operate.py python -m zava.data.rotate_key list    # one command

The command finds the settings that Zava's own commands read, with the administrator's access token, which ends after
about an hour. Reads the environment that azd has selected (`azd env select`); needs a signed-in azd, and Python 3.11 to
3.13 with `scripts/requirements.txt`. Exit code: the command's, or 1 when it could not be begun.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import httpx2
from azure.core.exceptions import AzureError

from scripts.database import command_environment
from scripts.postprovision import Deployment, SetupError, own_address
from scripts.resource_manager import SCOPE, ResourceManager, ResourceManagerError, reachable
from zava.errors import MCPError
from zava.platform.credential import SharedCredential, azure_credential
from zava.platform.database_login import SCOPE as POSTGRES_SCOPE

# Not the hook's rule: whichever of the two ends first must not shut the other one out.
_RULE = "zava-operator"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python scripts/operate.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--host", help="another database server, such as a restored copy")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args(arguments)
    if not options.command:
        parser.error("name a command, such as bash")
    try:
        return asyncio.run(_until_ended(options.command, options.host))
    except (SetupError, ResourceManagerError, AzureError, MCPError, OSError) as problem:
        print(f"{problem}", file=sys.stderr)
        return 1


async def _until_ended(command: Sequence[str], host: str | None) -> int:
    """Whatever ends this process, short of SIGKILL, what was opened is closed again."""
    lending = asyncio.ensure_future(_lend(command, host))
    ended_by: list[int] = []

    def end(number: int) -> None:
        ended_by.append(number)
        lending.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, end, number)
    try:
        return await lending
    except asyncio.CancelledError:
        if not ended_by:
            raise
        return 128 + ended_by[0]


async def _lend(command: Sequence[str], host: str | None) -> int:
    values = os.environ | _azd_values()
    deployment = Deployment.of(values)
    if host:
        deployment = replace(deployment, host=host, server_name=host.split(".")[0])
    credential = SharedCredential(lambda: azure_credential("", on_azure=False))
    async with httpx2.AsyncClient() as client:
        address = await own_address(deployment.address, client)
        manager = ResourceManager(lambda: credential.token(SCOPE), client)
        print(f"Opening {deployment.server_name} to {address}, until this is done ...", file=sys.stderr, flush=True)
        async with reachable(
            manager,
            deployment.server,
            deployment.vault,
            address,
            private_networking=deployment.private_networking,
            rule_name=_RULE,
        ):
            environment = command_environment(
                values,
                deployment.administrator_connection(await credential.token(POSTGRES_SCOPE)),
                deployment.vault_url,
                deployment.openai_endpoint,
                deployment.embedding_deployment,
            )
            return await _run(command, environment)


def _azd_values() -> dict[str, str]:
    """What azd knows of the selected environment. Raises SetupError."""
    try:
        done = subprocess.run(["azd", "env", "get-values"], capture_output=True, text=True, check=True)  # noqa: S607
    except (OSError, subprocess.CalledProcessError) as problem:
        said = problem.stderr.strip() if isinstance(problem, subprocess.CalledProcessError) else problem
        raise SetupError(f"azd env get-values failed: {said}") from problem
    # NAME="value" a line, escaped as a shell would have it.
    return dict(word.split("=", 1) for word in shlex.split(done.stdout))


async def _run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    # Ctrl+C reaches the command too, and is for it alone.
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    process = await asyncio.create_subprocess_exec(*command, env=environment)
    try:
        return await process.wait()
    except asyncio.CancelledError:
        process.terminate()
        await process.wait()
        raise
    finally:
        loop.remove_signal_handler(signal.SIGINT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
