"""Token buckets: one suite over both, since callers cannot tell them apart."""

from __future__ import annotations

import time
from collections.abc import Iterator

import boto3
import pytest
from redis import Redis

from auditor.collectors.pace import Bucket, LocalBucket, rate_key
from auditor.worker.limits import RedisBucket
from tests.fixtures.redis_server import RedisServer, free_port, redis_server

__all__ = ["redis_server"]
KEY = rate_key("123456789012", "eu-central-1", "s3")


@pytest.fixture(params=["local", pytest.param("redis", marks=pytest.mark.redis)])
def bucket(request: pytest.FixtureRequest) -> Iterator[Bucket]:
    """10 tokens a second, 5 saved up."""
    if request.param == "local":
        yield LocalBucket(10, 5)
        return
    server: RedisServer = request.getfixturevalue("redis_server")
    client = Redis.from_url(server.url)
    prefix = f"{server.prefix}{time.monotonic_ns()}."
    yield RedisBucket(client, 10, 5, prefix=prefix)
    for key in client.scan_iter(match=f"{prefix}*"):
        client.delete(key)
    client.close()


def test_what_is_saved_up_is_given_at_once(bucket: Bucket) -> None:
    assert [bucket.take(KEY) for _ in range(5)] == [0.0] * 5


def test_who_comes_later_waits_longer(bucket: Bucket) -> None:
    bucket.take(KEY, 5)
    waits = [bucket.take(KEY) for _ in range(4)]
    assert waits == sorted(waits)
    assert 0.2 < waits[-1] <= 0.4


def test_tokens_flow_back(bucket: Bucket) -> None:
    bucket.take(KEY, 5)
    assert bucket.take(KEY, 0.5) > 0
    time.sleep(0.25)
    assert bucket.take(KEY) == 0.0


def test_other_keys_are_counted_apart(bucket: Bucket) -> None:
    bucket.take(KEY, 50)
    assert bucket.take(rate_key("123456789012", "eu-west-1", "s3")) == 0.0
    assert bucket.take(KEY) > 1


def test_a_clock_that_goes_back_gives_no_tokens() -> None:
    times = iter([100.0, 50.0, 100.0])
    bucket = LocalBucket(1, 1, clock=lambda: next(times))
    assert bucket.take(KEY) == 0.0
    assert bucket.take(KEY) == 1.0


@pytest.mark.redis
def test_workers_share_one_bucket(redis_server: RedisServer) -> None:
    clients = [Redis.from_url(redis_server.url) for _ in range(2)]
    prefix = f"{redis_server.prefix}shared."
    first, second = (RedisBucket(client, 0.1, 1, prefix=prefix) for client in clients)
    assert first.take(KEY) == 0.0
    assert second.take(KEY) > 5
    for client in clients:
        client.close()


def test_without_redis_each_process_counts_for_itself() -> None:
    client = Redis.from_url(f"redis://127.0.0.1:{free_port()}/0", socket_connect_timeout=1)
    bucket = RedisBucket(client, 0.1, 1)
    assert bucket.take(KEY) == 0.0
    assert bucket.take(KEY) > 5
    client.close()


def test_the_door_to_aws_waits_for_its_turn_before_each_request(monkeypatch: pytest.MonkeyPatch) -> None:
    from auditor.collectors.aws import _client

    class Booked:
        def __init__(self) -> None:
            self.keys: list[str] = []

        def take(self, key: str, n: float = 1.0) -> float:
            self.keys.append(key)
            return 0.5

    slept: list[float] = []
    monkeypatch.setattr("auditor.collectors.aws._client.time.sleep", slept.append)
    bucket = Booked()
    caller = _client.AwsCaller(
        boto3.session.Session(), account="123456789012", identity="arn:aws:iam::123456789012:user/x",
        endpoint_url=None, threads=1, bucket=bucket,
    )  # fmt: skip
    caller._before("eu-central-1")(None, event_name="before-send.ec2.DescribeVpcs")
    assert bucket.keys == ["123456789012/eu-central-1/ec2"]
    assert slept == [0.5]
    assert caller.calls() == {"ec2:DescribeVpcs": 1}
