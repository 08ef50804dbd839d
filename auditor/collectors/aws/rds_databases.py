"""RDS instances together with the cluster they belong to, which holds half of a member's settings.

The checks on backups, zones, deletion, TLS, logs and sign-in judge this type, so that an Aurora member is never
failed for a setting that only its cluster has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar, assert_never

from auditor.collectors.aws.rds import Cluster, Instance, cluster, instance
from auditor.domain.reading import Reading, Seen, Unseen, both
from auditor.domain.resource_type import DerivedType, Joined, Member

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Database:
    """An instance as its own settings and its cluster's make it."""

    name: Reading[str]
    engine: Reading[str]
    family: Reading[str]
    cluster: Reading[str | None]
    is_replica: Reading[bool]
    environment_tag: Reading[str | None]
    retention_days: Reading[int]
    in_two_zones: Reading[bool]
    deletion_protected: Reading[bool]
    refuses_plain: Reading[bool]
    logs: Reading[tuple[str, ...]]
    iam_auth: Reading[bool]


database = DerivedType(
    "aws.rds.database",
    version=2,
    title="RDS instance with its cluster",
    over=instance,
    inputs=(instance, cluster),
)


@database.document
def describe_database(joined: Joined) -> Database:
    """The instance's settings where it stands alone, the cluster's where it is a member."""
    if joined.member is None:
        raise RuntimeError("a database is described over its instance")
    own: Instance = joined.member.document
    holder = _holder(joined, joined.member)
    return Database(
        name=own.name,
        engine=own.engine,
        family=own.family,
        cluster=own.cluster,
        is_replica=own.is_replica,
        environment_tag=own.environment_tag,
        retention_days=_held(holder, own.retention_days, lambda found: found.retention_days),
        in_two_zones=_either(own.multi_az, _held(holder, Seen(value=False), lambda _: _spread(joined))),
        deletion_protected=_either(
            own.deletion_protected, _held(holder, own.deletion_protected, lambda found: found.deletion_protected)
        ),
        refuses_plain=_held(holder, own.refuses_plain.map(bool), lambda found: found.refuses_plain),
        logs=both(own.logs, _held(holder, own.logs, lambda found: found.logs)).map(
            lambda lists: tuple(sorted({*lists[0], *lists[1]}))
        ),
        iam_auth=_held(holder, own.iam_auth, lambda found: found.iam_auth),
    )


def cluster_arn(member: Member) -> str | None:
    """The ARN of the cluster that an instance belongs to, made from its own."""
    document: Instance = member.document
    match document.cluster:
        case Seen(str(name)) if name:
            return f"{member.id.rpartition(':db:')[0]}:cluster:{name}"
        case _:
            return None


def _holder(joined: Joined, member: Member) -> Cluster | Unseen | None:
    """The member's cluster; ``None`` for an instance that stands alone."""
    arn = cluster_arn(member)
    if arn is None:
        return None
    match joined.of(cluster).find(arn):
        case Member(document=found):
            described: Cluster = found
            return described
        case Unseen() as hidden:
            return hidden
        case None:
            return Unseen("the cluster was not among those listed")
        case never:
            assert_never(never)


def _held(holder: Cluster | Unseen | None, own: Reading[T], pick: Callable[[Cluster], Reading[T]]) -> Reading[T]:
    match holder:
        case None:
            return own
        case Unseen():
            return holder
        case Cluster():
            return pick(holder)
        case never:
            assert_never(never)


def _either(first: Reading[bool], second: Reading[bool]) -> Reading[bool]:
    """True as soon as one is seen to be true, whatever hides the other."""
    if Seen(value=True) in {first, second}:
        return Seen(value=True)
    return both(first, second).map(any)


def _spread(joined: Joined) -> Reading[bool]:
    """Whether the members of this instance's cluster stand in two zones; more members could only add zones."""
    population = joined.of(instance)
    arn = None if joined.member is None else cluster_arn(joined.member)
    siblings = [member for member in population.members if cluster_arn(member) == arn]
    if len(set(_zones(siblings))) >= 2:
        return Seen(value=True)
    return Seen(value=False) if population.unseen is None else Unseen(population.unseen)


def _zones(members: list[Member]) -> Iterator[str]:
    for member in members:
        document: Instance = member.document
        match document.zone:
            case Seen(str(zone)):
                yield zone
            case _:
                continue
