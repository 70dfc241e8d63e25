"""What a test does without a service it needs: on a laptop it is skipped, where CI has promised everything it fails."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NoReturn

import pytest


def missing(problem: str) -> NoReturn:
    """End the test. `problem` says what is not there, and how to get it.

    Raises:
        pytest.fail.Exception: ZAVA_REQUIRE_SERVICES=1 says that it must be there.
        pytest.skip.Exception: otherwise.
    """
    if os.environ.get("ZAVA_REQUIRE_SERVICES") == "1":
        pytest.fail(problem)
    pytest.skip(problem, allow_module_level=True)


def wait_until_said(lines: Iterable[str], words: str, program: str) -> None:
    """Read what a program says as it starts, up to the line with `words`. Raises RuntimeError when it ends before."""
    said: list[str] = []
    for line in lines:
        said.append(line)
        if words in line:
            return
    raise RuntimeError(f"{program} did not start: {''.join(said)}")
