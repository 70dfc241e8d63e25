"""docs/operations.md has a row for every alert, every chart and every secret, and no other."""

from __future__ import annotations

import json
import re

from tests.infra.deployments import INFRA, PROJECT, deployment
from zava.platform.secret_names import SecretName

_PAGE = (PROJECT / "docs" / "operations.md").read_text("utf-8")


def _rows(heading: str) -> list[list[str]]:
    part = _PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in part.splitlines() if line.startswith("|")][2:]


def test_every_alert_is_explained_with_its_severity() -> None:
    deployed = deployment("production")
    alerts = [
        *deployed.of_type("Microsoft.Insights/scheduledQueryRules"),
        *deployed.of_type("Microsoft.Insights/metricAlerts"),
    ]
    expected = {f"`{alert.body['name']}`": str(alert.body["properties"]["severity"]) for alert in alerts}
    rows = _rows("Alerts")
    assert {row[0]: row[1] for row in rows} == expected
    assert [row[0] for row in rows if not row[2] or not row[3]] == []
    assert [int(row[1]) for row in rows] == sorted(int(row[1]) for row in rows), "the worst first"


def test_every_chart_of_the_workbook_is_explained_under_its_question() -> None:
    items = json.loads((INFRA / "workbook.json").read_text("utf-8"))["items"]
    question, expected = "", []
    for item in items:
        if item["content"].get("json", "").startswith("## "):
            question = item["content"]["json"].removeprefix("## ")
        elif "title" in item["content"]:
            expected.append([question, item["content"]["title"]])
            question = ""  # said once
    assert [row[:2] for row in _rows("The workbook")] == expected


def test_every_secret_has_a_way_to_be_replaced() -> None:
    assert [row[0] for row in _rows("Rotate the other secrets")] == [f"`{name}`" for name in SecretName]


def test_what_the_page_calls_a_chart_an_alert_or_a_section_is_one() -> None:
    alerts = {row[0] for row in _rows("Alerts")}
    assert set(re.findall(r"`alert-[a-z-]+`", _PAGE)) == alerts
    headings = {
        "#" + re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")
        for title in re.findall("^## (.*)$", _PAGE, re.M)
    }
    assert set(re.findall(r"\]\((#[a-z-]+)\)", _PAGE)) <= headings
    for file, anchor in re.findall(r"\]\(((?:\.\./)?[\w.-]+\.md)(?:#([\w-]+))?\)", _PAGE):
        text = (PROJECT / "docs" / file).read_text("utf-8")
        titles = {
            re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in re.findall("^#+ (.*)$", text, re.M)
        }
        assert not anchor or anchor in titles, (file, anchor)
