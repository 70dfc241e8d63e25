"""Tokens and headers, good and hostile, with the HTTP status each must get: add to them, never take one away.

A case builds its request headers from a running issuer. 200 means admitted. It is long because it is one table: what
stands next to what is how a gap is seen.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding

from tests.loopback_issuer import CLIENT, PERSON, SEATTLE, TACOMA, TENANT, LoopbackIssuer, private_key, public_jwk

Headers = dict[str, str]


@dataclass(frozen=True, slots=True)
class Case:
    """`sent` says whether the 401's challenge must carry an error code, because a token was sent."""

    name: str
    status: int
    headers: Callable[[LoopbackIssuer], Headers]
    sent: bool = True


def bearer(token: str) -> Headers:
    return {"authorization": f"Bearer {token}"}


def token(name: str, status: int, **changes: Any) -> Case:
    """A token of the generic issuer with these claims changed; `drop`, `header`, `key` and `algorithm` as in `mint`."""
    return Case(name, status, lambda issuer: bearer(issuer.mint(**changes)))


def late(name: str, status: int, **offsets: int) -> Case:
    """A token whose times are these many seconds from now."""

    def headers(issuer: LoopbackIssuer) -> Headers:
        now = int(time.time())
        claims: dict[str, Any] = {claim: now + seconds for claim, seconds in offsets.items()}
        return bearer(issuer.mint(**claims))

    return Case(name, status, headers)


def entra(name: str, status: int, **changes: Any) -> Case:
    return Case(name, status, lambda issuer: bearer(issuer.mint_entra(**changes)))


def raw(name: str, status: int, authorization: str, *, sent: bool = True) -> Case:
    """An `Authorization` header; `{}` stands for a good token."""
    return Case(name, status, lambda issuer: {"authorization": authorization.replace("{}", issuer.mint())}, sent)


def by_hand(name: str, status: int, make: Callable[[LoopbackIssuer], str]) -> Case:
    return Case(name, status, lambda issuer: bearer(make(issuer)))


def manager(name: str, status: int, header: str | None = None, **claims: Any) -> Case:
    """A store manager's token, with or without `x-rls-user-id`."""
    extra = {} if header is None else {"x-rls-user-id": header}
    return Case(name, status, lambda issuer: bearer(issuer.mint(roles=["store_manager"], **claims)) | extra)


def _part(value: object) -> str:
    return _encoded(json.dumps(value).encode())


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _unsigned(issuer: LoopbackIssuer, algorithm: str) -> str:
    payload = issuer.mint().split(".")[1]
    return f"{_part({'alg': algorithm, 'typ': 'JWT', 'kid': issuer.key_id})}.{payload}"


def _hmac(issuer: LoopbackIssuer, secret: bytes) -> str:
    signed = _unsigned(issuer, "HS256")
    return f"{signed}.{_encoded(hmac.digest(secret, signed.encode(), hashlib.sha256))}"


def _public_pem(issuer: LoopbackIssuer) -> bytes:
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return issuer.key.public_key().public_bytes(encoding, form)


def _with_claims(issuer: LoopbackIssuer, **changes: Any) -> str:
    """A good token whose payload is changed after signing."""
    head, payload, signature = issuer.mint(roles=["store_manager"]).split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    return f"{head}.{_part(claims | changes)}.{signature}"


def _well_signed(issuer: LoopbackIssuer, **header: Any) -> str:
    """A good token with a header that PyJWT would not write."""
    payload = issuer.mint().split(".")[1]
    signed = f"{_part({'alg': 'RS256', 'kid': issuer.key_id} | header)}.{payload}"
    return f"{signed}.{_encoded(issuer.key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _without_signature(issuer: LoopbackIssuer) -> str:
    return issuer.mint().rpartition(".")[0] + "."


def _foreign_signature(issuer: LoopbackIssuer) -> str:
    return issuer.mint().rpartition(".")[0] + "." + issuer.mint(sub="eve").rpartition(".")[2]


_STRANGER = private_key(99)
_HOUR = 3_600

