"""The emulator's clock: the whole server process lives at the moment it was told.

Moto stamps what it creates with the machine's time, so days that are past can only be lived through by moving the
process. Answers of STS keep real time, see ``quirks``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import time_machine


def real_now() -> datetime:
    """The machine's own time, whatever the process has been told."""
    if not time_machine.escape_hatch.is_travelling():
        return datetime.now(UTC)
    now: datetime = time_machine.escape_hatch.datetime.datetime.now(UTC)
    return now


class EmulatorClock:
    """Moves the time of this process; one per process."""

    def __init__(self) -> None:
        self._traveller: Any = None

    def set(self, at: datetime | None, *, tick: bool = True) -> None:
        """Let it be ``at`` from now on, running on or standing still; None returns to the machine's time.

        Raises:
            ValueError: ``at`` names no time zone.
        """
        if at is not None and at.tzinfo is None:
            raise ValueError("the clock takes a time with its zone, such as 2026-01-31T08:00:00Z")
        if self._traveller is not None:
            self._traveller.stop()
            self._traveller = None
        if at is not None:
            # A fixed offset, not a ZoneInfo: with the latter time_machine would change TZ of the process as well.
            self._traveller = time_machine.travel(at.astimezone(UTC), tick=tick)
            self._traveller.start()
