"""Fields that a listing itself gave."""

from __future__ import annotations

from typing import Any, assert_never

from auditor.domain.reading import Reading, Seen, Unseen


def listed(reading: Reading[Any]) -> str:
    """A name that the listing gave: without it there would be no resource to describe."""
    match reading:
        case Seen(str() as name):
            return name
        case Seen(value):
            raise RuntimeError(f"a listing without names: {value!r}")
        case Unseen(reason):
            raise RuntimeError(f"a listed name cannot be unseen: {reason}")
        case _:
            assert_never(reading)