HEADER_CASES = [
    raw("scheme in lower case", 200, "bearer {}"),
    raw("scheme in upper case", 200, "BEARER {}"),
    raw("several spaces", 200, "Bearer    {}"),
    Case("no header", 401, lambda _: {}, sent=False),
    raw("empty header", 401, "", sent=False),
    raw("scheme alone", 401, "Bearer", sent=False),
    raw("scheme and spaces", 401, "Bearer   ", sent=False),
    raw("another scheme", 401, "Basic YWRhOmFkYQ==", sent=False),
    raw("the token alone", 401, "{}", sent=False),
    raw("no space after the scheme", 401, "Bearer{}", sent=False),
    raw("a tab after the scheme", 401, "Bearer\t{}", sent=False),
    raw("two tokens, folded", 401, "Bearer {}, Bearer {}"),
    raw("two tokens, folded without a space", 401, "Bearer {},Bearer {}"),
    raw("a good token and another scheme", 401, "Basic YWRhOmFkYQ==, Bearer {}", sent=False),
    raw("the same scheme twice", 401, "Bearer Bearer {}"),
    raw("a comma after the token", 401, "Bearer {},"),
    raw("a token in quotes", 401, 'Bearer "{}"'),
    raw("a line break in the token", 401, "Bearer {}\r\nx-rls-user-id: 1"),
    raw("letters beyond ASCII", 401, "Bearer t\u00f6ken"),
    Case("a token in the query string", 401, lambda i: {"x-original-url": f"/mcp?access_token={i.mint()}"}, sent=False),
    Case("a token in a cookie", 401, lambda i: {"cookie": f"access_token={i.mint()}"}, sent=False),
    Case(
        "a principal as App Service authentication sends it",
        401,
        lambda _: {"x-ms-client-principal": _part({"claims": [{"typ": "roles", "val": "super_admin"}]})},
        sent=False,
    ),
    Case(
        "a foreign principal beside a token that grants nothing",
        403,
        lambda i: (
            bearer(i.mint(roles=[]))
            | {"x-ms-client-principal": _part({"claims": [{"typ": "roles", "val": "super_admin"}]})}
        ),
    ),
]

FORM_CASES = [
    by_hand("nonsense", 401, lambda _: "nonsense"),
    by_hand("two parts", 401, lambda _: "abc.def"),
    by_hand("five parts, as if encrypted", 401, lambda i: i.mint() + ".a.b"),
    by_hand("dots only", 401, lambda _: ".."),
    by_hand("a header that is no JSON", 401, lambda i: "bm9uc2Vuc2U." + i.mint().split(".", 1)[1]),
    by_hand("a header that is a list", 401, lambda i: _part(["RS256"]) + "." + i.mint().split(".", 1)[1]),
    by_hand("a header nested too deeply", 401, lambda _: base64.urlsafe_b64encode(b"[" * 6_000).decode() + ".e30.AA"),
    token("17 KiB, well signed", 401, padding="x" * 17_000),
    token("15 KiB, well signed", 200, padding="x" * 11_000),
]

SIGNATURE_CASES = [
    by_hand("alg none", 401, lambda i: _unsigned(i, "none") + "."),
    by_hand("alg None", 401, lambda i: _unsigned(i, "None") + "."),
    by_hand(
        "alg none with a good token's signature",
        401,
        lambda i: _unsigned(i, "none") + "." + i.mint().rpartition(".")[2],
    ),
    by_hand("no alg", 401, lambda i: f"{_part({'kid': i.key_id})}.{i.mint().split('.', 1)[1]}"),
    by_hand("HS256 with the public key as PEM", 401, lambda i: _hmac(i, _public_pem(i))),
    by_hand("HS256 with the JWK set", 401, lambda i: _hmac(i, i.jwks())),
    token("RS512", 401, algorithm="RS512"),
    token("PS256", 401, algorithm="PS256"),
    token("ES256 with an own key", 401, algorithm="ES256", key=ec.generate_private_key(ec.SECP256R1())),
    token("EdDSA with an own key", 401, algorithm="EdDSA", key=ed25519.Ed25519PrivateKey.generate()),
    token("an own key under the issuer's key id", 401, key=_STRANGER),
    token("an own key in jwk", 401, key=_STRANGER, header={"jwk": public_jwk(_STRANGER, "key-1")}),
    token("an own key behind jku", 401, key=_STRANGER, header={"jku": "https://keys.example/jwks"}),
    token("an own key behind x5u", 401, key=_STRANGER, header={"x5u": "https://keys.example/chain"}),
    token("an own certificate in x5c", 401, key=_STRANGER, header={"x5c": ["MIIB"]}),
    token("jku beside the issuer's key, ignored", 200, header={"jku": "https://keys.example/jwks"}),
    token("a key id nobody publishes", 401, header={"kid": "key-404"}),
    token("no key id", 401, header={"kid": None}),
    token("an empty key id", 401, header={"kid": ""}),
    token("a key id with a space", 401, header={"kid": "key 1"}),
    token("a key id of 300 characters", 401, header={"kid": "k" * 300}),
    by_hand(
        "a key id that is a number", 401, lambda i: f"{_part({'alg': 'RS256', 'kid': 1})}.{i.mint().split('.', 1)[1]}"
    ),
    by_hand("a header signed by hand", 200, _well_signed),
    by_hand("an extension that must be understood", 401, lambda i: _well_signed(i, crit=["exp"], exp=1)),
    by_hand("an extension that PyJWT understands", 401, lambda i: _well_signed(i, crit=["b64"], b64=True)),
    by_hand(
        "an unencoded payload",
        401,
        lambda i: f"{_part({'alg': 'RS256', 'kid': 'key-1', 'b64': False, 'crit': ['b64']})}..AA",
    ),
    by_hand("claims changed after signing", 401, lambda i: _with_claims(i, roles=["super_admin"])),
    by_hand("signature cut off", 401, _without_signature),
    by_hand("signature of another token", 401, _foreign_signature),
    token("typ of an access token", 200, header={"typ": "at+jwt"}),
    token("typ as a media type", 200, header={"typ": "application/at+JWT"}),
    token("typ left out", 200, header={"typ": None}),
    token("typ of a logout token", 401, header={"typ": "logout+jwt"}),
    token("typ of a DPoP proof", 401, header={"typ": "dpop+jwt"}),
    by_hand(
        "typ that is a list",
        401,
        lambda i: f"{_part({'alg': 'RS256', 'kid': 'key-1', 'typ': ['JWT']})}.{i.mint().split('.', 1)[1]}",
    ),
]

