"""What settings must be together, and what no setting may hold; every problem is found in one go."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from zava.platform.secret_names import SecretName
from zava.platform.telemetry_backends.connection_string import Destination

if TYPE_CHECKING:
    from zava.platform.settings import Settings

_S = TypeVar("_S", bound="Settings")
_Problem = tuple[str, str]
"""The setting's name in lower case, and what is wrong with it."""

_OURS = "setting"
_REFERENCE = "@Microsoft.KeyVault("
_UNRESOLVED = (
    "is a Key Vault reference that Azure did not resolve: see whether the secret exists and the app's identity may "
    "read it, then restart"
)
# What templates and manuals put where a secret belongs.
_PLACEHOLDER = re.compile(
    r"<.*>|\$\{.*\}|\{\{.*\}\}|\.{3}|x{3,}|\*{3,}"
    r"|(change|replace)[-_ ]?(me|this|it)?|your[-_ ].*|(my[-_ ]?)?(password|secret|key)"
    r"|placeholder|example|dummy|todo|tbd|none|null|undefined",
    re.IGNORECASE | re.DOTALL,
)
_SIGNING_KEY = re.compile(r"[a-z0-9]{1,16}:[0-9a-fA-F]{64}")
_FERNET_KEYS = re.compile(r"[A-Za-z0-9_-]{43}=( *, *[A-Za-z0-9_-]{43}=)*")


def checked(values: Any, validate: Callable[[Any], _S]) -> _S:
    """The settings of these values.

    Raises:
        pydantic.ValidationError: with every problem, each at its setting, and no value.
    """
    given = dict(values)
    problems = list(_unfit_values(given))
    try:
        settings = validate(given)
    except ValidationError as failure:
        if any(error["type"] == _OURS for error in failure.errors(include_url=False)):
            raise  # pydantic-settings validates within the validation, and the inner one has come here already
        found = [(str(error["loc"][0]), error["msg"]) for error in failure.errors(include_url=False)]
        unfit = {name for name, _ in problems}
        problems += [problem for problem in found if problem[0] not in unfit]
        # What these settings would be without the unfit ones is held against the rules too.
        wrong = {name for name, _ in found}
        rest = {name: value for name, value in given.items() if name not in wrong}
        settings = validate({"postgres_host": "unknown.invalid"} | rest)
    reported = {name for name, _ in problems}
    problems += [problem for problem in _broken_rules(settings) if problem[0] not in reported]
    if problems:
        raise ValidationError.from_exception_data(
            "Settings",
            [
                InitErrorDetails(type=PydanticCustomError(_OURS, "{text}", {"text": text}), loc=(name,), input=None)
                for name, text in problems
            ],
        )
    return settings


def _unfit_values(given: Mapping[str, object]) -> Iterator[_Problem]:
    secret = {name.setting.lower() for name in SecretName}
    for name, value in given.items():
        if not isinstance(value, str):
            continue
        if value.startswith(_REFERENCE):
            yield name, _UNRESOLVED
        elif name in secret and _PLACEHOLDER.fullmatch(value.strip()):
            yield name, "is a placeholder: put the secret itself there, or leave it out and set AZURE_KEY_VAULT_URL"


def _broken_rules(settings: Settings) -> Iterator[_Problem]:
    yield from _missing_or_malformed_secrets(settings)
    yield from _unsafe_database(settings)
    yield from _unsafe_addresses(settings)
    yield from _unusable_embedder(settings)
    yield from _unusable_telemetry(settings)


def _missing_or_malformed_secrets(settings: Settings) -> Iterator[_Problem]:
    secrets, vault = settings.secrets(), settings.azure_key_vault_url
    needed = [SecretName.TENANT_SIGNING_KEY]
    if settings.postgres_auth == "password":
        needed += [SecretName.POSTGRES_PASSWORD, SecretName.POSTGRES_APP_PASSWORD]
    if secrets[SecretName.REDIS_URL]:
        needed.append(SecretName.CACHE_ENCRYPTION_KEY)
    for name in needed:
        if not (secrets[name] or vault):
            yield name.setting.lower(), "is missing: set it, or AZURE_KEY_VAULT_URL, the vault that has it"
    key = secrets[SecretName.TENANT_SIGNING_KEY]
    if key and not _SIGNING_KEY.fullmatch(key):
        yield "tenant_signing_key", "must be a lower-case key id, a colon and 64 hex digits"
    fernet = secrets[SecretName.CACHE_ENCRYPTION_KEY]
    if fernet and not _FERNET_KEYS.fullmatch(fernet):
        yield "cache_encryption_key", "must be Fernet keys (32 bytes in URL-safe base64), comma separated"
    if secrets[SecretName.REDIS_URL] and not is_safe_redis(secrets[SecretName.REDIS_URL]):
        yield "redis_url", "must start with rediss:// (redis:// for a Redis on 127.0.0.1)"


