"""The drift chart as geometry: numbers in, SVG attributes out; the words that say the same stand beside it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from dashboard.words import MONTHS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from auditor.domain.rollup import Tally
    from auditor.store.reads.posture import Day

TOP, BOTTOM, LEFT = 14, 30, 44
"""Room for the axes, in units of the view box; text in it is 12 units high."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Line:
    """One framework's share, as a path with gaps, and where its name stands."""

    name: str
    path: str
    dots: tuple[tuple[float, float], ...]
    label: str
    label_y: float
    style: int


@dataclass(frozen=True, slots=True)
class Band:
    """A day's share of what could not be seen, standing on the axis."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything the template writes into one SVG. ``right`` is where lines end and names begin."""

    width: int
    height: int
    right: int
    lines: tuple[Line, ...]
    bands: tuple[Band, ...]
    ticks_x: tuple[Tick, ...]
    ticks_y: tuple[Tick, ...]
    title: str
    description: str

    @property
    def base(self) -> int:
        """Where the axis lies."""
        return self.height - BOTTOM


def chart(
    days: Sequence[Day], names: Mapping[str, str], *, until: date, shown: int, width: int = 960, height: int = 240
) -> Chart | None:
    """The last ``shown`` days of each framework's passing share; none while there are fewer than two days to join."""
    if len(days) < 2:
        return None
    right = width - (150 if width > 500 else 84)
    first = max(until - timedelta(days=shown - 1), days[0].day)
    length = max((until - first).days, 1)

    def x(day: date) -> float:
        return round(LEFT + (right - LEFT) * (day - first).days / length, 1)

    floor = _floor(days)
    per_percent = (height - BOTTOM - TOP) / (100 - floor)

    def y(share: float) -> float:
        return round(TOP + per_percent * (100 - share), 1)

    lines, words = [], []
    for position, (framework, name) in enumerate(names.items()):
        points = [
            (one.day, share)
            for one in days
            if framework in one.by_framework and (share := one.by_framework[framework].share) is not None
        ]
        if not points:
            continue
        lines.append(
            Line(
                name,
                _path([(day, x(day), y(share)) for day, share in points]),
                tuple((x(day), y(share)) for day, share in _alone(points)),
                f"{name} {points[-1][1]}%",
                y(points[-1][1]) + 4,
                position % 2 + 1,
            )
        )
        words.append(f"{name} went from {points[0][1]} to {points[-1][1]} percent.")
    step = (right - LEFT) / length
    bands = tuple(
        _band(x(one.day), y(floor + min(unseen, 100 - floor)), step, right, height)
        for one in days
        if (unseen := _unseen(one)) > 0
    )
    most = max((_unseen(one) for one in days), default=0)
    words.append(f"At most {most:.0f} percent were unknown on one day." if most else "Nothing was unknown.")
    if floor:
        words.append(f"The axis starts at {floor} percent.")
    return Chart(
        width=width,
        height=height,
        right=right,
        lines=_apart(lines),
        bands=bands,
        ticks_x=tuple(Tick(x(day), f"{day.day} {MONTHS[day.month - 1]}") for day in _weeks(first, until, width)),
        ticks_y=tuple(Tick(y(share), f"{share}%") for share in range(floor, 101, 10 if floor else 25)),
        title=f"Share of primary core verdicts that pass, last {(until - first).days + 1} days",
        description=" ".join(words),
    )


def _floor(days: Sequence[Day]) -> int:
    """Where the axis starts: above zero only where nothing would be cut off, so that small turns can be seen."""
    shares = [share for day in days for tally in day.by_framework.values() if (share := tally.share) is not None]
    lowest = min(shares, default=0)
    return 0 if lowest < 60 else (lowest - 10) // 10 * 10


def _band(middle: float, top: float, step: float, right: int, height: int) -> Band:
    left, end = max(middle - step / 2, LEFT), min(middle + step / 2, right)
    return Band(round(left, 1), top, round(end - left, 1), round(height - BOTTOM - top, 1))


def _unseen(day: Day) -> float:
    judged = sum(tally.judged for tally in day.by_framework.values())
    return 100 * sum(tally.unknown for tally in day.by_framework.values()) / judged if judged else 0.0


def _path(points: Sequence[tuple[date, float, float]]) -> str:
    """Days that follow each other are joined; a missing day leaves a gap."""
    parts = []
    for position, (day, x, y) in enumerate(points):
        follows = position > 0 and points[position - 1][0] == day - timedelta(days=1)
        parts.append(f"{'L' if follows else 'M'}{x} {y}")
    return " ".join(parts)


def _alone(points: Sequence[tuple[date, int]]) -> list[tuple[date, int]]:
    """Days without a neighbour: a path alone would not show them."""
    there = {day for day, _ in points}
    one = timedelta(days=1)
    return [(day, share) for day, share in points if day - one not in there and day + one not in there]


def _apart(lines: list[Line]) -> tuple[Line, ...]:
    """Names at the lines' ends, pushed apart so that none covers another."""
    placed: list[Line] = []
    for line in sorted(lines, key=lambda one: one.label_y):
        lowest = placed[-1].label_y + 15 if placed else TOP
        placed.append(Line(line.name, line.path, line.dots, line.label, max(line.label_y, lowest), line.style))
    return tuple(placed)


def _weeks(first: date, until: date, width: int) -> list[date]:
    length = (until - first).days
    apart = max(1, -(-length // (6 if width > 500 else 3)))
    return [first + timedelta(days=offset) for offset in range(0, length + 1, apart)]


def donut(tally: Tally) -> str:
    """The dash pattern of a share on a circle of radius 42 (circumference 263.9)."""
    return f"{263.9 * (tally.share or 0) / 100:.1f} 263.9"
