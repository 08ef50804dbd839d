"""The process that appends and signs: a round every few seconds, and each night every log from its first entry.

Time stamps are asked for beside it, by a thread of their own: an authority that hangs delays no entry, no head and no heartbeat.
"""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Protocol

from auditor.telemetry import logger

log = logger(__name__)

NIGHT = 3
"""The hour, in UTC, in which logs are gone through."""
STAMP_EVERY = 600.0
"""Seconds until missing time stamps are asked for again."""


class Notary(Protocol):
    """Who appends and signs."""

    def round(self) -> int:
        """Append what waits and sign what grew; gives how many were appended."""

    def stamp(self) -> int:
        """Have stamped what was not stamped today; gives how many were."""

    def recheck(self) -> int:
        """Go through every log and tell of those that are wrong; gives how many are."""


class Checkpoints:
    """Rounds until told to stop: every ``every`` seconds, and at once when the bell is rung.

    ``pulse`` is a file that is touched after each round, for a health check to look at. Nights are the machine's own, not those
    of a clock that a story moves.
    """

    def __init__(self, notary: Notary, *, every: float = 2.0, pulse: Path | None = None) -> None:
        self._notary = notary
        self._every = every
        self._pulse = pulse
        self._bell = threading.Event()
        self._checked: date | None = None

    def ring(self) -> None:
        """Do a round soon."""
        self._bell.set()

    def run(self, stop: threading.Event) -> None:
        """Go on until ``stop`` is set; ring the bell after setting it, to be heard at once. What waits then is appended."""
        threading.Thread(target=self._stamps, args=(stop,), name="time stamps", daemon=True).start()
        while not stop.is_set():
            self._bell.clear()
            self.round(datetime.now(UTC))
            self._bell.wait(self._every)
        self.round(datetime.now(UTC))
        if self._pulse is not None:
            self._pulse.unlink(missing_ok=True)

    def round(self, now: datetime) -> None:
        """One round; a database that restarts is back at the next."""
        try:
            self._notary.round()
            if now.hour == NIGHT and self._checked != now.date():
                self._checked = now.date()
                self._notary.recheck()
        except Exception:
            log.exception("checkpointing failed")
            return
        if self._pulse is not None:
            self._pulse.touch()

    def _stamps(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                self._notary.stamp()
            except Exception:
                log.exception("asking for time stamps failed")
            stop.wait(STAMP_EVERY)
