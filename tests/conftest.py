"""The fixtures that every kind of test may ask for, and the rule that a skipped test is never overlooked."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Generator

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)  # how long an example takes is the machine's affair
settings.load_profile("untimed")

pytest_plugins = ["tests.fixtures.database"]

REQUIRED = frozenset(filter(None, os.environ.get("AUDITOR_TEST_REQUIRE", "").split(",")))
"""Marks whose tests must run here: the build names them, so that a missing program cannot pass for a green test."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    needed = REQUIRED & {mark.name for mark in item.iter_markers()}
    if report.skipped and needed:
        report.outcome = "failed"
        report.longrepr = f"skipped, though AUDITOR_TEST_REQUIRE names {', '.join(sorted(needed))}: {report.longrepr}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped:
        reasons = Counter(str(report.longrepr[2]) for report in skipped)
        terminalreporter.section("NOT RUN ON THIS MACHINE", sep="!", red=True, bold=True)
        for reason, count in reasons.items():
            terminalreporter.write_line(f"{count} tests: {reason.removeprefix('Skipped: ')}")
