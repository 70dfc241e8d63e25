"""The deployments the rules are held against: each profile, with and without what is optional."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.infra.bicep.evaluator import Deployment, evaluate
from tests.infra.bicep.project import Project

PROJECT = Path(__file__).resolve().parents[2]
INFRA = PROJECT / "infra"
PROFILES = ("small", "production")
_DEPLOYER = "00000000-0000-0000-0000-0000000000dd"
_WITHOUT_OPTIONS: dict[str, Any] = {"environmentName": "demo", "location": "westeurope", "principalId": _DEPLOYER}
_WITH_OPTIONS = _WITHOUT_OPTIONS | {
    "alertEmail": "operator@example.com",
    "authEntraClientId": "00000000-0000-0000-0000-00000000000a",
    "redis": True,
}


def deployment(profile: str, folder: Path = INFRA, *, options: bool = True) -> Deployment:
    """`options`: an app registration, alerts with a budget, and a Redis."""
    parameters = _WITH_OPTIONS if options else _WITHOUT_OPTIONS
    return evaluate(Project(folder, None), parameters | {"profile": profile})
