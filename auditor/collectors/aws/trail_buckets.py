"""Trails and buckets seen together: which buckets hold the account's trails, and which object events any trail records.

A trail may write into a bucket of another account, such as a log archive: that bucket is unseen here and judged there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, TypeVar, assert_never

from auditor.collectors.aws.cloudtrail import Trail, organization_trail, trail, trails_of
from auditor.collectors.aws.cloudtrail_selectors import READ, WRITE, ObjectSelector, records_below, records_every_bucket
from auditor.collectors.aws.s3 import Bucket, bucket, either, takes_logs_of
from auditor.domain.reading import Reading, Seen, Unseen
from auditor.domain.resource_type import DerivedType, Joined, Member

T = TypeVar("T")
U = TypeVar("U")
Trails: TypeAlias = tuple[Trail | Unseen, ...]


@dataclass(frozen=True, slots=True)
class WatchedBucket:
    """A bucket with who watches it; ``recorded`` needs reads and writes, over all logging trails together."""

    name: str
    logged_elsewhere: Reading[bool]
    recorded: Reading[bool]
    is_log_target: Reading[bool]
    takes_trail_logs: Reading[bool]
    lock_mode: Reading[str | None]
    locked_days: Reading[int]


@dataclass(frozen=True, slots=True)
class TrailBucket:
    """A trail and the bucket it writes to."""

    name: Reading[str]
    bucket: Reading[str | None]
    public: Reading[bool]
    logged_elsewhere: Reading[bool]


@dataclass(frozen=True, slots=True)
class ObjectRecording:
    """An account and whether reads and writes of the objects in all its buckets are recorded."""

    name: str
    reads: Reading[bool]
    writes: Reading[bool]


watched_bucket = DerivedType(
    "aws.s3.watched_bucket",
    version=1,
    title="S3 bucket and the trails around it",
    over=bucket,
    inputs=(bucket, trail, organization_trail),
)
trail_bucket = DerivedType(
    "aws.cloudtrail.trail_bucket",
    version=1,
    title="CloudTrail trail and its bucket",
    over=trail,
    inputs=(trail, bucket),
)
object_recording = DerivedType(
    "aws.cloudtrail.object_recording",
    version=1,
    title="Account and the recording of its S3 objects",
    over="account",
    inputs=(trail, organization_trail, bucket),
)


@watched_bucket.document
def describe_watched_bucket(joined: Joined) -> WatchedBucket:
    """The bucket as access logs and trails see it, and as a place where trails write."""
    member = _member(joined)
    own: Bucket = member.document
    name = Seen(own.name)
    trails = tuple(trails_of(joined))
    return WatchedBucket(
        name=own.name,
        logged_elsewhere=_logged_elsewhere(own),
        recorded=every(_recorded(member, trails, READ), _recorded(member, trails, WRITE)),
        is_log_target=takes_logs_of(own.name, joined.of(bucket)),
        takes_trail_logs=either(*(_same(one, lambda found: found.bucket, name) for one in trails)),
        lock_mode=own.object_lock.map(lambda lock: None if lock is None else lock.mode),
        locked_days=own.object_lock.map(lambda lock: (lock and lock.days) or 0),
    )


@trail_bucket.document
def describe_trail_bucket(joined: Joined) -> TrailBucket:
    """The trail with the guards of its bucket, unseen where the bucket is not among the account's own."""
    member = _member(joined)
    own: Trail = member.document
    holder = _holder(joined, own)
    return TrailBucket(
        name=own.name,
        bucket=own.bucket,
        public=_of(holder, lambda found: found.public),
        logged_elsewhere=_of(holder, _logged_elsewhere),
    )


@object_recording.document
def describe_object_recording(joined: Joined) -> ObjectRecording:
    """The account with its trails added together: one that sees every bucket, or for each bucket some that do."""
    trails = tuple(trails_of(joined))
    return ObjectRecording(
        name=joined.account,
        reads=_all_recorded(joined, trails, READ),
        writes=_all_recorded(joined, trails, WRITE),
    )


def every(*readings: Reading[bool]) -> Reading[bool]:
    """Whether all of them hold; what could not be seen counts only if no other decides."""
    if Seen(value=False) in readings:
        return Seen(value=False)
    return next((reading for reading in readings if isinstance(reading, Unseen)), Seen(value=True))


def _all_recorded(joined: Joined, trails: Trails, mode: str) -> Reading[bool]:
    """Trails that name buckets one by one count while every bucket there is gets named; without buckets they do not."""
    buckets = joined.of(bucket)
    listed: Reading[bool] = Unseen(buckets.unseen) if buckets.unseen else Seen(bool(buckets.members))
    everywhere = either(*(_of(one, lambda found: _records_everywhere(found, mode)) for one in trails))
    anywhere = either(*(_of(one, lambda found: _records_objects(found, mode)) for one in trails))
    return either(everywhere, every(anywhere, listed, *(_recorded(member, trails, mode) for member in buckets.members)))


def _recorded(member: Member, trails: Trails, mode: str) -> Reading[bool]:
    """Whether some logging trail records every event of that mode in the bucket."""
    return either(*(_of(one, lambda found: _records_bucket(found, member, mode)) for one in trails))


def _records_bucket(found: Trail, member: Member, mode: str) -> Reading[bool]:
    in_reach = either(found.multi_region, found.home_region.map(lambda home: home == member.region))
    below = f"{member.id}/"
    return every(found.logging, in_reach, _selects(found, mode, lambda selector: records_below(selector, below)))


def _records_everywhere(found: Trail, mode: str) -> Reading[bool]:
    return every(found.logging, found.multi_region, _selects(found, mode, records_every_bucket))


def _records_objects(found: Trail, mode: str) -> Reading[bool]:
    return every(found.logging, _selects(found, mode, lambda _: True))


def _selects(found: Trail, mode: str, fits: Callable[[ObjectSelector], bool]) -> Reading[bool]:
    return found.objects.map(
        lambda selectors: any(
            (selector.reads if mode == READ else selector.writes) and fits(selector) for selector in selectors
        )
    )


def _logged_elsewhere(found: Bucket) -> Reading[bool]:
    """Access logs kept in the bucket itself can be removed together with what they tell."""
    return found.log_target.map(lambda target: target is not None and target != found.name)


def _holder(joined: Joined, own: Trail) -> Bucket | Unseen:
    """The bucket that the trail writes to."""
    match own.bucket:
        case Unseen() as hidden:
            return hidden
        case Seen(name):
            wanted = name
        case never:
            assert_never(never)
    for one in _buckets(joined):
        if isinstance(one, Unseen) or one.name == wanted:
            return one
    return Unseen(f"bucket {wanted} is not among the account's own")


def _buckets(joined: Joined) -> tuple[Bucket | Unseen, ...]:
    return joined.of(bucket).documents()


def _of(found: T | Unseen, pick: Callable[[T], Reading[U]]) -> Reading[U]:
    return found if isinstance(found, Unseen) else pick(found)


def _same(found: T | Unseen, pick: Callable[[T], Reading[str | None]], name: Seen[str]) -> Reading[bool]:
    return _of(found, pick).map(lambda value: value == name.value)


def _member(joined: Joined) -> Member:
    if joined.member is None:
        raise RuntimeError("this type is described over a member")
    return joined.member
