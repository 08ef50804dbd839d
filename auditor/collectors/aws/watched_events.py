"""Trails, filters, alarms and topics in one chain: for which events does the account have an alarm that reaches somebody?

The chain holds if a multi-region trail that is logging feeds a log group, a filter on it singles the event out, an alarm
watches the filter's metric, and its actions reach a topic with a confirmed subscription. Several filters add up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from auditor.collectors.aws._filter_pattern import PatternError
from auditor.collectors.aws._watched_events import EVERY_EVENT, KINDS, watched
from auditor.collectors.aws.cloudtrail import Trail, multi_region_trail
from auditor.collectors.aws.cloudwatch import Alarm, alarm, composites_above, hidden_in, reach
from auditor.collectors.aws.logs import Metric, MetricFilter, metric_filter
from auditor.collectors.aws.s3 import either
from auditor.collectors.aws.sns import Topic, topic
from auditor.collectors.aws.trail_buckets import every
from auditor.domain.reading import Reading, Seen, Unseen
from auditor.domain.resource_type import DerivedType, Joined, Member

NO = Seen(value=False)
Events: TypeAlias = frozenset[tuple[str, str]]
Chain: TypeAlias = tuple[Reading[bool], Events]
"""Whether a chain holds, and the events it would ring for."""
Gaps: TypeAlias = Reading[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class WatchedEvents:
    """An account and, per kind of event, those that no alarm brings before anybody."""

    name: str
    root_usage: Gaps
    unauthorized_calls: Gaps
    console_without_mfa: Gaps
    signin_failures: Gaps
    iam_policy_changes: Gaps
    trail_changes: Gaps
    security_group_changes: Gaps
    network_acl_changes: Gaps
    gateway_changes: Gaps
    route_changes: Gaps
    vpc_changes: Gaps
    config_changes: Gaps
    bucket_policy_changes: Gaps
    organization_changes: Gaps
    kms_key_disabled: Gaps


watched_events = DerivedType(
    "aws.cloudwatch.watched_events",
    version=1,
    title="Account and the events its alarms watch",
    over="account",
    inputs=(multi_region_trail, metric_filter, alarm, topic, reach),
)


@watched_events.document
def describe_watched_events(joined: Joined) -> WatchedEvents:
    """The account with the events that ring nowhere; where a chain could not be followed they are unseen."""
    chains = tuple(_chains(joined))
    return WatchedEvents(name=joined.account, **{kind: _gaps(kind, chains) for kind in KINDS})


def _gaps(kind: str, chains: tuple[Chain, ...]) -> Gaps:
    silent: list[str] = []
    doubt: Unseen | None = None
    for name in KINDS[kind]:
        rings = either(*(holds for holds, events in chains if (kind, name) in events))
        if isinstance(rings, Unseen):
            doubt = doubt or rings
        elif not rings.value:
            silent.append(name)
    return Seen(tuple(silent)) if silent or doubt is None else doubt


def _chains(joined: Joined) -> Iterator[Chain]:
    for one in joined.of(multi_region_trail).documents():
        if isinstance(one, Unseen):
            yield one, EVERY_EVENT
            continue
        feeds = every(one.logging, one.management.map(lambda modes: "write" in modes))
        if feeds != NO:
            yield from _chains_of(joined, one, feeds)


def _chains_of(joined: Joined, own: Trail, feeds: Reading[bool]) -> Iterator[Chain]:
    match own.log_group:
        case Unseen() as hidden:
            yield hidden, EVERY_EVENT
        case Seen(None):
            return
        case Seen(str() as arn):
            region, account, name = _place_of(arn)
            if account != joined.account:
                yield Unseen(f"the trail's log group lies in account {account}"), EVERY_EVENT
                return
            short = hidden_in(joined, region).filters
            if isinstance(short, Unseen):
                yield short, EVERY_EVENT
            for member in joined.of(metric_filter).members:
                if member.region == region and member.document.log_group == name:
                    yield _through(joined, member.document, region, feeds)


def _through(joined: Joined, own: MetricFilter, region: str, feeds: Reading[bool]) -> Chain:
    try:
        events = watched(own.pattern)
    except PatternError:
        unread: Reading[bool] = Unseen(f"the pattern of filter {own.name} could not be read")
        return every(feeds, _alarmed(joined, own.metrics, region), unread), EVERY_EVENT
    return (every(feeds, _alarmed(joined, own.metrics, region)), events) if events else (NO, events)


def _alarmed(joined: Joined, metrics: Iterable[Metric], region: str) -> Reading[bool]:
    """Whether some alarm on one of the metrics reaches somebody."""
    population = joined.of(alarm)
    wanted = set(metrics)
    watching = (
        member
        for member in population.members
        if member.region == region and not wanted.isdisjoint(member.document.metrics)
    )
    return either(*(_reaches(joined, member) for member in watching), hidden_in(joined, region).alarms)


def _reaches(joined: Joined, member: Member) -> Reading[bool]:
    """Whether it, or a composite that it sets off alone, acts on a topic that somebody listens to."""
    speaking = (member, *composites_above(member, joined.of(alarm), alone=True))
    acting: tuple[Alarm, ...] = tuple(one.document for one in speaking if one.document.actions_enabled)
    return either(*(_heard(joined, action) for one in acting for action in one.actions))


def _heard(joined: Joined, action: str) -> Reading[bool]:
    if ":sns:" not in action:
        return NO
    if action.split(":")[4] != joined.account:
        return Unseen(f"the topic {action} belongs to another account")
    found = joined.of(topic).find(action)
    if isinstance(found, Member):
        told: Topic = found.document
        return told.subscribed
    return hidden_in(joined, action.split(":")[3]).topics


def _place_of(arn: str) -> tuple[str, str, str]:
    """Region, account and name in ``arn:aws:logs:<region>:<account>:log-group:<name>:*``."""
    parts = arn.split(":")
    return parts[3], parts[4], parts[6]
