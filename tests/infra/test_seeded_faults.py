"""What a person may get wrong in the Bicep, one mistake at a time, and how many of them the checks find.

Those without an answer here are the compiler's or Azure's to find; they are in the table all the same.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.infra.bicep.project import Project
from tests.infra.bicep.resources import check
from tests.infra.bicep.types import ResourceTypes, snapshot_file
from tests.infra.deployments import INFRA, PROFILES, deployment
from tests.infra.rules import RULES


@dataclass(frozen=True, slots=True)
class Fault:
    name: str
    file: str
    old: str
    new: str
    found: bool = True
    by_types: bool = False  # only with the snapshot of resource types


FAULTS = (
    Fault("brace-left-out", "modules/storage.bicep", "  sku: { name: private", "  sku: name: private"),
    Fault("string-without-an-end", "modules/postgres.bicep", "value: 'VECTOR'", "value: 'VECTOR"),
    Fault("name-of-a-parameter-misspelt", "modules/openai.bicep", "capacity: capacity", "capacity: capasity"),
    Fault("output-of-a-module-misspelt", "main.bicep", "postgres.outputs.host\n", "postgres.outputs.hostName\n"),
    Fault("parameter-of-a-module-misspelt", "main.bicep", "    appPool: size", "    apPool: size"),
    Fault(
        "parameter-of-a-module-left-out",
        "main.bicep",
        "    databaseName: databaseName\n    readerPool",
        "    readerPool",
    ),
    Fault("module-in-the-wrong-folder", "main.bicep", "'modules/workbook.bicep'", "'workbook.bicep'"),
    Fault("module-without-a-scope", "main.bicep", "  name: 'budget'\n  scope: group", "  name: 'budget'"),
    Fault("property-of-a-variable-misspelt", "main.bicep", "size.readerPool", "size.readersPool"),
    Fault("query-file-misspelt", "modules/alerts.bicep", "slow-calls.kql", "slow-call.kql"),
    Fault("wrong-literal-for-a-parameter", "modules/alerts.bicep", "every: 'PT1H'", "every: 'PT2H'"),
    Fault("number-in-quotes", "main.bicep", "embeddingCapacity: 120", "embeddingCapacity: '120'"),
    Fault("name-known-after-deployment", "modules/key-vault.bicep", "name: 'audit'", "name: vault.properties.vaultUri"),
    Fault("nested-resource-misspelt", "modules/network.bicep", "network::app.id", "network::apps.id"),
    Fault("unused-parameter", "modules/budget.bicep", "amount: amount", "amount: 50"),
    Fault("property-misspelt", "modules/postgres.bicep", "highAvailability:", "highAvailabilty:", by_types=True),
    Fault("enumeration-misspelt", "modules/postgres.bicep", "'Burstable'", "'Burstible'", by_types=True),
    Fault(
        "required-property-left-out", "modules/key-vault.bicep", "    tenantId: tenant().tenantId\n", "", by_types=True
    ),
    Fault("text-in-place-of-a-number", "modules/storage.bicep", "days: 7", "days: '7'", by_types=True),
    Fault(
        "unknown-version-of-a-type",
        "modules/storage.bicep",
        "Accounts@2025-08-01' = {",
        "Accounts@2025-08-10' = {",
        by_types=True,
    ),
    Fault("object-in-place-of-a-list", "modules/network.bicep", "['10.20.0.0/22']", "'10.20.0.0/22'", by_types=True),
    Fault("shared-keys-allowed", "modules/storage.bicep", "allowSharedKeyAccess: false", "allowSharedKeyAccess: true"),
    Fault("passwords-allowed", "modules/postgres.bicep", "passwordAuth: 'Disabled'", "passwordAuth: 'Enabled'"),
    Fault(
        "database-open-to-everybody",
        "modules/postgres.bicep",
        "endIpAddress: '0.0.0.0'",
        "endIpAddress: '255.255.255.255'",
    ),
    Fault(
        "key-in-an-output",
        "modules/redis.bicep",
        "output id string = cluster.id",
        "output id string = database.listKeys().primaryKey",
    ),
    Fault("setting-misspelt", "modules/function-app.bicep", "POSTGRES_READER_POOL_MAX", "POSTGRES_READER_POOL_SIZE"),
    Fault(
        "setting-that-flex-refuses",
        "modules/function-app.bicep",
        "AzureWebJobsDisableHomepage: 'true'",
        "AzureWebJobsDisableHomepage: 'true'\n        FUNCTIONS_WORKER_RUNTIME: 'python'",
    ),
    Fault("value-the-app-refuses", "modules/function-app.bicep", "'verify-full'", "'require'"),
    Fault("role-for-the-whole-group", "modules/roles.bicep", "  scope: openai\n", ""),
    Fault(
        "role-that-may-write",
        "modules/roles.bicep",
        "4633458b-17de-408a-b874-0445c86b69e6",
        "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
    ),
    Fault("pool-beyond-the-budget", "main.bicep", "readerPool: 2", "readerPool: 3"),
    Fault("fleet-beyond-the-budget", "main.bicep", "maximumInstances: 40", "maximumInstances: 60"),
    Fault("pooler-left-out", "modules/postgres.bicep", "        { name: 'pgbouncer.enabled', value: 'true' }\n", ""),
    Fault(
        "alert-that-tells-nobody",
        "modules/metric-alert.bicep",
        "actions: [{ actionGroupId: actionGroupId }]",
        "actions: []",
    ),
    Fault(
        "concurrency-left-at-its-default",
        "modules/function-app.bicep",
        "perInstanceConcurrency: 16",
        "perInstanceConcurrency: 1",
    ),
    Fault("standby-in-the-same-zone", "modules/postgres.bicep", "'ZoneRedundant'", "'SameZone'"),
    Fault("metric-misspelt", "modules/alerts.bicep", "'cpu_percent'", "'cpu_precent'", found=False),
    Fault("size-no-region-offers", "modules/postgres.bicep", "Standard_D2ds_v5", "Standard_D2ds_v55", found=False),
    Fault("property-of-an-unchecked-type", "modules/availability.bicep", "RetryEnabled", "RetryEnabeld", found=False),
)


def _problems(folder: Path, types: ResourceTypes | None) -> list[str]:
    found = [str(diagnostic) for diagnostic in check(Project(folder, types))]
    if found:
        return found
    deployments = [deployment(profile, folder) for profile in PROFILES]
    return [problem for deployed in deployments for rule in RULES for problem in rule(deployed)]


@pytest.fixture(scope="module")
def types() -> ResourceTypes | None:
    file = snapshot_file()
    return ResourceTypes(file) if file else None


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_fault_is_found(fault: Fault, types: ResourceTypes | None, tmp_path: Path) -> None:
    if fault.by_types and types is None:
        pytest.skip("no snapshot of resource types (ZAVA_BICEP_TYPES)")
    folder = tmp_path / "infra"
    shutil.copytree(INFRA, folder)
    source = (folder / fault.file).read_text("utf-8")
    assert fault.old in source
    (folder / fault.file).write_text(source.replace(fault.old, fault.new, 1), "utf-8")
    assert bool(_problems(folder, types)) is fault.found


def test_nine_faults_of_ten_are_found() -> None:
    assert len(FAULTS) >= 30
    assert sum(fault.found for fault in FAULTS) / len(FAULTS) >= 0.9
