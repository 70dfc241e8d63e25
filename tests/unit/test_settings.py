"""Settings are declared once: documents and the example file say the same, and problems are listed all at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

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
