"""The laptop's own issuer of tokens: what an identity provider is in the cloud. Never deployed, never run on Azure.

`make token ROLE=store_manager STORE=seattle` prints a token and nothing else. The private key is made once and stays
in the data folder; the server reads the public half next to it, through the same code that reads an issuer's keys.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from zava.local import data_folder
from zava.local.stores import STORES
from zava.platform.identity import PERMISSIONS, REGIONAL_MANAGER, STORE_MANAGER, SUPER_ADMIN
from zava.platform.signing_key import load_private_key, new_private_key, public_jwk, sign_token
from zava.platform.whole_file import write_whole

ISSUER = "zava-auth"
AUDIENCE = "mcp-server"
LIFETIME_HOURS = 12.0

_ROLES = (SUPER_ADMIN, REGIONAL_MANAGER, STORE_MANAGER)
_STORE_IDS = {store.slug: str(store.store_id) for store in STORES}
_REGIONS = tuple(dict.fromkeys(store.region for store in STORES))


class TokenIssuerError(Exception):
    """No token can be made. The message is one sentence that says what to do."""


class LocalIssuer:
    """An RS256 key pair below a data folder, and the tokens signed with it."""

    def __init__(self, data: Path) -> None:
        """Read the key pair, making it (and the data folder) when it is not there.

        Raises:
            TokenIssuerError: on Azure, or when the folder or the key cannot be used.
        """
        if os.environ.get("WEBSITE_INSTANCE_ID") or os.environ.get("WEBSITE_SITE_NAME"):
            raise TokenIssuerError("The local token issuer does not run on Azure: tokens come from your issuer there.")
        data = data.resolve()
        folder = data / "issuer"
        self._jwks = folder / "jwks.json"
        try:
            data_folder.mark(data)
            folder.mkdir(exist_ok=True)
            self._key = _private_key(folder / "private_key.pem")
            document = {"keys": [public_jwk(self._key.public_key())]}
            write_whole(self._jwks, json.dumps(document).encode(), 0o644)
        except data_folder.DataFolderError as problem:
            raise TokenIssuerError(str(problem)) from None
        except OSError as problem:
            raise TokenIssuerError(data_folder.explain(data, problem)) from None

    @property
    def jwks_uri(self) -> str:
        """Where the public key is, as a `file:` URI for AUTH_JWKS_URL."""
        return self._jwks.as_uri()

    def mint(
        self,
        role: str,
        *,
        stores: Sequence[str] = (),
        regions: Sequence[str] = (),
        permissions: Sequence[str] | None = None,
        lifetime: float = LIFETIME_HOURS,
        subject: str = "",
    ) -> str:
        """A signed token.

        Args:
            role: `super_admin`, `regional_manager` (with regions) or `store_manager` (with stores).
            stores: short names as in `zava.local.stores`, `seattle` for one.
            permissions: None leaves the claim out, so that the role's default holds.
            lifetime: in hours, at most 24.
            subject: who it is for; empty makes one up from role, stores and regions.

        Raises:
            TokenIssuerError: for anything that does not fit together, naming the choices.
        """
        if role not in _ROLES:
            raise TokenIssuerError(f"The role must be one of {_listed(_ROLES)}.")
        claims: dict[str, Any] = {"roles": [role]}
        if role == STORE_MANAGER:
            chosen = _chosen("store", stores, tuple(_STORE_IDS))
            claims["allowed_stores"] = [_STORE_IDS[slug] for slug in chosen]
        elif stores:
            raise TokenIssuerError(f"Only a {STORE_MANAGER} has stores: leave the store out.")
        if role == REGIONAL_MANAGER:
            claims["allowed_regions"] = _chosen("region", regions, _REGIONS)
        elif regions:
            raise TokenIssuerError(f"Only a {REGIONAL_MANAGER} has regions: leave the region out.")
        if permissions is not None:
            claims["permissions"] = _chosen("permission", permissions, tuple(sorted(PERMISSIONS)))
        try:
            return sign_token(
                self._key,
                claims,
                issuer=ISSUER,
                audience=AUDIENCE,
                subject=subject or "-".join(("local", role, *stores, *regions)),
                lifetime_hours=lifetime,
            )
        except ValueError as problem:
            raise TokenIssuerError(str(problem)) from None


def _private_key(path: Path) -> RSAPrivateKey:
    if not path.exists():
        write_whole(path, new_private_key(), 0o600, keep=True)
    try:
        return load_private_key(path.read_bytes())
    except ValueError:
        raise TokenIssuerError(f"{path} holds no private key any more: delete it, and a new one is made.") from None


def _chosen(kind: str, names: Sequence[str], choices: Sequence[str]) -> list[str]:
    if not names:
        raise TokenIssuerError(f"Name at least one {kind}: {_listed(choices)}.")
    if unknown := [name for name in names if name not in choices]:
        raise TokenIssuerError(f"There is no {kind} {unknown[0]!r}: choose from {_listed(choices)}.")
    return list(dict.fromkeys(names))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise TokenIssuerError(f"{message[:1].upper()}{message[1:]}.")


def _names(text: str) -> list[str]:
    return [name.strip().lower() for name in text.split(",") if name.strip()]


def _hours(text: str) -> float:
    try:
        return float(text) if text.strip() else LIFETIME_HOURS
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of hours") from None


def main(arguments: Sequence[str]) -> int:
    """The command: 0 with the token on standard output, or 2 with one sentence on standard error."""
    parser = _Parser(prog="python -m zava.local.token_issuer", description=__doc__, allow_abbrev=False)
    parser.add_argument("--data", type=Path, default=Path(".local"), help="the data folder")
    parser.add_argument("--role", default="", help=_listed(_ROLES))
    parser.add_argument("--store", type=_names, default=[], help=f"one or more of {_listed(tuple(_STORE_IDS))}")
    parser.add_argument("--region", type=_names, default=[], help=f"one or more of {_listed(_REGIONS)}")
    parser.add_argument("--permissions", type=_names, default=[], help=f"some of {_listed(sorted(PERMISSIONS))}")
    parser.add_argument("--lifetime", type=_hours, default=LIFETIME_HOURS, help="hours, at most 24")
    parser.add_argument("--subject", default="", help="who the token is for")
    try:
        options = parser.parse_args(arguments)
        token = LocalIssuer(options.data).mint(
            options.role,
            stores=options.store,
            regions=options.region,
            permissions=options.permissions or None,
            lifetime=options.lifetime,
            subject=options.subject,
        )
    except TokenIssuerError as problem:
        print(problem, file=sys.stderr)
        return 2
    print(token)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
