"""Every rule holds for everything that can be deployed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import pytest

from tests.infra.bicep.evaluator import Deployment
from tests.infra.bicep.project import Project
from tests.infra.deployments import INFRA, PROFILES, PROJECT, deployment
from tests.infra.rules import RULES, app_settings, everything_is_observed
from zava.platform.settings import Settings


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_rule_holds(rule: Callable[[Deployment], Iterator[str]], profile: str) -> None:
    assert list(rule(deployment(profile))) == []


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    "rule", [rule for rule in RULES if rule is not everything_is_observed], ids=lambda rule: rule.__name__
)
def test_the_rule_holds_without_anything_optional(rule: Callable[[Deployment], Iterator[str]], profile: str) -> None:
    assert list(rule(deployment(profile, options=False))) == []


def test_without_an_app_registration_nothing_tells_the_app_to_trust_anybody() -> None:
    """It then verifies the operator's key of the vault, or answers 503 (tests/integration/test_operator_key.py)."""
    given = app_settings(deployment("small", options=False))
    assert {name for name in given if name.startswith("AUTH_")} == set()
    settings = Settings.model_validate({name.lower(): value for name, value in given.items()})
    assert (settings.auth_jwks_url, settings.auth_entra_client_id) == ("", "")
    assert settings.azure_key_vault_url.startswith("https://")


@pytest.mark.parametrize("profile", PROFILES)
def test_no_output_and_no_setting_holds_a_key(profile: str) -> None:
    deployed = deployment(profile)
    assert "key-of-redis" not in json.dumps([deployed.outputs, app_settings(deployed)])
    secret = re.compile(r"password|secret|token|connection_?string|account_?key|instrumentation", re.IGNORECASE)
    assert [name for name in deployed.outputs if secret.search(name)] == []
    # The one string that is called so names Application Insights, which accepts no key.
    assert [name for name in app_settings(deployed) if secret.search(name)] == ["APPLICATIONINSIGHTS_CONNECTION_STRING"]


def test_the_two_identities_are_the_apps_alone_and_differ() -> None:
    deployed = deployment("production")
    site = deployed.one("Microsoft.Web/sites").body["identity"]
    assert site["type"] == "UserAssigned"
    assert len(site["userAssignedIdentities"]) == 2
    given = app_settings(deployed)
    assert given["AZURE_CLIENT_ID"] != given["AZURE_READER_CLIENT_ID"]


def test_a_private_network_reaches_everything_the_app_uses() -> None:
    zones = {zone.body["name"] for zone in deployment("production").of_type("Microsoft.Network/privateDnsZones")}
    assert zones == {
        "privatelink.blob.core.windows.net",
        "privatelink.table.core.windows.net",
        "privatelink.vaultcore.azure.net",
        "privatelink.postgres.database.azure.com",
        "privatelink.openai.azure.com",
        "privatelink.redis.azure.net",
    }
    assert deployment("small").of_type("Microsoft.Network/privateEndpoints") == []


def test_azd_gives_every_parameter_that_has_no_default_and_no_other() -> None:
    parameters = Project(INFRA, None).file(INFRA / "main.bicep").parameters
    given = json.loads((INFRA / "main.parameters.json").read_text("utf-8"))["parameters"]
    assert set(given) <= set(parameters)
    assert {name for name, parameter in parameters.items() if parameter.required} <= set(given)


def test_alerts_and_the_workbook_ask_for_names_that_telemetry_has() -> None:
    documented = (PROJECT / "docs" / "telemetry.md").read_text("utf-8")
    known = {
        name for row in re.findall(r"^\|(.*?)\|", documented, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    }
    workbook = json.loads((INFRA / "workbook.json").read_text("utf-8"))
    queries = [item["content"]["query"] for item in workbook["items"] if "query" in item["content"]]
    queries += [file.read_text("utf-8") for file in (INFRA / "queries").glob("*.kql")]
    asked: set[str] = set()
    for query in queries:
        for source, condition in re.findall(r"(customMetrics|customEvents)\s*\|\s*where name ([^|]*)", query):
            names = re.findall(r"'(\w+)'", condition.split("customDimensions")[0])
            assert names, f"{source} without a name: {query}"
            asked |= set(names)
    assert asked - known == set()
    assert len(asked) >= 12


def test_every_query_file_is_used_by_an_alert() -> None:
    alerts = (INFRA / "modules" / "alerts.bicep").read_text("utf-8")
    assert {file.name for file in (INFRA / "queries").glob("*.kql")} == set(
        re.findall(r"queries/([\w-]+\.kql)", alerts)
    )
