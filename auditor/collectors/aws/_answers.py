"""How answers of small services are read: a value deep inside, and flags whose absence would be the good news."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never

from auditor.domain.reading import Reading, Seen, Unseen


def inside(answer: Any, *names: str) -> Any:
    """The value under these names, one below the other; ``None`` where one of them is missing."""
    for name in names:
        answer = answer.get(name) if isinstance(answer, Mapping) else None
    return answer


def told(reading: Reading[bool | None], field: str) -> Reading[bool]:
    """A flag that the service always tells: one that is missing was not seen, it is not false."""
    match reading:
        case Seen(None):
            return Unseen(f"{field} is not in the answer")
        case Seen(value):
            return Seen(bool(value))
        case Unseen():
            return reading
        case _:
            assert_never(reading)


def number(value: int | None) -> int:
    """A number that the service leaves out when it is zero."""
    return value or 0
