"""How long evidence is kept: the nouns and the arithmetic, without a clock of their own.

45 CFR 164.316(b)(2)(i) counts six years from creation or from when a document was last in effect, whichever is later. The
rule speaks of required documentation; counting evidence so is the careful reading.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias
from uuid import UUID

LockMode: TypeAlias = Literal["off", "governance", "compliance"]
Ground: TypeAlias = Literal["retained", "in effect", "on hold", "locked", "due"]

SIX_YEARS = timedelta(days=2192)
"""Six years with two leap days: no six calendar years are longer."""
STEPS = 12
"""A lock is pushed out once a twelfth of the period was used up: half a year of six, so one call per object and half-year."""


@dataclass(frozen=True, slots=True)
class Lock:
    """What keeps an object from being deleted: the time until which, and whether a hold lies on it beside that."""

    until: datetime | None
    held: bool = False

    def binds(self, now: datetime) -> bool:
        """Whether the object may not be deleted now."""
        return self.held or (self.until is not None and self.until > now)


@dataclass(frozen=True, slots=True)
class Hold:
    """A legal hold on everything, or on one source or resource; it stands until it is released."""

    id: UUID
    reason: str
    placed_by: str
    placed_at: datetime
    source: UUID | None = None
    resource: UUID | None = None
    released_by: str | None = None
    released_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Act:
    """That somebody did something, as far as the length of its keeping asks."""

    id: UUID
    at: datetime
    action: str


@dataclass(frozen=True, slots=True)
class Kept:
    """An object that can be read, with all that decides how long it must be.

    ``last_in_effect`` is when evidence or a finding rested on it last, ``in_effect`` whether one does now, ``holds`` the legal
    holds that cover it, ``locked_until`` and ``held`` what the place where it lies was told, ``bundles`` those it is a part of.
    """

    digest: str
    address: str
    created_at: datetime
    last_in_effect: datetime | None
    in_effect: bool
    holds: tuple[UUID, ...]
    locked_until: datetime | None
    held: bool
    bundles: tuple[UUID, ...] = ()

    def retain_until(self, period: timedelta) -> datetime:
        """When its period ends: counted from creation or from when it was last in effect, whichever is later."""
        return max(self.created_at, self.last_in_effect or self.created_at) + period


@dataclass(frozen=True, slots=True)
class Ruling:
    """What becomes of one object, and why."""

    kept: Kept
    ground: Ground
    until: datetime

    @property
    def due(self) -> bool:
        """Whether nothing asks any more for it to be kept."""
        return self.ground == "due"


def rule(kept: Kept, period: timedelta, now: datetime) -> Ruling:
    """Whether an object may go: no hold, nothing that rests on it, its period over, and no lock that still binds."""
    until = kept.retain_until(period)
    if kept.holds or kept.held:
        return Ruling(kept, "on hold", until)
    if kept.in_effect:
        return Ruling(kept, "in effect", until)
    if until > now:
        return Ruling(kept, "retained", until)
    if kept.locked_until is not None and kept.locked_until > now:
        return Ruling(kept, "locked", kept.locked_until)
    return Ruling(kept, "due", until)


def pushed_out(locked_until: datetime | None, wanted: datetime, period: timedelta) -> datetime | None:
    """The time to lock until instead, or none: never earlier than now, and not for less than a twelfth of the period."""
    if locked_until is None or wanted - locked_until > period / STEPS:
        return wanted
    return None
