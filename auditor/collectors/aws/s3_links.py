"""S3 buckets beside each other: which of them take access logs, and which have copies somewhere else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from auditor.collectors.aws.s3 import Bucket, Replica, Tag, bucket, either, takes_logs_of
from auditor.domain.reading import Reading, Seen, Unseen, both
from auditor.domain.resource_type import DerivedType, Joined, Member, Population


@dataclass(frozen=True, slots=True)
class BucketLinks:
    """What the other buckets of the run say about one of them."""

    name: str
    algorithm: Reading[str | None]
    takes_access_logs: Reading[bool]
    replicated_elsewhere: Reading[bool]
    tags: Reading[tuple[Tag, ...]]


bucket_links = DerivedType(
    "aws.s3.bucket_links",
    version=1,
    title="S3 bucket beside others",
    over=bucket,
    inputs=(bucket,),
)


@bucket_links.document
def describe_bucket_links(joined: Joined) -> BucketLinks:
    """The bucket with its part for the others: log target, and source of copies in another region or account."""
    if joined.member is None:
        raise RuntimeError("links belong to a bucket")
    here: Bucket = joined.member.document
    everyone = joined.of(bucket)
    return BucketLinks(
        name=here.name,
        algorithm=here.algorithm,
        takes_access_logs=takes_logs_of(here.name, everyone),
        replicated_elsewhere=_replicated(here, everyone, joined.account),
        tags=here.tags,
    )


def _replicated(here: Bucket, everyone: Population, account: str) -> Reading[bool]:
    match here.replicas:
        case Seen(replicas):
            return either(*(_elsewhere(replica, here, everyone, account) for replica in replicas))
        case Unseen():
            return here.replicas
        case _:
            assert_never(here.replicas)


def _elsewhere(replica: Replica, here: Bucket, everyone: Population, account: str) -> Reading[bool]:
    """Another account, or another region of this one; a destination nobody listed may be anything, even gone."""
    if replica.account is not None and replica.account != account:
        return Seen(value=True)
    match everyone.find(replica.bucket):
        case Member(document=Bucket(region=region)):
            return both(region, here.region).map(lambda regions: regions[0] != regions[1])
        case Unseen() as unseen:
            return unseen
        case _:
            return Unseen(f"destination {replica.bucket} is not among this account's buckets")
