"""Reading a state through the coverage of its place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from auditor.proof.state import Effective, Look, Span, effective_state

START = datetime(2026, 11, 1, tzinfo=UTC)
DAY = timedelta(days=1)
HELD = Span("pass", None, START, START + 30 * DAY)


def look(state: str = "ok", *, since: int = 0, last: int = 10, detail: str = "", means: str = "not_applicable") -> Look:
    return Look(state, detail, START + since * DAY, START + last * DAY, 2 * DAY, means)


def test_a_fresh_complete_look_lets_the_span_speak() -> None:
    assert effective_state(HELD, [look()], START + 5 * DAY) == Effective("pass", None, None)
    unknown = Span("unknown", "tags: denied", START, START + DAY)
    assert effective_state(unknown, [look()], START) == Effective("unknown", "tags: denied", None)


def test_where_nobody_looked_nothing_is_known() -> None:
    assert effective_state(HELD, [], START) == Effective("unknown", "never looked", "coverage")
    assert effective_state(HELD, [look(since=6)], START + 5 * DAY).reason == "never looked"


def test_a_look_grows_stale_after_its_time_and_not_before() -> None:
    assert effective_state(HELD, [look()], START + 12 * DAY).state == "pass"
    found = effective_state(HELD, [look()], START + 12 * DAY + timedelta(microseconds=1))
    assert found == Effective("unknown", "stale: last seen 2026-11-11T00:00:00Z", "coverage")


@pytest.mark.parametrize("state", ["denied", "throttled", "error"])
def test_a_look_that_did_not_get_through_hides_the_verdict(state: str) -> None:
    for verdict in ("pass", "fail", "not_applicable", "unknown"):
        span = Span(verdict, None, START, START + DAY)
        assert effective_state(span, [look(state, detail="AccessDenied")], START) == Effective(
            "unknown", "AccessDenied", "coverage"
        )
    assert effective_state(HELD, [look(state)], START).reason == state


def test_the_last_look_that_began_decides_in_whatever_order_they_come() -> None:
    looks = [look(), look("denied", since=5, detail="no"), look(since=7)]
    for order in (looks, looks[::-1]):
        assert effective_state(HELD, order, START + 4 * DAY).state == "pass"
        assert effective_state(HELD, order, START + 5 * DAY).state == "unknown"
        assert effective_state(HELD, order, START + 7 * DAY).state == "pass"


def test_unsupported_means_what_its_declaration_says() -> None:
    gone = look("unsupported", detail="no such service here")
    assert effective_state(HELD, [gone], START) == Effective("not_applicable", "no such service here", "coverage")
    assert effective_state(HELD, [look("unsupported", means="unknown")], START) == Effective(
        "unknown", "unsupported", "coverage"
    )


def test_unsupported_grows_stale_too() -> None:
    assert effective_state(HELD, [look("unsupported")], START + 20 * DAY).state == "unknown"


def test_what_was_seen_to_be_gone_stays_gone() -> None:
    absent = Span("absent", None, START, START + 30 * DAY)
    assert effective_state(absent, [look("denied")], START) == Effective("absent", None, None)
    assert effective_state(absent, [], START).state == "absent"


@pytest.mark.parametrize("moment", [START - timedelta(microseconds=1), START + 30 * DAY])
def test_an_instant_outside_the_span_is_refused(moment: datetime) -> None:
    with pytest.raises(ValueError, match="outside the span"):
        effective_state(HELD, [look()], moment)


@pytest.mark.parametrize("strange", [look("fine"), look("unsupported", means="pass")])
def test_a_look_nobody_defined_is_refused(strange: Look) -> None:
    with pytest.raises(ValueError, match=r"no such state|cannot mean"):
        effective_state(HELD, [strange], START)