CLAIM_CASES = [
    token("head office", 200),
    token("audience among others", 200, aud=["userinfo", "mcp-server"]),
    token("claims nobody asked for", 200, email="ada@example.com", groups=[1, 2]),
    token("another audience", 401, aud="mcp-server-2"),
    token("no audience in the list", 401, aud=["userinfo"]),
    token("an empty list of audiences", 401, aud=[]),
    token("an audience that is a number", 401, aud=7),
    token("another issuer", 401, iss="https://issuer.example"),
    token("issuer with a slash", 401, iss="zava-auth/"),
    *(token(f"no {name}", 401, drop=[name]) for name in ("iss", "aud", "exp", "iat", "nbf", "sub", "jti")),
    *(token(f"{name} null", 401, **{name: None}) for name in ("exp", "iat", "nbf", "sub", "jti")),
    late("expired 30 s ago, within the leeway", 200, exp=-30, iat=-600, nbf=-600),
    late("expired 61 s ago", 401, exp=-61, iat=-600, nbf=-600),
    late("valid in 30 s, within the leeway", 200, nbf=30),
    late("valid in 120 s", 401, nbf=120),
    late("issued in 120 s", 401, iat=120),
    late("valid for a day", 200, exp=24 * _HOUR),
    late("valid for 26 hours", 401, exp=26 * _HOUR),
    late("issued a year ago, valid for an hour", 401, iat=-365 * 24 * _HOUR, nbf=-365 * 24 * _HOUR),
    token("exp as a text", 401, exp="9999999999"),
    token("exp true", 401, exp=True),
    token("nbf true", 401, nbf=True),
    token("exp not a number", 401, exp=float("nan")),
    token("exp infinite", 401, exp=float("inf")),
    token("exp negative", 401, exp=-1),
    Case("times with fractions", 200, lambda i: bearer(i.mint(iat=time.time(), exp=time.time() + 60.5))),
    token("empty sub", 401, sub=""),
    token("sub that is a number", 401, sub=7),
    token("sub of 256 characters", 401, sub="s" * 256),
    token("empty jti", 401, jti=""),
    token("jti that is a number", 401, jti=7),
    token("roles as a text", 401, roles="super_admin"),
    token("roles null", 401, roles=None),
    token("roles with a number", 401, roles=["super_admin", 1]),
    token("roles as an object", 401, roles={"super_admin": True}),
    token("permissions as an object", 401, permissions={"sales.read": True}),
    token("permissions with a list in it", 401, permissions=[["sales.read"]]),
    token("scp a number", 401, scp=1),
    token("allowed_stores as a text", 401, allowed_stores=SEATTLE),
    token("allowed_stores null", 401, allowed_stores=None),
    token("allowed_stores with a number", 401, allowed_stores=[1]),
    token("allowed_regions as a text", 401, allowed_regions="puget-sound"),
]

