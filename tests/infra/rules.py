"""What must be true of everything that is deployed. A rule returns what it finds wrong, one sentence each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from tests.infra.bicep.evaluator import Deployed, Deployment
from zava.platform.settings import Settings

POSTGRES = "Microsoft.DBforPostgreSQL/flexibleServers"
_RESERVED_BY_THE_SERVER = 15  # of max_connections, for replication and monitoring
_POOLER_PORT = "6432"

ROLES = {
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Storage Blob Data Owner",
    "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": "Storage Table Data Contributor",
    "4633458b-17de-408a-b874-0445c86b69e6": "Key Vault Secrets User",
    "b86a8fe4-44ce-4948-aee5-eccb2c155cd7": "Key Vault Secrets Officer",
    "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd": "Cognitive Services OpenAI User",
    "3913510d-42f4-4e42-8a64-420c390055eb": "Monitoring Metrics Publisher",
}
ROLE_ASSIGNMENTS = {
    ("app", "Storage Blob Data Owner", "storage"),
    ("app", "Storage Table Data Contributor", "storage"),
    ("app", "Key Vault Secrets User", "vault"),
    ("app", "Cognitive Services OpenAI User", "openai"),
    ("app", "Monitoring Metrics Publisher", "insights"),
    ("deployer", "Key Vault Secrets Officer", "vault"),
    ("deployer", "Cognitive Services OpenAI User", "openai"),
}
"""Who, which role, at which resource; docs/deployment.md gives each reason."""

SETTINGS_OF_THE_HOST = {
    "AzureWebJobsStorage__blobServiceUri",
    "AzureWebJobsStorage__tableServiceUri",
    "AzureWebJobsStorage__credential",
    "AzureWebJobsStorage__clientId",
    "AzureWebJobsDisableHomepage",
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
}
_REFUSED_BY_FLEX = (
    *("FUNCTIONS_WORKER_RUNTIME", "FUNCTIONS_EXTENSION_VERSION", "FUNCTIONS_WORKER_PROCESS_COUNT"),
    *("WEBSITE_RUN_FROM_PACKAGE", "WEBSITE_CONTENT", "WEBSITE_TIME_ZONE", "TZ", "WEBSITE_MAX_DYNAMIC"),
    *("SCM_DO_BUILD_DURING_DEPLOYMENT", "ENABLE_ORYX_BUILD", "AzureWebJobsDashboard", "LINUXFXVERSION"),
)
"""Beginnings of names; https://learn.microsoft.com/azure/azure-functions/functions-app-settings"""
_ALWAYS: tuple[tuple[str, str, object], ...] = (
    ("Microsoft.Storage/storageAccounts", "allowSharedKeyAccess", False),
    ("Microsoft.Storage/storageAccounts", "allowBlobPublicAccess", False),
    ("Microsoft.Storage/storageAccounts", "minimumTlsVersion", "TLS1_2"),
    ("Microsoft.Storage/storageAccounts", "supportsHttpsTrafficOnly", True),
    ("Microsoft.KeyVault/vaults", "enableRbacAuthorization", True),
    ("Microsoft.KeyVault/vaults", "enableSoftDelete", True),
    (POSTGRES, "version", "17"),
    (POSTGRES, "authConfig.activeDirectoryAuth", "Enabled"),
    (POSTGRES, "authConfig.passwordAuth", "Disabled"),
    ("Microsoft.CognitiveServices/accounts", "disableLocalAuth", True),
    ("Microsoft.CognitiveServices/accounts/deployments", "versionUpgradeOption", "NoAutoUpgrade"),
    ("Microsoft.Insights/components", "DisableLocalAuth", True),
    ("Microsoft.OperationalInsights/workspaces", "features.disableLocalAuth", True),
    ("Microsoft.Web/sites", "httpsOnly", True),
    ("Microsoft.Web/sites", "siteConfig.minTlsVersion", "1.2"),
    ("Microsoft.Web/sites", "siteConfig.ftpsState", "Disabled"),
    ("Microsoft.Web/sites", "functionAppConfig.runtime", {"name": "python", "version": "3.13"}),
    ("Microsoft.Web/sites", "functionAppConfig.deployment.storage.authentication.type", "UserAssignedIdentity"),
    ("Microsoft.Web/sites", "functionAppConfig.scaleAndConcurrency.triggers.http.perInstanceConcurrency", 16),
    ("Microsoft.Cache/redisEnterprise", "minimumTlsVersion", "1.2"),
    ("Microsoft.Cache/redisEnterprise/databases", "clientProtocol", "Encrypted"),
)
_OPTIONAL = {"Microsoft.Cache/redisEnterprise", "Microsoft.Cache/redisEnterprise/databases"}
_IN_PRODUCTION: tuple[tuple[str, str, object], ...] = (
    ("Microsoft.Storage/storageAccounts", "publicNetworkAccess", "Disabled"),
    ("Microsoft.KeyVault/vaults", "publicNetworkAccess", "Disabled"),
    ("Microsoft.KeyVault/vaults", "enablePurgeProtection", True),
    ("Microsoft.CognitiveServices/accounts", "publicNetworkAccess", "Disabled"),
    ("Microsoft.Cache/redisEnterprise", "publicNetworkAccess", "Disabled"),
    (POSTGRES, "network.publicNetworkAccess", "Disabled"),
    (POSTGRES, "highAvailability.mode", "ZoneRedundant"),
    (POSTGRES, "backup.geoRedundantBackup", "Enabled"),
)
_DATABASE_PARAMETERS = {
    "azure.extensions": "VECTOR",
    "require_secure_transport": "ON",
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_error_verbosity": "terse",
}
_OBSERVED = {
    "Microsoft.Storage/storageAccounts",
    "Microsoft.KeyVault/vaults",
    POSTGRES,
    "Microsoft.CognitiveServices/accounts",
    "Microsoft.Web/sites",
    "Microsoft.Cache/redisEnterprise",
}
ALERTS = {
    *("alert-availability", "alert-server-errors", "alert-slow-calls", "alert-isolation", "alert-sign-ins"),
    *("alert-refresh-failed", "alert-refresh-late", "alert-database-connections", "alert-database-refusals"),
    *("alert-database-processor", "alert-database-storage", "alert-embedding-errors"),
}
_ALERTS_OF_THE_POOLER = {"alert-pooler-queue"}


