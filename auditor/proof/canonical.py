"""Canonical bytes: one value, one spelling, one digest; and one spelling of an instant.

Enters: plain JSON values and aware datetimes. Leaves: UTF-8 bytes, hexadecimal digests, RFC 3339 text in UTC.
Guards the rule that a digest means the same on every machine: what JSON cannot say exactly is refused, never guessed.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import datetime, timedelta, timezone
from typing import Any

UTC = timezone.utc  # noqa: UP017 - datetime.UTC came with 3.11, these files promise 3.9

_RFC_3339 = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,12}))?(?:([Zz])|([+-])(\d{2}):(\d{2}))",
    re.ASCII,
)

_write = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def canonical(value: Any) -> bytes:
    """The one byte string that stands for a JSON value: keys sorted, no spaces, UTF-8 as it is.

    Tuples are written as lists. Stored bytes are to be checked as stored; this function is for writing them first.

    Raises:
        ValueError: NaN or infinity, a key that is not text, a type JSON does not know, a lone surrogate, a value that
            holds itself or is nested too deep. Writing any of these would let two machines disagree on one digest.
    """
    try:
        text = _write(value)
    except (TypeError, RecursionError) as error:
        raise ValueError(f"not a canonical value: {error}") from error
    _refuse_silent_coercions(value)
    return text.encode("utf-8")


def digest(value: Any) -> str:
    """SHA-256 of the canonical bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical(value)).hexdigest()


def stamp(moment: datetime) -> str:
    """An instant as RFC 3339 in UTC, ``2026-11-22T10:30:00Z``; microseconds appear only if there are any.

    Raises:
        ValueError: The datetime knows no zone, so it names no instant.
    """
    if moment.utcoffset() is None:
        raise ValueError("a time without a zone is not an instant")
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def instant(text: str) -> datetime:
    """The instant an RFC 3339 text names, in UTC; digits beyond microseconds are cut off.

    Raises:
        ValueError: Anything but a full date, time and zone. A date without a zone could be either of two days.
    """
    found = _RFC_3339.fullmatch(text)
    if found is None:
        raise ValueError(f"not an RFC 3339 instant: {text[:40]!r}")
    year, month, day, hour, minute, second, fraction, _, sign, zone_hours, zone_minutes = found.groups()
    micros = int((fraction or "0")[:6].ljust(6, "0"))
    moment = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), micros, tzinfo=UTC)
    if sign is None:
        return moment
    if int(zone_hours) > 23 or int(zone_minutes) > 59:
        raise ValueError(f"not an RFC 3339 instant: {text[:40]!r}")
    offset = timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
    try:
        return moment - offset if sign == "+" else moment + offset
    except OverflowError as error:
        raise ValueError(f"outside the calendar: {text[:40]!r}") from error


def _refuse_silent_coercions(value: Any) -> None:
    # json.dumps turns the key 1 into "1" without a word; after it ran, the value is known to be finite and free of cycles.
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            for key in one:
                if not isinstance(key, str):
                    raise ValueError(f"not a canonical value: the key {key!r} is not text")  # noqa: TRY004 - one error for whatever cannot be written
            waiting.extend(one.values())
        elif isinstance(one, (list, tuple)):
            waiting.extend(one)
