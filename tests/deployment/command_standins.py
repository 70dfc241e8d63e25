"""`az`, `azd`, `curl` and `uuidgen` as the pages call them: secrets go to the vault, everything else is written down.

Run as a program under one of these names, with ZAVA_TEST_COMMANDS naming a folder: `values.json` there holds what
`azd env get-values` prints, `copy` the address of the restored server, and `calls` gets a line a call.
"""

from __future__ import annotations

import json
import os
import sys
import uuid
from pathlib import Path


def main(name: str, arguments: list[str]) -> int:
    folder = Path(os.environ["ZAVA_TEST_COMMANDS"])
    if (name, *arguments[:2]) == ("azd", "auth", "token"):
        os.execv(folder / "signed-in-azd", ["azd", *arguments])
    if arguments[:2] == ["env", "get-values"]:
        for variable, value in json.loads((folder / "values.json").read_text("utf-8")).items():
            sys.stdout.write(f'{variable}="{value}"\n')
        return 0
    if arguments[:2] == ["keyvault", "secret"]:
        return _secret(arguments[2], dict(zip(arguments[3::2], arguments[4::2], strict=True)))
    if name == "uuidgen":
        sys.stdout.write(f"{uuid.uuid4()}\n")
        return 0
    if "--body" in arguments:
        # As `az rest` does, which sends what cannot be read as it is.
        body = arguments.index("--body") + 1
        text = sys.stdin.read() if arguments[body] == "@-" else arguments[body]
        arguments[body] = json.dumps(json.loads(text))
    with (folder / "calls").open("a") as calls:
        calls.write(f"{name} {' '.join(arguments)}\n")
    if "fullyQualifiedDomainName" in arguments:
        sys.stdout.write((folder / "copy").read_text())
    elif arguments[:2] == ["postgres", "flexible-server"] and "id" in arguments:
        sys.stdout.write("/subscriptions/one/providers/Microsoft.DBforPostgreSQL/flexibleServers/psql-zava\n")
    elif "--query" in arguments:
        sys.stdout.write(f"the-{arguments[arguments.index('--query') + 1].rpartition('.')[2]}-of-{arguments[1]}\n")
    return 0


def _secret(what: str, options: dict[str, str]) -> int:
    from zava.platform.credential import SharedCredential, azure_credential
    from zava.platform.secret_source import key_vault_client

    credential = SharedCredential(lambda: azure_credential("", on_azure=False))
    client = key_vault_client(f"https://{options['--vault-name']}.vault.azure.net", credential)
    if what == "set":
        # The real one takes the file as it is, with what stands at its end.
        client.set_secret(options["--name"], Path(options["--file"]).read_text("utf-8"))
    else:
        sys.stdout.write(f"{client.get_secret(options['--name']).value}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[0]).name, sys.argv[1:]))