def is_production(deployed: Deployment) -> bool:
    return bool(deployed.outputs["PRIVATE_NETWORKING"])


def keyless_and_encrypted(deployed: Deployment) -> Iterator[str]:
    for kind, path, expected in (*_ALWAYS, *(_IN_PRODUCTION if is_production(deployed) else ())):
        resources = deployed.of_type(kind)
        if not resources and kind not in _OPTIONAL:
            yield f"there is no {kind}"
        for resource in resources:
            value: Any = resource.properties
            for name in path.split("."):
                value = value.get(name) if isinstance(value, dict) else None
            if value != expected:
                yield f"{resource.module}: {path} must be {expected!r}, not {value!r}"
    parameters = database_parameters(deployed)
    for name, expected in _DATABASE_PARAMETERS.items():
        if parameters.get(name) != expected:
            yield f"the database parameter {name} must be {expected!r}"
    for rule in deployed.of_type(f"{POSTGRES}/firewallRules"):
        if is_production(deployed) or set(rule.properties.values()) != {"0.0.0.0"}:
            yield f"the database is open to {sorted(rule.properties.values())}"


def settings_are_the_apps_own(deployed: Deployment) -> Iterator[str]:
    given = app_settings(deployed)
    for name in given:
        if name.upper().startswith(tuple(refused.upper() for refused in _REFUSED_BY_FLEX)):
            yield f"Flex Consumption refuses the setting {name}"
        if name not in SETTINGS_OF_THE_HOST and name.lower() not in Settings.model_fields:
            yield f"there is no setting {name}"
        field = Settings.model_fields.get(name.lower())
        if field is not None and "Secret" in str(field.annotation) and name not in SETTINGS_OF_THE_HOST:
            yield f"the secret {name} belongs into the vault"
    for name in sorted(SETTINGS_OF_THE_HOST - set(given)):
        yield f"the host's setting {name} is missing"
    try:
        Settings.model_validate(
            {name.lower(): value for name, value in given.items()} | {"website_site_name": "func-mcp"}
        )
    except ValidationError as problem:
        yield from (f"the app refuses its settings: {error['loc']} {error['msg']}" for error in problem.errors())


def connections_fit(deployed: Deployment) -> Iterator[str]:
    needed, limit = connection_budget(deployed)
    if needed > limit:
        yield f"the fleet may open {needed} connections, the database admits {limit}"
    given, parameters = app_settings(deployed), database_parameters(deployed)
    limits = {login: int(deployed.outputs[f"POSTGRES_{login}_CONNECTION_LIMIT"]) for login in ("READER", "APP")}
    if given["POSTGRES_PORT"] == _POOLER_PORT:
        if parameters.get("pgbouncer.enabled") != "true" or parameters.get("pgbouncer.pool_mode") != "transaction":
            yield "the app asks for a pooler that is not there"
        if min(limits.values()) < int(parameters.get("pgbouncer.default_pool_size", 0)):
            yield "a login may open fewer connections than its pool in the pooler"
    else:
        for login, most in limits.items():
            if fleet(deployed) * pool(given, login) > most:
                yield f"the {login} login may open fewer connections than the fleet"
    if sum(limits.values()) > 0.8 * user_connections(deployed):
        yield "the logins' limits leave too little for the administrator"