ACCESS_CASES = [
    token("no roles", 403, drop=["roles"]),
    token("empty roles", 403, roles=[]),
    token("an unknown role", 403, roles=["root"]),
    token("a role in another case", 403, roles=["Super_Admin"]),
    token("an unknown role beside a known one", 200, roles=["root", "super_admin"]),
    token("a regional manager", 200, roles=["regional_manager"], allowed_regions=["puget-sound"]),
    token("a regional manager without regions", 403, roles=["regional_manager"]),
    token("a regional manager with empty regions", 403, roles=["regional_manager"], allowed_regions=[]),
    token("a regional manager of nowhere", 403, roles=["regional_manager"], allowed_regions=["oregon"]),
    token("a regional manager with stores only", 403, roles=["regional_manager"], allowed_stores=[SEATTLE]),
    manager("a store manager", 200, allowed_stores=[SEATTLE]),
    manager("a store manager without stores", 403),
    manager("a store manager with empty stores", 403, allowed_stores=[]),
    manager("a store manager of the all-zero store", 403, allowed_stores=["00000000-0000-0000-0000-000000000000"]),
    manager("a store manager of a store that is none", 403, allowed_stores=["seattle", "*", ""]),
    manager("the header names the own store", 200, SEATTLE, allowed_stores=[SEATTLE]),
    manager("the header names another store", 403, TACOMA, allowed_stores=[SEATTLE]),
    manager("the header is no id", 400, "seattle", allowed_stores=[SEATTLE]),
    manager("the header is SQL", 400, "' OR 1=1 --", allowed_stores=[SEATTLE]),
    manager("two headers, folded", 400, f"{SEATTLE}, {TACOMA}", allowed_stores=[SEATTLE]),
    token("permissions as a text", 200, permissions="sales.read products.read"),
    token("one permission of two", 200, permissions=["products.read"]),
    token("permissions of another API only", 403, permissions=["payroll.read"]),
    token("permissions stated as none", 403, permissions=[]),
    token("scp stated as none", 403, scp=""),
    token("scopes of the sign-in only", 200, scope="openid profile email"),
    token("no permission beside scopes of the sign-in", 403, scope="openid", permissions=[]),
]

ENTRA_CASES = [
    entra("Entra ID: a user", 200),
    entra("Entra ID: an application that says so", 200, drop=["scp"], idtyp="app"),
    entra("Entra ID: an application by its ids", 200, drop=["scp"], sub=PERSON),
    entra("Entra ID: a tenant in upper case", 200, tid=TENANT.upper()),
    entra("Entra ID: neither scopes nor an application", 401, drop=["scp"]),
    entra("Entra ID: an ID token of the same app", 401, drop=["scp", "azp", "azpacr"], nonce="n"),
    entra("Entra ID: no azp", 401, drop=["azp"]),
    entra("Entra ID: no oid", 401, drop=["oid"]),
    entra("Entra ID: an oid that is none", 401, oid="ada@example.com"),
    entra("Entra ID: no tid", 401, drop=["tid"]),
    entra("Entra ID: no uti", 401, drop=["uti"]),
    entra("Entra ID: no ver", 401, drop=["ver"]),
    entra("Entra ID: another tenant", 401, tid="5e1c2a77-6f0e-4b61-8a39-2f7c1d9b0e44"),
    entra(
        "Entra ID: another tenant's issuer",
        401,
        iss="https://login.microsoftonline.com/5e1c2a77-6f0e-4b61-8a39-2f7c1d9b0e44/v2.0",
    ),
    entra("Entra ID: version 1", 401, ver="1.0", iss=f"https://sts.windows.net/{TENANT}/", aud=f"api://{CLIENT}"),
    entra("Entra ID: version 1 in version 2's clothes", 401, ver="1.0"),
    entra("Entra ID: the App ID URI as audience", 401, aud=f"api://{CLIENT}"),
    entra("Entra ID: a token for Microsoft Graph", 401, aud="00000003-0000-0000-c000-000000000000"),
    entra("Entra ID: several audiences", 401, aud=[CLIENT, "00000003-0000-0000-c000-000000000000"]),
    entra("Entra ID: another scope only", 403, scp="User.Read"),
    entra("Entra ID: one permission as scope", 200, scp="products.read"),
    entra("Entra ID: no app role", 403, drop=["roles"]),
    Case("Entra ID: a token of the other issuer", 401, lambda i: bearer(i.mint())),
]

GENERIC_CASES = [*HEADER_CASES, *FORM_CASES, *SIGNATURE_CASES, *CLAIM_CASES, *ACCESS_CASES]
