"""How fast a vendor may be asked: token buckets per account, region and service.

``take`` never refuses and never sleeps: it books the tokens and says how long to wait before using them. Callers that
ask while others wait are therefore served in the order in which they asked.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

RATE = 100.0
BURST = 1000.0
"""Requests a second, and saved up, per account, region and service: a scan in a quiet account never waits, and a large one
leaves the vendor's own limits to those who work there."""
COST = {"s3": 0.25}
"""What a request takes out, by service, where it is not one: S3 answers about its buckets far more often than others do."""


class Bucket(Protocol):
    """Tokens that flow back at a steady rate."""

    def take(self, key: str, n: float = 1.0) -> float:
        """Book ``n`` tokens of ``key``; gives the seconds to wait before using them, zero if there were enough."""


def rate_key(account: str, region: str, service: str) -> str:
    """What vendors count by."""
    return f"{account}/{region}/{service}"


class LocalBucket:
    """Buckets of one process: ``rate`` tokens a second, at most ``burst`` saved up. Safe to share by threads."""

    def __init__(self, rate: float, burst: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._lock = threading.Lock()
        self._levels: dict[str, tuple[float, float]] = {}

    def take(self, key: str, n: float = 1.0) -> float:
        """Book ``n`` tokens; a level below zero is what others have booked already."""
        with self._lock:
            now = self._clock()
            level, at = self._levels.get(key, (self._burst, now))
            left = min(self._burst, level + max(0.0, now - at) * self._rate) - n
            self._levels[key] = (left, now)
            return max(0.0, -left / self._rate)
