"""Rotates the key that signs tenant contexts, without a moment in which calls fail.

    python -m zava.data.rotate_key list
    python -m zava.data.rotate_key add        # make a key the database accepts beside the old one, print it
    python -m zava.data.rotate_key retire ID  # let the database forget the old one, ten minutes from now

Between `add` and `retire`, put what `add` printed where the app reads TENANT_SIGNING_KEY, and let every instance take
it. Connects as an administrator: POSTGRES_HOST, POSTGRES_PORT, POSTGRES_DATABASE, POSTGRES_SSLMODE,
POSTGRES_ADMIN_USER and POSTGRES_ADMIN_PASSWORD (or an access token).
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence

from zava.data import command
from zava.data.administration import AdministratorConnection
from zava.data.signing_keys import SigningKeys
from zava.data.tenant_context import SigningKey

_GRACE_MINUTES = 10.0


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m zava.data.rotate_key",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="show key ids and until when each is accepted")
    commands.add_parser("add", help="make a new key, let the database accept it, print it")
    retire = commands.add_parser("retire", help="end a key")
    retire.add_argument("key_id")
    retire.add_argument("--minutes", type=float, default=_GRACE_MINUTES, help="how long it is still accepted")
    options = parser.parse_args(arguments)
    return command.run(lambda administrator: _run(options, administrator))


async def _run(options: argparse.Namespace, administrator: AdministratorConnection) -> str:
    signing_keys = SigningKeys(administrator)
    if options.command == "list":
        return "\n".join(
            f"{key_id}  accepted {f'until {not_after:%Y-%m-%d %H:%M} UTC' if not_after else 'without end'}"
            for key_id, not_after in await signing_keys.keys()
        )
    if options.command == "add":
        numbers = [int(key_id[3:]) for key_id, _ in await signing_keys.keys() if re.fullmatch("key[0-9]+", key_id)]
        key = SigningKey.generate(f"key{max(numbers, default=0) + 1}")
        await signing_keys.add(key)
        return key.text()
    until = await signing_keys.retire(options.key_id, options.minutes)
    return f"{options.key_id} is accepted until {until:%Y-%m-%d %H:%M} UTC"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