def fleet(deployed: Deployment) -> int:
    """Most workers that can be there at once: on demand, always ready, and the timer's own."""
    scale = deployed.one("Microsoft.Web/sites").properties["functionAppConfig"]["scaleAndConcurrency"]
    return scale["maximumInstanceCount"] + sum(group["instanceCount"] for group in scale["alwaysReady"]) + 1


def connection_budget(deployed: Deployment, instances: int | None = None) -> tuple[int, int]:
    """How many connections the fleet may open, and how many are admitted. `instances` in place of the fleet's own."""
    given = app_settings(deployed)
    workers = fleet(deployed) if instances is None else instances
    needed = workers * (pool(given, "READER") + pool(given, "APP"))
    if given["POSTGRES_PORT"] == _POOLER_PORT:
        return needed, int(database_parameters(deployed)["pgbouncer.max_client_conn"])
    return needed, int(0.8 * user_connections(deployed))


def pool(given: Mapping[str, str], login: str) -> int:
    """Most connections of one worker under this login; what is not set has the app's default."""
    name = f"POSTGRES_{login}_POOL_MAX"
    return int(given.get(name, Settings.model_fields[name.lower()].default))


def user_connections(deployed: Deployment) -> int:
    return int(database_parameters(deployed)["max_connections"]) - _RESERVED_BY_THE_SERVER


def roles_are_the_listed_ones(deployed: Deployment) -> Iterator[str]:
    holders = {
        deployed.outputs["APP_IDENTITY_OBJECT_ID"]: "app",
        deployed.outputs["READER_IDENTITY_OBJECT_ID"]: "reader",
    }
    found: set[tuple[str, str, str]] = set()
    for assignment in deployed.of_type("Microsoft.Authorization/roleAssignments"):
        role = ROLES.get(assignment.properties["roleDefinitionId"].rsplit("/", 1)[1], "an unknown role")
        scope = assignment.body.get("scope")
        target = scope["id"].split("/")[2] if scope else "the whole group"
        names = {"storageAccounts": "storage", "vaults": "vault", "accounts": "openai", "components": "insights"}
        holder = holders.get(assignment.properties["principalId"], "deployer")
        found.add((holder, role, names.get(target, target)))
    for holder, role, target in sorted(found - ROLE_ASSIGNMENTS):
        yield f"{holder} has {role} at {target}, which is not listed"
    for holder, role, target in sorted(ROLE_ASSIGNMENTS - found):
        yield f"{holder} lacks {role} at {target}"


def everything_is_observed(deployed: Deployment) -> Iterator[str]:
    settings = deployed.of_type("Microsoft.Insights/diagnosticSettings")
    observed = {setting.body["scope"]["id"].rpartition("/")[0].strip("/") for setting in settings}
    yield from (f"{kind} has no diagnostic settings" for kind in sorted(_OBSERVED - observed))
    alerts = [*deployed.of_type("Microsoft.Insights/metricAlerts"), *_log_alerts(deployed)]
    expected = ALERTS | (_ALERTS_OF_THE_POOLER if is_production(deployed) else set[str]())
    names = {alert.body["name"] for alert in alerts}
    yield from (f"{name} is {'missing' if name in expected else 'not listed'}" for name in sorted(names ^ expected))
    (group,) = deployed.of_type("Microsoft.Insights/actionGroups")
    for alert in alerts:
        if group.body["name"] not in str(alert.properties["actions"]):
            yield f"{alert.body['name']} tells nobody"
        if not alert.properties["enabled"]:
            yield f"{alert.body['name']} is off"
    if not deployed.of_type("Microsoft.Consumption/budgets"):
        yield "there is no budget"
    if not deployed.of_type("Microsoft.Insights/workbooks"):
        yield "there is no workbook"


def _log_alerts(deployed: Deployment) -> list[Deployed]:
    return deployed.of_type("Microsoft.Insights/scheduledQueryRules")


def app_settings(deployed: Deployment) -> dict[str, str]:
    return deployed.one("Microsoft.Web/sites/config", "settings").properties


def database_parameters(deployed: Deployment) -> dict[str, str]:
    return {
        parameter.body["name"]: parameter.properties["value"]
        for parameter in deployed.of_type(f"{POSTGRES}/configurations")
    }


RULES: tuple[Callable[[Deployment], Iterator[str]], ...] = (
    keyless_and_encrypted,
    settings_are_the_apps_own,
    connections_fit,
    roles_are_the_listed_ones,
    everything_is_observed,
)
