"""Token buckets: one suite over both, since callers cannot tell them apart."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import boto3
import pytest
from redis import Redis

from auditor.collectors.callers import Callers
from auditor.collectors.pace import Bucket, LocalBucket, rate_key
from auditor.domain.source import Manners, Source
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


def test_a_slower_rate_flows_back_slower_and_saves_up_a_second_of_it(bucket: Bucket) -> None:
    waits = [bucket.take(KEY, rate=2.0) for _ in range(4)]
    assert waits[:2] == [0.0, 0.0]
    assert 0.8 < waits[-1] <= 1.0
    assert bucket.take(rate_key("123456789012", "eu-west-1", "s3")) == 0.0, "nobody else is slowed down"


def test_less_than_one_a_second_still_lets_the_first_one_through(bucket: Bucket) -> None:
    assert bucket.take(KEY, rate=0.5) == 0.0
    assert 1.5 < bucket.take(KEY, rate=0.5) <= 2.0


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

        def take(self, key: str, n: float = 1.0, *, rate: float | None = None) -> float:
            assert rate is None, "the door takes what it costs; a pace is the bucket's own"
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


@pytest.mark.parametrize(
    ("told", "seconds"), [("120", 120.0), ("0", 0.0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0.0), (None, 0.0)]
)
def test_the_wait_that_a_refusal_asks_for_comes_along(told: str | None, seconds: float) -> None:
    from botocore.exceptions import ClientError

    from auditor.collectors.aws._client import translate

    headers = {} if told is None else {"retry-after": told}
    answer: Any = {"Error": {"Code": "Throttling"}, "ResponseMetadata": {"HTTPStatusCode": 400, "HTTPHeaders": headers}}
    refused = translate(ClientError(answer, "ListQueues"), "sqs:ListQueues")
    assert (refused.kind, refused.retry_after) == ("throttled", seconds)


def test_a_source_at_another_pace_is_connected_to_anew() -> None:
    made: list[Manners] = []

    def connect(_: Source, manners: Manners) -> Any:
        made.append(manners)
        return object()

    callers = Callers(connect)
    source = Source(UUID(int=1), UUID(int=2), "aws", "123456789012", "production")
    usual = callers(source, Manners())
    assert callers(source, Manners()) is usual
    assert callers(source, Manners(per_second=5)) is not usual
    assert made == [Manners(), Manners(per_second=5)]
