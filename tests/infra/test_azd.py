"""azd accepts the project: azure.yaml by its schema, and what it names is there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft201909Validator

from scripts.postprovision import Deployment
from tests.infra.bicep.project import Project
from tests.infra.deployments import INFRA, PROFILES, PROJECT, deployment

_SCHEMA = json.loads((Path(__file__).parent / "schemas" / "azure.yaml.v1.json").read_text("utf-8"))


def _azure_yaml() -> dict[str, Any]:
    return yaml.safe_load((PROJECT / "azure.yaml").read_text("utf-8"))


def test_azure_yaml_is_valid() -> None:
    validator = Draft201909Validator(_SCHEMA)
    assert [error.message for error in validator.iter_errors(_azure_yaml())] == []


def test_azure_yaml_has_no_key_that_azd_would_pass_over() -> None:
    """The schema admits unknown keys at the root, and azd ignores them."""
    assert set(_azure_yaml()) <= set(_SCHEMA["properties"])


def test_the_service_is_the_site_that_bears_its_name() -> None:
    azure = _azure_yaml()
    site = deployment("small").one("Microsoft.Web/sites")
    assert set(azure["services"]) == {site.body["tags"]["azd-service-name"]}
    assert azure["services"]["mcp"] | {"project": "."} == {
        "project": ".",
        "language": "python",
        "host": "function",
        "remoteBuild": True,
    }
    assert deployment("small").outputs["SERVICE_MCP_NAME"] == site.body["name"]


def test_every_hook_is_a_python_file_that_is_there() -> None:
    for hook in _azure_yaml().get("hooks", {}).values():
        assert hook["kind"] == "python"
        assert (PROJECT / hook["run"]).is_file()


def test_the_pipeline_passes_on_what_the_parameters_read() -> None:
    """azd gives its own variables by itself; SAMPLE_DATA is the hook's."""
    given = json.loads((INFRA / "main.parameters.json").read_text("utf-8"))["parameters"]
    variables = {entry["value"].strip("${}").partition("=")[0] for entry in given.values()}
    own = {name for name in variables if not name.startswith("AZURE_")}
    assert set(_azure_yaml()["pipeline"]["variables"]) == own | {"SAMPLE_DATA"}


def test_every_value_that_the_documents_set_is_read() -> None:
    """README.md, deployment.md and the others; azd itself is not here to run them."""
    given = (INFRA / "main.parameters.json").read_text("utf-8") + (PROJECT / "scripts/postprovision.py").read_text(
        "utf-8"
    )
    pages = [PROJECT / "README.md", *(PROJECT / "docs").glob("*.md")]
    named = {name for page in pages for name in re.findall(r"azd env set ([A-Z_]+) ", page.read_text("utf-8"))}
    assert len(named) > 4
    assert {name for name in named - {"NAME"} if not re.search(rf"\b{name}\b", given)} == set()


def test_the_defaults_azd_gives_are_those_of_the_bicep() -> None:
    parameters = Project(INFRA, None).file(INFRA / "main.bicep").parameters
    given = json.loads((INFRA / "main.parameters.json").read_text("utf-8"))["parameters"]
    for name, entry in given.items():
        _, found, default = entry["value"].strip("${}").partition("=")
        if found:
            declared = parameters[name].default
            literal = getattr(declared, "literal", None)
            value = literal if literal is not None else json.dumps(getattr(declared, "value", None))
            assert value == default, name


def test_the_hook_finds_every_value_it_needs_among_the_outputs() -> None:
    own = {"AZURE_SUBSCRIPTION_ID": "sub", "AZURE_ENV_NAME": "demo"}
    for profile in PROFILES:
        outputs = {
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in deployment(profile).outputs.items()
        }
        found = Deployment.of(outputs | own)
        assert found.private_networking is (profile == "production")
        assert (found.reader_object_id, found.app_object_id) == (
            outputs["READER_IDENTITY_OBJECT_ID"],
            outputs["APP_IDENTITY_OBJECT_ID"],
        )
