"""The benchmarks start and show rows; how fast this machine is today is nobody's test."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from benchmarks import figures
from benchmarks.figures import Row, at_least, at_most

ROOT = Path(__file__).parents[2]
README = ROOT / "benchmarks" / "README.md"


def test_one_quick_part_prints_its_rows_and_keeps_nothing() -> None:
    before = README.read_bytes()
    command = [sys.executable, "-m", "benchmarks", "--quick", "--only", "judging"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    rows = [line for line in ran.stdout.splitlines() if line.startswith("| judging, one core |")]
    assert rows
    assert all("≥ 200,000/s" in row for row in rows)
    assert README.read_bytes() == before


def test_a_goal_that_was_not_reached_is_said() -> None:
    assert at_most("w", "CPU", 4.2, 4, " s").cells() == ("w", "CPU", "4.2 s", "≤ 4.0 s", "**no**")
    assert at_least("w", "rate", 300_000, 200_000, "/s").cells()[-1] == "yes"


def test_the_table_goes_between_the_markers_and_replaces_the_old_one(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{figures.BEGIN}\nold\n{figures.END}\nafter\n")
    figures.write(readme, [Row("w", "calls", "7")], today=date(2026, 11, 22))
    told = readme.read_text()
    assert told.startswith("before\n")
    assert told.endswith("after\n")
    assert "| w | calls | 7 |" in told
    assert "2026-11-22" in told
    assert "old" not in told


def test_a_file_without_markers_is_left_alone(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("nothing to replace")
    with pytest.raises(ValueError, match="markers"):
        figures.write(readme, [], today=date(2026, 11, 22))
    assert readme.read_text() == "nothing to replace"


def test_the_readme_has_its_markers() -> None:
    told = README.read_text(encoding="utf-8")
    assert told.count(figures.BEGIN) == told.count(figures.END) == 1
