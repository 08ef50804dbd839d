"""The page on what looks at each requirement is the one that the definitions make."""

from __future__ import annotations

from pathlib import Path

from controls import shipped
from controls.coverage_page import page

PAGE = Path(__file__).parents[2] / "docs" / "coverage.md"


def test_the_coverage_page_is_current() -> None:
    assert PAGE.read_text("utf-8") == page(shipped()), "run: make docs"


def test_the_coverage_page_names_every_requirement_check_and_duty() -> None:
    text, library = page(shipped()), shipped()
    rows = [line for line in text.splitlines() if line.startswith("| **")]
    assert len(rows) == sum(len(framework.requirements) for framework in library.frameworks)
    assert all(f"`{check.id}`" in text for check in library.checks)
    assert all(f"`{duty.id}`" in text for control in library.controls for duty in control.duties)
    assert not any(row.endswith("| none | none |") for row in rows), "each is answered, or says how"
