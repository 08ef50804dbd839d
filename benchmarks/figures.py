"""Measured figures beside the ones we set ourselves, and the table that shows both."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
HEAD = ("world", "what", "measured", "goal", "reached")


@dataclass(frozen=True, slots=True)
class Row:
    """One figure; ``reached`` is None where the architecture sets none."""

    world: str
    what: str
    measured: str
    goal: str = ""
    reached: bool | None = None

    def cells(self) -> tuple[str, ...]:
        """As the table shows it."""
        return (self.world, self.what, self.measured, self.goal, {None: "", True: "yes", False: "**no**"}[self.reached])


def at_most(world: str, what: str, value: float, goal: float, unit: str, *, digits: int = 1) -> Row:
    """A figure that shall not be larger than its goal."""
    return Row(world, what, f"{value:,.{digits}f}{unit}", f"≤ {goal:,.{digits}f}{unit}", value <= goal)


def at_least(world: str, what: str, value: float, goal: float, unit: str) -> Row:
    """A figure that shall not be smaller than its goal."""
    return Row(world, what, f"{value:,.0f}{unit}", f"≥ {goal:,.0f}{unit}", value >= goal)


def machine() -> str:
    """Cores we may use, memory and Python version, in one line."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{cores} cores, {memory:.0f} GiB memory, {platform.machine()}, Python {platform.python_version()}"


def line(cells: Iterable[str]) -> str:
    """One line of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def table(rows: Iterable[Row]) -> str:
    """The rows as a Markdown table."""
    return "\n".join(map(line, (HEAD, tuple("---" for _ in HEAD), *(row.cells() for row in rows))))


def write(readme: Path, rows: Iterable[Row], *, today: date) -> None:
    """Put the table with date and machine between the two markers and leave the rest of the file alone.

    Raises:
        ValueError: A marker is missing.
    """
    before, begin, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{readme} needs the markers {BEGIN} and {END}")
    middle = f"\n\nMeasured on {today.isoformat()} with {machine()}.\n\n{table(rows)}\n\n"
    readme.write_text(before + begin + middle + end + after, encoding="utf-8")
