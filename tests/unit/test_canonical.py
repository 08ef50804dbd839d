"""Canonical bytes, digests and instants."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from auditor.proof.canonical import canonical, digest, instant, stamp


def test_keys_are_sorted_spaces_left_out_and_letters_kept() -> None:
    assert canonical({"b": [1, True, None], "a": "é"}) == '{"a":"é","b":[1,true,null]}'.encode()


def test_a_tuple_is_written_as_a_list() -> None:
    assert canonical((1, (2,))) == b"[1,[2]]"


def test_the_digest_is_that_of_the_bytes() -> None:
    assert digest({"a": 1}) == hashlib.sha256(b'{"a":1}').hexdigest()


CYCLE: list[Any] = []
CYCLE.append(CYCLE)
DEEP: list[Any] = []
for _ in range(100_000):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), {1: "a"}, {"a": [{None: 1}]}, {True: 1}, b"a", {"a"}, datetime(2026, 1, 1, tzinfo=UTC), "\ud800", CYCLE, DEEP],
    ids=range(11),
)  # fmt: skip
def test_what_json_cannot_say_exactly_is_refused(value: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the promise is the type
        canonical(value)


def test_an_instant_is_written_in_utc_and_microseconds_only_if_there_are_any() -> None:
    moment = datetime(2026, 11, 22, 12, 30, tzinfo=timezone(timedelta(hours=2)))
    assert stamp(moment) == "2026-11-22T10:30:00Z"
    assert stamp(moment.replace(microsecond=5)) == "2026-11-22T10:30:00.000005Z"
    assert stamp(datetime(9999, 12, 31, tzinfo=UTC)) == "9999-12-31T00:00:00Z"


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        stamp(datetime(2026, 11, 22))  # noqa: DTZ001 - that is the point


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-22T10:30:00Z", datetime(2026, 11, 22, 10, 30, tzinfo=UTC)),
        ("2026-11-22t10:30:00z", datetime(2026, 11, 22, 10, 30, tzinfo=UTC)),
        ("2026-11-22T12:30:00+02:00", datetime(2026, 11, 22, 10, 30, tzinfo=UTC)),
        ("2026-11-22T05:00:00-05:30", datetime(2026, 11, 22, 10, 30, tzinfo=UTC)),
        ("2026-11-22T10:30:00.5Z", datetime(2026, 11, 22, 10, 30, 0, 500_000, tzinfo=UTC)),
        ("2026-11-22T10:30:00.123456789Z", datetime(2026, 11, 22, 10, 30, 0, 123_456, tzinfo=UTC)),
    ],
)
def test_an_instant_is_read_in_utc(text: str, expected: datetime) -> None:
    assert instant(text) == expected
    assert instant(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    ["", "2026-11-22", "2026-11-22T10:30:00", "2026-11-22 10:30:00Z", "2026-13-22T10:30:00Z", "2026-11-22T24:00:00Z", "2026-11-22T10:30:60Z", "2026-11-22T10:30:00+24:00", "2026-11-22T10:30:00+01:60", "٢٠٢٦-11-22T10:30:00Z", "0001-01-01T00:00:00+01:00", "2026-11-22T10:30:00Z\n"],
)  # fmt: skip
def test_what_names_no_instant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        instant(text)
