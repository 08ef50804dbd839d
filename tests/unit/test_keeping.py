"""The arithmetic of keeping: what is later counts, and a lock only ever moves outwards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.domain.retention import SIX_YEARS, STEPS, Kept, Lock, pushed_out, rule

AT = datetime(2030, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
DAYS = st.integers(min_value=0, max_value=9_000).map(lambda days: AT + days * DAY)


def kept(**facts: object) -> Kept:
    usual: dict[str, object] = {"last_in_effect": None, "in_effect": False, "holds": (), "locked_until": None}
    return Kept("d", "a", AT, held=False, **(usual | facts))  # type: ignore[arg-type]


def test_six_years_hold_any_six_calendar_years() -> None:
    for year in range(2025, 2095):
        assert datetime(year, 3, 1, tzinfo=UTC) + SIX_YEARS >= datetime(year + 6, 3, 1, tzinfo=UTC)


@given(DAYS, DAYS)
def test_nothing_goes_before_its_period_counted_from_the_later_time(last: datetime, now: datetime) -> None:
    ruling = rule(kept(last_in_effect=last), SIX_YEARS, now)
    assert ruling.due == (now >= max(AT, last) + SIX_YEARS)


@pytest.mark.parametrize(
    ("facts", "ground"),
    [
        ({}, "due"),
        ({"holds": (uuid4(),)}, "on hold"),
        ({"in_effect": True}, "in effect"),
        ({"locked_until": AT + 9_000 * DAY}, "locked"),
        ({"last_in_effect": AT + 100 * DAY}, "retained"),
    ],
)
def test_each_ground_keeps_by_itself(facts: dict[str, object], ground: str) -> None:
    ruling = rule(kept(**facts), SIX_YEARS, AT + SIX_YEARS)
    assert (ruling.ground, ruling.due) == (ground, ground == "due")


@given(DAYS, DAYS)
def test_a_lock_is_pushed_outwards_only_and_seldom(locked: datetime, wanted: datetime) -> None:
    told = pushed_out(locked, wanted, SIX_YEARS)
    assert told is None or told - locked > SIX_YEARS / STEPS
    assert pushed_out(None, wanted, SIX_YEARS) == wanted


def test_a_lock_binds_until_its_end_and_a_hold_without_one() -> None:
    assert Lock(AT).binds(AT - DAY)
    assert not Lock(AT).binds(AT)
    assert not Lock(None).binds(AT)
    assert Lock(None, held=True).binds(AT)
