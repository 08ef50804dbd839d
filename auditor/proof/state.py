"""Reading a state as it stood: a span, seen through how far the looking reached.

Enters: a span, the coverage of its place and resource type, an instant. Leaves: the state one may claim for that instant.
Guards the rule that a verdict nobody could renew is no verdict: pages, exports and bundles all read through this one function.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from .canonical import stamp

BLIND = frozenset(("denied", "throttled", "error", "stale"))
LOOKS = frozenset(("ok", "unsupported")) | BLIND
COVERAGE = "coverage"


class SpanLike(Protocol):
    """Anything that says which state held from when until when."""

    @property
    def state(self) -> str:
        """A verdict, ``absent`` or ``excluded``."""

    @property
    def reason(self) -> str | None:
        """Why it is unknown, if it is."""

    @property
    def valid_from(self) -> datetime:
        """The first instant it holds."""

    @property
    def valid_to(self) -> datetime:
        """The first instant it no longer holds."""


@dataclass(frozen=True)
class Span:
    """One stretch of constant state, ``[valid_from, valid_to)``: a verdict, or ``absent`` where the resource was gone.

    ``excluded`` is the state of a resource that the scope leaves out.
    """

    state: str
    reason: str | None
    valid_from: datetime
    valid_to: datetime


@dataclass(frozen=True)
class Look:
    """How far the looking at one place and resource type reached from an instant on, until the next ``Look`` begins.

    ``last_at`` is the last time it came out this way; an answer serves for ``fresh_for`` after it. ``unsupported_means`` says
    how to read ``unsupported``: ``not_applicable`` (the service is not there) or ``unknown`` (it is there, but hidden).
    """

    state: str
    detail: str
    valid_from: datetime
    last_at: datetime
    fresh_for: timedelta
    unsupported_means: str = "not_applicable"


class Effective(NamedTuple):
    """The state one may claim, why it is not the span's own, and ``cause`` ``coverage`` where the looking decided."""

    state: str
    reason: str | None
    cause: str | None


def effective_state(span: SpanLike, coverage: Iterable[Look], as_of: datetime) -> Effective:
    """What may be said of a span as of an instant, given how far the looking reached.

    A resource seen to be gone stays ``absent``, and one out of scope ``excluded``. Else the last look at or before the
    instant decides: only an ``ok`` one that is still fresh lets the span speak for itself.

    Raises:
        ValueError: The instant lies outside the span, or a look carries a state nobody defined.
    """
    if not span.valid_from <= as_of < span.valid_to:
        raise ValueError(f"{stamp(as_of)} lies outside the span")
    if span.state in {"absent", "excluded"}:
        return Effective(span.state, span.reason, None)
    look = max(
        (one for one in coverage if one.valid_from <= as_of),
        key=lambda one: (one.valid_from, one.last_at),
        default=None,
    )
    if look is None:
        return Effective("unknown", "never looked", COVERAGE)
    if look.state not in LOOKS:
        raise ValueError(f"no such state of coverage: {look.state}")
    if look.state in BLIND:
        return Effective("unknown", look.detail or look.state, COVERAGE)
    if as_of > look.last_at + look.fresh_for:
        return Effective("unknown", f"stale: last seen {stamp(look.last_at)}", COVERAGE)
    if look.state == "ok":
        return Effective(span.state, span.reason, None)
    if look.unsupported_means not in {"not_applicable", "unknown"}:
        raise ValueError(f"unsupported cannot mean {look.unsupported_means}")
    return Effective(look.unsupported_means, look.detail or look.state, COVERAGE)
