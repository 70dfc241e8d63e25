"""No secret and no personal address leaves through a log line, wherever in it it stands."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from zava.platform.logs import MaskingFilter
from zava.platform.masking import MASK, mask, mask_value
from zava.platform.signing_key import new_private_key

_SECRET = "S3cr3t-Value/42"
_JWT = "eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl-_c2lnbmF0dXJl"
_HEX = "0f" * 32

# Each text holds the secret beside it, which must be gone; what else is needed to understand the line must stay.
CORPUS: dict[str, tuple[str, str, str]] = {
    "a bearer header": (f"Authorization: Bearer {_JWT}", _JWT, "Authorization"),
    "a bearer in any case": ("sent bEaReR abcdef123456", "abcdef123456", "bEaReR"),
    "a bare token": (f"token was {_JWT}.", _JWT, "token was"),
    "a token cut off": (f"got {_JWT[:60]}...", _JWT[:60], "got"),
    "basic authentication": ("authorization=Basic dXNlcjpwYXNz", "dXNlcjpwYXNz", "authorization"),
    "a DSN": (f"connect postgresql://zava_app:{_SECRET}@db.example:5432/zava failed", _SECRET, "@db.example:5432/zava"),
    "a DSN whose password holds @ and :": ("postgres://u:p@ss:w@rd@db.example/x", "p@ss:w@rd", "db.example/x"),
    "a DSN without a user": (
        f"redis://:{_SECRET.replace('/', '')}@cache:6380/0",
        _SECRET.replace("/", ""),
        "@cache:6380",
    ),
    "a keyword DSN": (f"host=db user=zava password={_SECRET} sslmode=require", _SECRET, "sslmode=require"),
    "a quoted password with blanks": ("password='two words; more' next", "two words; more", "next"),
    "an ADO connection string": (f"Server=db;Uid=zava;Pwd={_SECRET};SslMode=Require", _SECRET, "SslMode=Require"),
    "a storage connection string": (
        "DefaultEndpointsProtocol=https;AccountName=zava;AccountKey=YWJjZGVmZ2g=;EndpointSuffix=core",
        "YWJjZGVmZ2g=",
        "AccountName=zava",
    ),
    "a service bus connection string": ("Endpoint=sb://x/;SharedAccessKey=YWJjZGVm/+g=", "YWJjZGVm/+g=", "sb://x/"),
    "a SAS in a URL": ("GET https://x.blob.example/c?sv=2024&sig=a%2Fb%3D&se=2027", "a%2Fb%3D", "se=2027"),
    "a function key in a URL": (f"POST https://zava.example/mcp?code={_SECRET}==", _SECRET, "zava.example/mcp"),
    "a token in a URL": ("https://zava.example/mcp?x=1&access_token=abc.def-1", "abc.def-1", "x=1"),
    "an authorization code": ("https://app/cb?code=0.AAA-b_c&state=xyz123", "0.AAA-b_c", "https://app/cb"),
    "a client secret in a form": (f"grant_type=client_credentials&client_secret={_SECRET}", _SECRET, "grant_type"),
    "JSON": (f'{{"user": "u1", "password": "{_SECRET}", "port": 1}}', _SECRET, '"port": 1'),
    "JSON with escaped quotes": (r'{"api_key": "a\"b-hidden", "n": 1}', "b-hidden", '"n": 1'),
    "the text of a dict": (f"{{'admin_password': '{_SECRET}', 'n': 1}}", _SECRET, "'n': 1"),
    "an environment variable": (f"POSTGRES_APP_PASSWORD={_SECRET}", _SECRET, "POSTGRES_APP_PASSWORD"),
    "a hyphenated header": (f"x-functions-key: {_SECRET}", _SECRET, "x-functions-key"),
    "an API key header": (f"api-key: {_SECRET}", _SECRET, "api-key"),
    "a cookie": ("Cookie: AppServiceAuthSession=abcdef", "AppServiceAuthSession=abcdef", "Cookie"),
    "a tenant signing key": (f"key1:{_HEX} is not accepted", _HEX, "key1:"),
    "a signed context": (f"k1|1700000000|{_HEX}|f47ac10b-58cc-4372-a567-0e02b2c3d479|{_HEX}", _HEX, "k1|1700000000"),
    "a private key": (new_private_key().decode(), "PRIVATE KEY", ""),
    "a private key cut off": ("x -----BEGIN RSA PRIVATE KEY-----\nMIIEabc\n", "MIIEabc", "x "),
    "an OpenAI key": ("401 for sk-proj-abcdefghijklmnop1234", "sk-proj-abcdefghijklmnop1234", "401"),
    "a GitHub token": ("ghp_" + "a" * 36, "ghp_" + "a" * 36, ""),
    "an e-mail address": ("DETAIL: Key (email)=(ada.l@shop.example.com) exists", "ada.l@shop.example.com", "exists"),
    "an e-mail address as a user": ("user ada@example.com not found", "ada@example.com", "not found"),
}


@pytest.mark.parametrize(("text", "secret", "rest"), CORPUS.values(), ids=CORPUS)
def test_a_secret_is_hidden_and_the_rest_of_the_line_stays(text: str, secret: str, rest: str) -> None:
    masked = mask(text)
    assert secret not in masked
    assert rest in masked
    assert mask(masked) == masked


@pytest.mark.parametrize(
    "text",
    [
        "query f47ac10b-58cc-4372-a567-0e02b2c3d479 took 12.5 ms, 3 rows",
        "SELECT count(*) FROM orders WHERE order_date >= '2026-01-01'",
        "GET https://zava.example/mcp 200",
        "embedded 512 products with 20480 tokens",
        f"caller {_HEX}",
        "the monkey passed the turkey",
        "ratio 3:4 at 12:30:15",
        "POSTGRES_SSLMODE=verify-full",
    ],
)
def test_what_is_no_secret_is_shown_as_it_is(text: str) -> None:
    assert mask(text) == text


def test_values_are_hidden_by_the_name_they_stand_under_at_any_depth() -> None:
    value = {
        "settings": [{"PostgresPassword": "x", "port": 5432}, {"headers": {"X-Api-Key": "y", "accept": "json"}}],
        "access_token": {"raw": "z", "tokens": 12},
        "recovery_tokens": ["a", "b"],
        "url": f"https://u:{_SECRET}@x.example/",
        "email": "ada@example.com",
        "pin": "1234",
        "shipping": "by air",
        "token_id": "1",
        b"raw": b"password=abc",
        "nothing": None,
    }
    assert mask_value(value) == {
        "settings": [{"PostgresPassword": MASK, "port": 5432}, {"headers": {"X-Api-Key": MASK, "accept": "json"}}],
        "access_token": {"raw": "z", "tokens": 12},
        "recovery_tokens": [MASK, MASK],
        "url": f"https://{MASK}@x.example/",
        "email": MASK,
        "pin": MASK,
        "shipping": "by air",
        "token_id": "1",
        "b'raw'": f"password={MASK}",
        "nothing": None,
    }


def _logged(log: Callable[[logging.Logger], None], extra_field: str = "") -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(MaskingFilter())
    handler.setFormatter(logging.Formatter("%(message)s" + (f" %({extra_field})s" if extra_field else "")))
    logger = logging.getLogger("tests.masking")
    logger.addHandler(handler)
    try:
        log(logger)
    finally:
        logger.removeHandler(handler)
    return stream.getvalue()


def _fail(logger: logging.Logger) -> None:
    try:
        try:
            raise OSError(f"connect to postgresql://zava:{_SECRET}@db/zava")
        except OSError as inner:
            raise ValueError({"password": _SECRET}) from inner
    except ValueError:
        logger.exception("request failed for %s", "ada@example.com")


def test_exception_texts_and_their_causes_are_masked_in_the_trace() -> None:
    written = _logged(_fail)
    assert _SECRET not in written
    assert "ada@example.com" not in written
    assert "Traceback" in written
    assert "OSError" in written


_CALLS: Mapping[str, Callable[[logging.Logger], None]] = {
    "an argument": lambda logger: logger.warning("got %s", f"Bearer {_JWT}"),
    "a dict as the argument": lambda logger: logger.warning("got %(password)s", {"password": f"password={_JWT}"}),
    "an argument of another type": lambda logger: logger.warning("got %r", {"authorization": _JWT}),
    "the message itself": lambda logger: logger.warning(f"password={_JWT}"),  # noqa: G004
    "a wrong format": lambda logger: logger.warning("got %d", _JWT),
    "the stack": lambda logger: logger.warning("here", stack_info=True),
}


@pytest.mark.parametrize("log", _CALLS.values(), ids=_CALLS)
def test_however_a_secret_gets_into_a_record_it_does_not_get_out(log: Callable[[logging.Logger], None]) -> None:
    assert _JWT not in _logged(log)


def test_extra_fields_are_masked_too() -> None:
    fields: dict[str, Any] = {"custom_dimensions": {"a": [{"api_key": _SECRET}], "rows": 3}}
    written = _logged(lambda logger: logger.warning("x", extra=fields), "custom_dimensions")
    assert written == f"x {{'a': [{{'api_key': '{MASK}'}}], 'rows': 3}}\n"


def test_masking_a_long_hostile_text_takes_no_time() -> None:
    for piece in ("a", "_-", "password", "eyJ", "://", "=", "@a", '"', "-----BEGIN PRIVATE KEY-----", "key="):
        assert len(mask(piece * 3_000)) < 100_000
