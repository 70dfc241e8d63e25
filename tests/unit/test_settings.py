"""Settings are declared once: documents and the example file say the same, and problems are listed all at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from zava.platform import settings as module
from zava.platform.settings import Settings, SettingsError

PROJECT = Path(__file__).resolve().parents[2]
# What Azure itself sets, and nobody else may.
_BY_AZURE = {"website_instance_id", "website_site_name", "website_hostname"}
_BY_THE_HOST = {"FUNCTIONS_WORKER_RUNTIME", "AzureWebJobsStorage", "AzureWebJobsDisableHomepage"}


def _documented_line(name: str) -> str:
    field = Settings.model_fields[name]
    if field.is_required():
        default = "required"
    elif not field.default:
        default = ""
    else:
        default = f"`{field.default}`"
    secret = "yes" if "Secret" in str(field.annotation) else ""
    return f"| `{name.upper()}` | {default} | {secret} | {field.description} |"


def test_the_document_lists_every_setting_with_its_default_and_help() -> None:
    lines = (PROJECT / "docs" / "settings.md").read_text("utf-8").splitlines()
    documented = [line for line in lines if line.startswith("| `")]
    assert documented == [_documented_line(name) for name in Settings.model_fields if name not in _BY_AZURE]


def test_the_example_file_names_only_settings_and_every_required_one() -> None:
    values = json.loads((PROJECT / "local.settings.json.example").read_text("utf-8"))["Values"]
    named = set(values) - _BY_THE_HOST
    assert named <= {name.upper() for name in Settings.model_fields}
    assert named >= {name.upper() for name, field in Settings.model_fields.items() if field.is_required()}
    for name, field in Settings.model_fields.items():
        if name.upper() in named and not field.is_required() and values[name.upper()]:
            assert values[name.upper()] == str(field.default) or name == "postgres_sslmode", name


def test_all_problems_are_listed_at_once_and_no_value_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("POSTGRES_HOST", "db.example")
    monkeypatch.setenv("POSTGRES_PORT", "no-number-secret")
    monkeypatch.setenv("QUERY_MAX_ROWS", "0")
    module.load.cache_clear()
    try:
        with pytest.raises(SettingsError) as caught:
            module.load()
    finally:
        module.load.cache_clear()
    named = [line.split(":")[0] for line in str(caught.value).splitlines()[1:]]
    assert sorted(named) == [
        "- POSTGRES_APP_PASSWORD",
        "- POSTGRES_PASSWORD",
        "- POSTGRES_PORT",
        "- QUERY_MAX_ROWS",
        "- TENANT_SIGNING_KEY",
    ]
    assert "no-number-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"postgres_host": "db.example", "postgres_sslmode": "disable"}, "only allowed for a database on 127.0.0.1"),
        ({"calls_in_flight_per_principal": "6"}, "must be below POSTGRES_READER_POOL_MAX"),
        ({"query_timeout_seconds": "31"}, "less than or equal to 30"),
        ({"applicationinsights_connection_string": "InstrumentationKey=1"}, "no InstrumentationKey that is a GUID"),
    ],
)
def test_an_unsafe_setting_stops_the_start(changes: dict[str, str], problem: str) -> None:
    required = {
        "postgres_host": "127.0.0.1",
        "postgres_password": "p",
        "postgres_app_password": "p",
        "tenant_signing_key": "k1:" + "0" * 64,
    }
    with pytest.raises(ValueError, match=problem):
        Settings.model_validate(required | changes)


_ENTRA = {
    "postgres_host": "db.example",
    "postgres_auth": "entra",
    "website_site_name": "zava",
    "azure_key_vault_url": "https://zava.vault.azure.net",
    "azure_client_id": "11111111-2222-3333-4444-555555555555",
    "azure_reader_client_id": "66666666-7777-8888-9999-aaaaaaaaaaaa",
}


def test_with_entra_and_a_vault_no_secret_is_required() -> None:
    settings = Settings.model_validate(_ENTRA)
    assert not any(settings.secrets().values())


def test_each_setting_names_its_own_problem_and_rules_count_beside_wrong_values() -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(
            {
                "postgres_password": "@Microsoft.KeyVault(SecretUri=https://zava.vault.azure.net/secrets/p/)",
                "postgres_app_password": "<your-password>",
                "postgres_port": "x",
                "tenant_signing_key": "k1:short",
                "redis_url": "redis://cache.example",
                "embedder": "azure",
                "azure_client_id": "none",
            }
        )
    assert sorted((str(error["loc"][0]), error["msg"][:31]) for error in caught.value.errors()) == [
        ("azure_client_id", "Value error, badly formed hexad"),
        ("azure_openai_endpoint", "EMBEDDER=azure needs AZURE_OPEN"),
        ("cache_encryption_key", "is missing: set it, or AZURE_KE"),
        ("postgres_app_password", "is a placeholder: put the secre"),
        ("postgres_host", "Field required"),
        ("postgres_password", "is a Key Vault reference that A"),
        ("postgres_port", "Input should be a valid integer"),
        ("redis_url", "must start with rediss:// (redi"),
        ("tenant_signing_key", "must be a lower-case key id, a "),
    ]
    assert all(error["input"] is None for error in caught.value.errors())


@pytest.mark.parametrize("value", ["changeme", "CHANGE-ME", "<secret>", "${PASSWORD}", "your-password", "xxxx", "TODO"])
def test_what_manuals_put_where_a_secret_belongs_stops_the_start(value: str) -> None:
    with pytest.raises(ValueError, match="is a placeholder"):
        Settings.model_validate(_ENTRA | {"postgres_password": value})


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"postgres_sslmode": "disable", "postgres_host": "127.0.0.1"}, "needs POSTGRES_SSLMODE=verify-full"),
        ({"azure_client_id": ""}, "needs an identity for each login"),
        ({"azure_reader_client_id": _ENTRA["azure_client_id"]}, "must be another identity than AZURE_CLIENT_ID"),
        ({"azure_key_vault_url": ""}, "tenant_signing_key\n +is missing"),
        ({"log_level": "@Microsoft.KeyVault(x)"}, "is a Key Vault reference that Azure did not resolve"),
        ({"cache_encryption_key": "short"}, "must be Fernet keys"),
        ({"postgres_sslmode": "disable", "postgres_reader_host": "10.0.0.5"}, "only allowed for a database on 127"),
    ],
)
def test_what_entra_and_secrets_need_is_checked(changes: dict[str, str], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Settings.model_validate(_ENTRA | changes)
