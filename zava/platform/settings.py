"""Every setting, declared once: name, type, default, help. Documents, the example file and Bicep are tested against it.

Values come from environment variables of the same name in upper case (Functions app settings, `local.settings.json`,
or the laptop's start). Nothing here opens a socket or reads a secret store.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, ModelWrapValidatorHandler, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from zava.platform import settings_rules
from zava.platform.secret_names import SecretName

_SCOPE = re.compile(r"[!#-\[\]-~]+")  # RFC 6749, section 3.3


class SettingsError(Exception):
    """The settings are missing or unsafe. The message lists every problem, one a line, and holds no value."""


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="", case_sensitive=False, extra="ignore", frozen=True)

    postgres_host: str = Field(description="Host name or address of PostgreSQL.")
    postgres_reader_host: str = Field(
        "", description="Host of a read replica for SQL written by a model; empty: POSTGRES_HOST."
    )
    postgres_port: int = Field(5432, ge=1, le=65535, description="Port of PostgreSQL or of its pooler.")
    postgres_database: str = Field("zava", description="Database that holds the schemas retail, zava and guard.")
    postgres_sslmode: Literal["disable", "verify-full"] = Field(
        "verify-full", description="`verify-full` checks the server's certificate; `disable` is for loopback only."
    )
    postgres_auth: Literal["password", "entra"] = Field(
        "password",
        description="What the logins prove themselves with: a password each, or a token of Entra ID for a managed "
        "identity each (AZURE_READER_CLIENT_ID, AZURE_CLIENT_ID).",
    )
    postgres_reader_user: str = Field(
        "zava_reader", description="Login that runs SQL written by a model; can only read."
    )
    postgres_password: SecretStr = Field(
        SecretStr(""), description="Password of the reader login. Not read with POSTGRES_AUTH=entra."
    )
    postgres_app_user: str = Field(
        "zava_app", description="Login for Zava's own reads and writes; never runs a model's SQL."
    )
    postgres_app_password: SecretStr = Field(
        SecretStr(""), description="Password of the app login. Not read with POSTGRES_AUTH=entra."
    )
    postgres_reader_pool_max: int = Field(6, ge=1, le=50, description="Most connections of one worker for models' SQL.")
    postgres_app_pool_max: int = Field(
        2, ge=1, le=50, description="Most connections of one worker for Zava's own work."
    )
    tenant_signing_key: SecretStr = Field(
        SecretStr(""), description="Key that signs the tenant context: `<key id>:<64 hex digits>`."
    )
    azure_key_vault_url: str = Field(
        "",
        description="Key Vault that is asked for every secret that is not set here; its name there is the setting's in "
        "lower case with hyphens (`tenant-signing-key`).",
    )
    azure_client_id: str = Field(
        "",
        description="Client id of the app's user-assigned managed identity; empty: the system-assigned one.",
    )
    azure_reader_client_id: str = Field(
        "", description="Client id of the reader login's managed identity, for POSTGRES_AUTH=entra."
    )

    auth_issuer: str = Field("zava-auth", description="Issuer (`iss`) a token must name; not read with Entra ID.")
    auth_audience: str = Field("mcp-server", description="Audience (`aud`) a token must name; not read with Entra ID.")
    auth_jwks_url: str = Field(
        "",
        description="Where the issuer's public keys are: https, or file/loopback off Azure. Empty: Entra ID's own, "
        "or, without Entra ID, an operator's key. With none of these every call is answered 503.",
    )
    auth_public_key: str = Field(
        "",
        description="Public RSA key (PEM) that verifies an operator's tokens; read without Entra ID and AUTH_JWKS_URL.",
    )
    auth_entra_tenant_id: str = Field(
        "",
        description="Directory (tenant) id of Entra ID. With the client id it takes the place of issuer and audience.",
    )
    auth_entra_client_id: str = Field("", description="Application (client) id of the app registration in Entra ID.")
    auth_scopes: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Full names of the scopes clients are told to ask for, space separated. Empty: Zava's own."
    )
    public_base_url: str = Field(
        "", description="Address clients know this server by, without path. Empty: Azure's host name, or loopback."
    )

    redis_url: SecretStr = Field(
        SecretStr(""), description="Redis that shares cached answers between workers, `rediss://...`; optional."
    )
    cache_encryption_key: SecretStr = Field(
        SecretStr(""),
        description="Fernet key that encrypts what is kept in Redis; several, comma separated, while one takes the "
        "other's place: the first encrypts.",
    )

    mcp_allowed_origins: Annotated[frozenset[str], NoDecode] = Field(
        frozenset(), description="Browser origins that may call, comma separated; all others get 403."
    )
    rate_limit_per_minute: int = Field(
        120, ge=1, le=1_000_000, description="Calls one caller may make a minute, over all workers."
    )
    rate_limit_burst: int = Field(
        60, ge=1, le=100_000, description="How many of its calls a caller may make at once, over all workers."
    )
    flood_limit_per_second: int = Field(
        50,
        ge=1,
        le=100_000,
        description="Requests one address may send one worker a second, token or not; twice as many at once.",
    )
    query_max_rows: int = Field(1_000, ge=1, le=10_000, description="Most rows of one answer.")
    query_max_bytes: int = Field(65_536, ge=1_024, le=1_048_576, description="Most bytes of one answer's rows as JSON.")
    query_timeout_seconds: float = Field(10, gt=0, le=30, description="Longest a model's statement may run.")
    query_cache_seconds: float = Field(
        30,
        ge=0,
        le=300,
        description="How long an answer may be given again to callers of the same stores and rights; 0: never.",
    )
    query_cache_bytes: int = Field(
        16_777_216, ge=65_536, le=268_435_456, description="Memory of one worker for such answers."
    )
    slow_query_seconds: float = Field(
        1, gt=0, le=60, description="A query that takes longer is logged, by fingerprint."
    )
    request_timeout_seconds: float = Field(
        25, gt=0, le=200, description="Deadline of one call, all its steps together."
    )
    calls_in_flight_per_principal: int = Field(
        2, ge=1, description="Calls one caller may have running in one worker; others of its wait a second for a place."
    )

    embedder: Literal["azure", "minilm", "hash"] = Field(
        "hash",
        description="What turns text into vectors: `azure` (Azure OpenAI), `minilm` (a model on this machine; not on "
        "Azure), or `hash` (no model: search finds words and spellings, and says so).",
    )
    azure_openai_endpoint: str = Field(
        "", description="Azure OpenAI, `https://<resource>.openai.azure.com`. Needed for EMBEDDER=azure."
    )
    embedding_model_deployment_name: str = Field(
        "text-embedding-3-small",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
        description="Deployment of the embedding model; stored with every vector, so never give it another model.",
    )
    embedding_refresh_schedule: str = Field("0 0 * * * *", description="When embeddings are refreshed (NCRONTAB, UTC).")
    telemetry_backend: Literal["opencensus", "azure_monitor", "none"] = Field(
        "opencensus",
        description="What sends telemetry when there is a connection string: `opencensus`, `azure_monitor` (an extra: "
        "requirements-monitor.txt), or `none`.",
    )
    applicationinsights_connection_string: SecretStr = Field(
        SecretStr(""), description="Application Insights that telemetry goes to; empty: none is sent."
    )
    applicationinsights_authentication_string: str = Field(
        "",
        description="`Authorization=AAD` sends telemetry with the managed identity's token, as Azure Functions' own "
        "host does; needed where the resource takes nothing else.",
    )
    telemetry_sampling_rate: float = Field(
        1, gt=0, le=1, description="Share of traces that are sent. Logs, events and metrics are always sent."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least level that is logged.")

    website_instance_id: str = Field("", description="Set by Azure on its own machines; never set it yourself.")
    website_site_name: str = Field(
        "", description="Set by Azure, also where WEBSITE_INSTANCE_ID is not (Flex Consumption)."
    )
    website_hostname: str = Field("", description="Host name of the function app, set by Azure (and by Core Tools).")

    @property
    def on_azure(self) -> bool:
        return bool(self.website_instance_id or self.website_site_name)

    @property
    def base_url(self) -> str:
        """The server's own address without a trailing slash; empty on a laptop that sets none."""
        return self.public_base_url or (f"https://{self.website_hostname}" if self.on_azure else "")

    def secrets(self) -> dict[SecretName, str]:
        """The secrets that are set here, the empty ones too."""
        values = {name: getattr(self, name.setting.lower()) for name in SecretName}
        return {
            name: value.get_secret_value() if isinstance(value, SecretStr) else value for name, value in values.items()
        }

    @field_validator("mcp_allowed_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return frozenset(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("auth_scopes", mode="before")
    @classmethod
    def _split_scopes(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        scopes = tuple(value.split())
        if not all(_SCOPE.fullmatch(scope) for scope in scopes):
            raise ValueError("a scope is printable ASCII without quotes and backslashes")
        return scopes

    @field_validator("azure_openai_endpoint")
    @classmethod
    def _without_slash(cls, value: str) -> str:
        return value.removesuffix("/")  # Azure's own outputs end in one

    @field_validator("auth_entra_tenant_id", "auth_entra_client_id", "azure_client_id", "azure_reader_client_id")
    @classmethod
    def _as_entra_writes_ids(cls, value: str) -> str:
        return str(UUID(value)) if value else ""

    @model_validator(mode="wrap")
    @classmethod
    def _all_problems_at_once(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        return settings_rules.checked(values, handler)


@cache
def load() -> Settings:
    """Read the settings of this process, once.

    Raises:
        SettingsError: with every missing or unsafe setting, one a line; no value is repeated.
    """
    try:
        return Settings()  # pyright: ignore[reportCallIssue]  (values come from the environment)
    except ValidationError as problem:
        lines = [
            f"- {'.'.join(str(part) for part in error['loc']).upper()}: {error['msg']}"
            for error in problem.errors(include_input=False, include_url=False)
        ]
        raise SettingsError("Zava cannot start, its settings need mending:\n" + "\n".join(lines)) from None
