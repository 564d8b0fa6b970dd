"""A plugin for the runs with a mutant: which sources were tested, and which test failed first."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import cwsync

SOURCES = "MUTANT_SOURCES"
FAILED = "MUTANT_FAILED"


def pytest_configure() -> None:
    """Refuse to test what was not mutated: the checkout is installed in the same environment."""
    wanted = Path(os.environ[SOURCES])
    if Path(cwsync.__file__) != wanted / "cwsync" / "__init__.py":
        raise pytest.UsageError(f"tests would run on {cwsync.__file__}, and not on the copy in {wanted}")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Write down the test that fails; the run ends with it."""
    if report.failed:
        Path(os.environ[FAILED]).write_text(report.nodeid, encoding="utf-8")
