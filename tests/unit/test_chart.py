"""The drift chart's geometry: what is drawn is what was counted, and a cut axis says so."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from auditor.domain.rollup import Tally
from auditor.store.reads.posture import Day
from dashboard.chart import Chart, chart

FIRST = date(2026, 11, 1)


def days(*tallies: Tally) -> list[Day]:
    return [Day(FIRST + timedelta(days=n), {"hipaa": tally}) for n, tally in enumerate(tallies)]


def drawn(*tallies: Tally) -> Chart:
    made = chart(days(*tallies), {"hipaa": "HIPAA"}, until=FIRST + timedelta(days=len(tallies) - 1), shown=90)
    assert made is not None
    return made


def test_a_low_share_keeps_the_axis_at_zero() -> None:
    made = drawn(Tally(passing=30, failing=70), Tally(passing=90, failing=10))
    assert [tick.label for tick in made.ticks_y] == ["0%", "25%", "50%", "75%", "100%"]
    assert "axis" not in made.description


def test_a_high_share_starts_the_axis_above_zero_and_says_so() -> None:
    made = drawn(Tally(passing=77, failing=23), Tally(passing=79, failing=21))
    assert [tick.label for tick in made.ticks_y] == ["60%", "70%", "80%", "90%", "100%"]
    assert "The axis starts at 60 percent." in made.description


def test_what_was_unknown_stands_on_the_axis_at_the_scale_of_the_lines() -> None:
    made = drawn(Tally(passing=90, unknown=10), Tally(passing=100))
    (band,) = made.bands
    per_percent = (made.ticks_y[0].at - made.ticks_y[-1].at) / (100 - 80)
    assert band.y + band.height == pytest.approx(made.base)
    assert band.height == pytest.approx(10 * per_percent, abs=0.2)
