"""The pipelines are what their hosts understand, and do what the documents say. Schemas come with check-jsonschema."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema.validators import validator_for

from tests.infra.deployments import PROJECT

GITHUB = PROJECT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
_FORMS = sorted(file for file in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if file.name != "config.yml")


def _schema(name: str) -> Any:
    package = importlib.util.find_spec("check_jsonschema")
    assert package is not None
    assert package.origin is not None
    folder = Path(package.origin).parent / "builtin_schemas" / "vendor"
    return json.loads((folder / f"{name}.json").read_text("utf-8"))


def _load(file: Path) -> Any:
    return yaml.safe_load(file.read_text("utf-8"))


def _with_text_keys(value: Any) -> Any:
    """YAML 1.1 reads the key `on` as true; GitHub does not."""
    if isinstance(value, dict):
        return {"on" if key is True else key: _with_text_keys(inner) for key, inner in value.items()}
    return [_with_text_keys(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("file", "schema"),
    [
        *((file, "github-workflows") for file in WORKFLOWS),
        *((file, "github-issue-forms") for file in _FORMS),
        (GITHUB / "ISSUE_TEMPLATE" / "config.yml", "github-issue-config"),
        (GITHUB / "dependabot.yml", "dependabot"),
        (PROJECT / "azure-pipelines.yml", "azure-pipelines"),
    ],
    ids=lambda value: value.name if isinstance(value, Path) else value,
)
def test_the_file_is_valid(file: Path, schema: str) -> None:
    definition = _schema(schema)
    loader = yaml.BaseLoader if schema == "azure-pipelines" else yaml.SafeLoader  # to Azure every scalar is a string
    content = _with_text_keys(yaml.load(file.read_text("utf-8"), Loader=loader))
    errors = validator_for(definition)(definition).iter_errors(content)
    assert [f"{error.json_path}: {error.message[:200]}" for error in errors] == []


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_a_workflow_may_do_nothing_it_does_not_need_and_ends(file: Path) -> None:
    workflow = _load(file)
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        assert "uses" in job or job["timeout-minutes"] <= 60, name
    # What an outsider writes (titles, branches) would run as a command of ours.
    assert re.findall(r"run: .*\$\{\{ *github\.(?:event|head_ref)", file.read_text("utf-8")) == []


def test_both_pipelines_run_what_people_run_and_the_real_compiler() -> None:
    for file in (GITHUB / "workflows" / "ci.yml", PROJECT / "azure-pipelines.yml"):
        text = file.read_text("utf-8")
        assert [step for step in (" .ci/run\n", "az bicep build", "az bicep lint") if step not in text] == [], file


def test_dependencies_are_audited_weekly_and_the_history_searched_for_secrets() -> None:
    security = (GITHUB / "workflows" / "security.yml").read_text("utf-8")
    audit = "pip-audit --strict --no-deps --disable-pip -r requirements.txt"
    for step in (audit, "make sbom", "gitleaks detect", "fetch-depth: 0", "codeql-action/analyze", "- cron:"):
        assert step in security, step
    assert audit in (PROJECT / "azure-pipelines.yml").read_text("utf-8")


def test_a_deployment_follows_the_checks_waits_for_approval_and_holds_no_secret() -> None:
    deploy = _load(GITHUB / "workflows" / "azure-dev.yml")["jobs"]["deploy"]
    assert (deploy["needs"], deploy["environment"]) == ("ci", "production")
    assert deploy["permissions"] == {"contents": "read", "id-token": "write"}
    azure = _load(PROJECT / "azure-pipelines.yml")["stages"][1]
    assert (azure["dependsOn"], azure["jobs"][0]["environment"]) == ("Check", "production")
    for file in (*WORKFLOWS, PROJECT / "azure-pipelines.yml"):
        assert "secrets." not in file.read_text("utf-8"), file
        assert not re.search(r"client[-_]secret|password", file.read_text("utf-8"), re.IGNORECASE), file


def test_a_deployment_gets_every_variable_that_azd_hands_to_pipelines() -> None:
    given = _load(GITHUB / "workflows" / "azure-dev.yml")["jobs"]["deploy"]["env"]
    assert set(_load(PROJECT / "azure.yaml")["pipeline"]["variables"]) <= set(given)


def test_dependencies_of_every_kind_are_watched() -> None:
    watched = {update["package-ecosystem"]: update for update in _load(GITHUB / "dependabot.yml")["updates"]}
    assert set(watched) == {"pip", "github-actions", "npm"}
    folders = {f"/{file.parent.relative_to(PROJECT)}" for file in PROJECT.glob("tests/*/package.json")}
    assert set(watched["npm"]["directories"]) == folders


def test_what_templates_of_azd_must_have_is_there() -> None:
    names = [
        *("README.md", "LICENSE", "SECURITY.md", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "azure.yaml"),
        *("infra/main.bicep", ".github/workflows/azure-dev.yml", ".github/pull_request_template.md"),
        *(".github/ISSUE_TEMPLATE/bug.yml", ".devcontainer/devcontainer.json"),
    ]
    assert [name for name in names if not (PROJECT / name).is_file()] == []
    headings = re.findall(r"^## (.*)$", (PROJECT / "README.md").read_text("utf-8"), re.MULTILINE)
    assert [name for name in ("Features", "Getting Started", "Guidance", "Resources") if name not in headings] == []


def test_the_dev_container_builds_from_what_is_there() -> None:
    folder = PROJECT / ".devcontainer"
    container = json.loads((folder / "devcontainer.json").read_text("utf-8"))
    assert (folder / container["build"]["dockerfile"]).is_file()
    makefile = (PROJECT / "Makefile").read_text("utf-8")
    assert f"\n{container['postCreateCommand'].removeprefix('make ')}:" in makefile
