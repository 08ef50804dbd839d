"""How fast a vendor may be asked: token buckets per account, region and service, in this process or shared by all.

``take`` never refuses and never sleeps: it books the tokens and says how long to wait before using them. Callers that
ask while others wait are therefore served in the order in which they asked.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from redis import Redis, RedisError

from auditor.telemetry import logger

log = logger(__name__)


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


_TAKE = """
local rate, burst, n = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local kept = redis.call('HMGET', KEYS[1], 'level', 'at')
local level, at = tonumber(kept[1]) or burst, tonumber(kept[2]) or now
local left = math.min(burst, level + math.max(0, now - at) * rate) - n
redis.call('HSET', KEYS[1], 'level', string.format('%.6f', left), 'at', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil((burst - left) / rate * 1000) + 1000)
return string.format('%.6f', math.max(0, -left / rate))
"""


class RedisBucket:
    """Buckets shared by all workers, by Redis' own clock; while Redis is away each process counts for itself."""

    def __init__(self, client: Redis, rate: float, burst: float, *, prefix: str = "auditor.rate.") -> None:
        self._client = client
        self._rate = rate
        self._burst = burst
        self._prefix = prefix
        self._alone = LocalBucket(rate, burst)

    def take(self, key: str, n: float = 1.0) -> float:
        """Book ``n`` tokens in one step that no other worker can come between."""
        try:
            waited: Any = self._client.eval(_TAKE, 1, self._prefix + key, self._rate, self._burst, n)
            return float(waited)
        except RedisError as error:
            log.warning("shared rate limit not reached, counting alone", error=str(error))
            return self._alone.take(key, n)
