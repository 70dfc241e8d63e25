"""These tests run on Microsoft's own Functions runtime, which exists for Python 3.13 and newer: `make runtime`."""

from __future__ import annotations

import importlib.util
import sys

import pytest


@pytest.fixture(scope="session", autouse=True)
def microsofts_runtime() -> None:
    if sys.version_info < (3, 13):
        pytest.skip("azure-functions-runtime needs Python 3.13: make runtime PYTHON=python3.13")
    if importlib.util.find_spec("azure_functions_runtime") is None:
        pytest.skip("azure-functions-runtime is not installed: make runtime")
