"""The example of a report, which the dashboard's tests show, has the shape of the real thing."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import TypeAdapter

from zava.services.performance_report import PerformanceReport

EXAMPLE = Path(__file__).resolve().parents[1] / "performance_report.json"


def test_the_example_is_a_report_with_nothing_more_and_nothing_less() -> None:
    document = json.loads(EXAMPLE.read_text("utf-8"))
    adapter = TypeAdapter(PerformanceReport)
    report = adapter.validate_python(document)
    assert adapter.dump_python(report, mode="json", exclude_none=True) == document
