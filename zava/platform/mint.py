"""Tokens for a deployment without an app registration, signed by its operator.

    python -m zava.platform.mint key-pair FOLDER     # writes private_key.pem (for the operator) and public_key.pem
    python -m zava.platform.mint token --role store_manager --store f47ac10b-58cc-4372-a567-0e02b2c3d479 --subject ada

The server verifies with the public key, which it reads from AUTH_PUBLIC_KEY or from the secret `auth-public-key` of the
vault AZURE_KEY_VAULT_URL. `token` signs with the key in --private-key, or with the vault's secret `auth-private-key`,
read as whoever is signed in (`az login` or `azd auth login`); AUTH_ISSUER and AUTH_AUDIENCE are those of the server.
Never let the app's own identity read the private key: keep it in another vault, or on the operator's machine.
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from zava.errors import ServiceUnavailableError
from zava.platform.credential import SharedCredential, azure_credential
from zava.platform.identity import PERMISSIONS, REGIONAL_MANAGER, ROLES, STORE_MANAGER
from zava.platform.operator_key import PRIVATE_KEY_SECRET
from zava.platform.secret_source import KeyVaultSecrets, key_vault_client
from zava.platform.settings import Settings
from zava.platform.signing_key import LONGEST_LIFETIME_HOURS, load_private_key, new_private_key, public_pem, sign_token
from zava.platform.whole_file import write_whole

_LIFETIME_HOURS = 8.0


def main(arguments: Sequence[str]) -> int:
    """The command: 0 with a token on standard output, or 1 with one sentence on standard error."""
    parser = argparse.ArgumentParser(
        prog="python -m zava.platform.mint", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("key-pair", help="make a key pair").add_argument("folder", type=Path)
    token = commands.add_parser("token", help="print a token")
    token.add_argument("--role", required=True, choices=sorted(ROLES))
    token.add_argument("--store", action="append", type=UUID, default=[], help="id of a store; may be repeated")
    token.add_argument("--region", action="append", default=[], help="may be repeated")
    token.add_argument("--permission", action="append", choices=sorted(PERMISSIONS), help="the role's own without it")
    token.add_argument("--subject", required=True, help="who it is for: a name that stays the same")
    token.add_argument(
        "--lifetime", type=float, default=_LIFETIME_HOURS, help=f"in hours, at most {LONGEST_LIFETIME_HOURS:g}"
    )
    token.add_argument("--private-key", type=Path, help="PEM file; without it the vault is asked")
    options = parser.parse_args(arguments)
    try:
        sys.stdout.write(f"{_key_pair(options.folder) if options.command == 'key-pair' else _token(options)}\n")
    except (ValueError, OSError, ServiceUnavailableError) as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    return 0


def _key_pair(folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    private = folder / "private_key.pem"
    if private.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(private))
    write_whole(private, new_private_key(), 0o600, keep=True)
    public = folder / "public_key.pem"
    public.write_bytes(public_pem(load_private_key(private.read_bytes())))
    return f"Made {private} and {public}."


def _token(options: argparse.Namespace) -> str:
    claims: dict[str, Any] = {"roles": [options.role]}
    if options.store and options.role != STORE_MANAGER:
        raise ValueError(f"Only a {STORE_MANAGER} has stores.")
    if options.region and options.role != REGIONAL_MANAGER:
        raise ValueError(f"Only a {REGIONAL_MANAGER} has regions.")
    # Without one the claim is left out, and the grants table decides.
    if options.store:
        claims["allowed_stores"] = [str(store) for store in options.store]
    if options.region:
        claims["allowed_regions"] = options.region
    if options.permission:
        claims["permissions"] = options.permission
    return sign_token(
        load_private_key(_private_key(options.private_key)),
        claims,
        issuer=os.environ.get("AUTH_ISSUER") or Settings.model_fields["auth_issuer"].default,
        audience=os.environ.get("AUTH_AUDIENCE") or Settings.model_fields["auth_audience"].default,
        subject=options.subject,
        lifetime_hours=options.lifetime,
    )


def _private_key(file: Path | None) -> bytes:
    if file is not None:
        return file.read_bytes()
    url = os.environ.get("AZURE_KEY_VAULT_URL")
    if not url:
        raise ValueError("Name the key with --private-key, or the vault with AZURE_KEY_VAULT_URL.")
    # Off Azure: whoever is signed in, never the app's identity.
    credential = SharedCredential(lambda: azure_credential("", on_azure=False))
    vault = KeyVaultSecrets(lambda: key_vault_client(url, credential))
    return asyncio.run(vault.get(PRIVATE_KEY_SECRET)).encode()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
