"""How fast a vendor may be asked: token buckets per account, region and service.

``take`` never refuses and never sleeps: it books the tokens and says how long to wait before using them. Callers that
ask while others wait are therefore served in the order in which they asked.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from auditor.domain.source import Manners

RATE = 100.0
BURST = 1000.0
"""Requests a second, and saved up, per account, region and service: a scan in a quiet account never waits, and a large one
leaves the vendor's own limits to those who work there."""
COST = {"s3": 0.25}
"""What a request takes out, by service, where it is not one: S3 answers about its buckets far more often than others do."""


class Bucket(Protocol):
    """Tokens that flow back at a steady rate."""

    def take(self, key: str, n: float = 1.0, *, rate: float | None = None) -> float:
        """Book ``n`` tokens of ``key``; gives the seconds to wait before using them, zero if there were enough.

        With ``rate`` they flow back at that many a second, and a second's worth is saved up at most.
        """


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

    def take(self, key: str, n: float = 1.0, *, rate: float | None = None) -> float:
        """Book ``n`` tokens; a level below zero is what others have booked already."""
        flow, burst = (self._rate, self._burst) if rate is None else (rate, max(1.0, rate))
        with self._lock:
            now = self._clock()
            level, at = self._levels.get(key, (burst, now))
            left = min(burst, level + max(0.0, now - at) * flow) - n
            self._levels[key] = (left, now)
            return max(0.0, -left / flow)


class PacedBucket:
    """Somebody's buckets as one source uses them: each request is one token, of a rate of the source's own."""

    def __init__(self, bucket: Bucket, per_second: float) -> None:
        self._bucket = bucket
        self._per_second = per_second

    def take(self, key: str, n: float = 1.0, *, rate: float | None = None) -> float:
        """Book at least one token, whatever the service would charge: the operator promised requests a second."""
        return self._bucket.take(key, max(n, 1.0), rate=min(self._per_second, rate or self._per_second))


def at_pace(bucket: Bucket, manners: Manners) -> Bucket:
    """The buckets that all share, at the rate that a source asks for."""
    return bucket if manners.per_second is None else PacedBucket(bucket, manners.per_second)
