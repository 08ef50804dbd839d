"""How fast all workers together may ask a vendor: the token buckets of ``collectors.pace``, kept in Redis."""

from __future__ import annotations

from typing import Any

from redis import Redis, RedisError

from auditor.collectors.pace import BURST, RATE, Bucket, LocalBucket
from auditor.settings import Settings
from auditor.telemetry import logger

log = logger(__name__)


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

    def take(self, key: str, n: float = 1.0, *, rate: float | None = None) -> float:
        """Book ``n`` tokens in one step that no other worker can come between."""
        flow, burst = (self._rate, self._burst) if rate is None else (rate, max(1.0, rate))
        try:
            waited: Any = self._client.eval(_TAKE, 1, self._prefix + key, flow, burst, n)
            return float(waited)
        except RedisError as error:
            log.warning("shared rate limit not reached, counting alone", error=str(error))
            return self._alone.take(key, n, rate=rate)


def shared(settings: Settings) -> Bucket:
    """The buckets of this installation: in Redis where workers stand apart, else of this process."""
    if settings.broker_url is None:
        return LocalBucket(RATE, BURST)
    client = Redis.from_url(settings.broker_url.get_secret_value(), socket_timeout=2, socket_connect_timeout=2)
    return RedisBucket(client, RATE, BURST)