def is_safe_redis(url: str) -> bool:
    """Whether what is sent there, the password too, is encrypted on the way or stays on this machine."""
    redis = urlsplit(url)
    return bool(redis.hostname) and (
        redis.scheme == "rediss" or (redis.scheme == "redis" and _is_loopback(redis.hostname or ""))
    )


def _unsafe_database(settings: Settings) -> Iterator[_Problem]:
    hosts = {settings.postgres_host, settings.postgres_reader_host or settings.postgres_host}
    if settings.postgres_sslmode == "disable" and not all(map(_is_loopback, hosts)):
        yield "postgres_sslmode", "POSTGRES_SSLMODE=disable is only allowed for a database on 127.0.0.1"
    if settings.calls_in_flight_per_principal >= settings.postgres_reader_pool_max:
        yield (
            "calls_in_flight_per_principal",
            "CALLS_IN_FLIGHT_PER_PRINCIPAL must be below POSTGRES_READER_POOL_MAX",
        )
    if settings.postgres_auth == "password":
        return
    if settings.postgres_sslmode == "disable":
        yield "postgres_auth", "POSTGRES_AUTH=entra sends a token, so it needs POSTGRES_SSLMODE=verify-full"
    if settings.on_azure:
        for name in ("azure_client_id", "azure_reader_client_id"):
            if not getattr(settings, name):
                yield name, "is missing: POSTGRES_AUTH=entra needs an identity for each login"
        if settings.azure_client_id and settings.azure_client_id == settings.azure_reader_client_id:
            yield "azure_reader_client_id", "must be another identity than AZURE_CLIENT_ID, which may write"


def _unsafe_addresses(settings: Settings) -> Iterator[_Problem]:
    if bool(settings.auth_entra_tenant_id) != bool(settings.auth_entra_client_id):
        yield "auth_entra_tenant_id", "AUTH_ENTRA_TENANT_ID and AUTH_ENTRA_CLIENT_ID go together"
    keys = urlsplit(settings.auth_jwks_url)
    local_keys = keys.scheme == "file" or _is_loopback(keys.hostname)
    if settings.auth_jwks_url and not (keys.scheme == "https" or (local_keys and keys.scheme in {"file", "http"})):
        yield "auth_jwks_url", "AUTH_JWKS_URL must start with https://"
    if local_keys and settings.on_azure:
        yield "auth_jwks_url", "AUTH_JWKS_URL must not be a file or loopback address on Azure"
    vault = urlsplit(settings.azure_key_vault_url)
    if settings.azure_key_vault_url and not (vault.scheme == "https" and vault.hostname):
        yield "azure_key_vault_url", "AZURE_KEY_VAULT_URL must start with https://"
    base = urlsplit(settings.public_base_url)
    plain = base.scheme == "http" and _is_loopback(base.hostname) and not settings.on_azure
    bare = settings.public_base_url == f"{base.scheme}://{base.netloc}"
    if settings.public_base_url and not ((base.scheme == "https" or plain) and base.hostname and bare):
        yield "public_base_url", "PUBLIC_BASE_URL must be https:// and a host name, without path or trailing slash"


def _unusable_embedder(settings: Settings) -> Iterator[_Problem]:
    endpoint = urlsplit(settings.azure_openai_endpoint)
    bare = settings.azure_openai_endpoint == f"https://{endpoint.netloc}" and endpoint.hostname
    if settings.azure_openai_endpoint and not bare:
        yield "azure_openai_endpoint", "AZURE_OPENAI_ENDPOINT must be https:// and a host name, without a path"
    elif settings.embedder == "azure" and not settings.azure_openai_endpoint:
        yield "azure_openai_endpoint", "EMBEDDER=azure needs AZURE_OPENAI_ENDPOINT"
    if settings.embedder == "minilm" and settings.on_azure:
        yield "embedder", "EMBEDDER=minilm is for a machine of your own: on Azure use azure, or hash"


def _unusable_telemetry(settings: Settings) -> Iterator[_Problem]:
    connection_string = settings.applicationinsights_connection_string.get_secret_value()
    try:
        if connection_string:
            Destination.parse(connection_string)
    except ValueError as problem:
        yield "applicationinsights_connection_string", f"cannot be used: {problem}"
    if settings.telemetry_backend == "azure_monitor" and find_spec("azure.monitor") is None:
        yield "telemetry_backend", "TELEMETRY_BACKEND=azure_monitor needs the packages of requirements-monitor.txt"


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
