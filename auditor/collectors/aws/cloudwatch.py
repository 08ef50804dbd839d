"""CloudWatch alarms: what they watch, whom they tell, and the composite alarms that speak for others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from auditor.collectors.aws._ec2 import holds
from auditor.collectors.aws._listed import listed
from auditor.collectors.aws.logs import Metric
from auditor.collectors.aws.s3 import either
from auditor.domain.reading import Reading, Readings, Seen, Unseen
from auditor.domain.resource_type import DerivedType, Joined, Listing, Member, Population, Read, ResourceType

_CHILD = re.compile(r'\bALARM\(\s*(?:"([^"]+)"|([^\s")]+))\s*\)')
_NARROWS = re.compile(r"\b(?:AND|NOT)\b")
_QUOTED = re.compile(r'"[^"]*"')


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm. ``children`` set a composite off, alone if ``any_child`` says so; metrics with dimensions are left out."""

    name: str
    arn: str
    actions_enabled: bool
    actions: tuple[str, ...]
    metrics: tuple[Metric, ...]
    children: tuple[str, ...]
    any_child: bool

    @property
    def acts(self) -> bool:
        """Whether anything happens when it goes off."""
        return self.actions_enabled and bool(self.actions)


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a region's filters, alarms and topics were listed: unseen where more may exist."""

    name: str
    filters: Reading[bool]
    alarms: Reading[bool]
    topics: Reading[bool]


@dataclass(frozen=True, slots=True)
class ActingAlarm:
    """An alarm and whether it does something, by itself or through a composite alarm above it."""

    name: str
    actions_enabled: bool
    action_count: int
    composite_acts: Reading[bool]


def alarms(page: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Alarms of both kinds, which one page holds in two lists."""
    yield from page.get("MetricAlarms", ())
    yield from page.get("CompositeAlarms", ())


def _counted(members: Sequence[Any]) -> list[Any]:
    """Nothing of the members: what a listing that fell short leaves behind is its reason."""
    del members
    return []


KINDS = ["MetricAlarm", "CompositeAlarm"]
"""Without naming them AWS leaves composite alarms out."""

alarm = ResourceType(
    "aws.cloudwatch.alarm",
    version=1,
    title="CloudWatch alarm",
    listing=Listing(
        "cloudwatch:describe_alarms",
        AlarmTypes=KINDS,
        items=alarms,
        id="AlarmArn",
        keep=(
            "AlarmArn",
            "AlarmName",
            "ActionsEnabled",
            "AlarmActions",
            "Namespace",
            "MetricName",
            "Dimensions[].Name",
            "Metrics[].MetricStat.Metric.Namespace",
            "Metrics[].MetricStat.Metric.MetricName",
            "Metrics[].MetricStat.Metric.Dimensions",
            "AlarmRule",
        ),
    ),
)

# The calls are those of the types themselves. A population says that some region fell short, this says which.
reach = ResourceType(
    "aws.cloudwatch.reach",
    version=1,
    title="How far alarms and what they stand on were listed",
    details={
        "filters": Read("logs:describe_metric_filters", items="metricFilters", project=_counted),
        "alarms": Read("cloudwatch:describe_alarms", AlarmTypes=KINDS, items=alarms, project=_counted),
        "topics": Read("sns:list_topics", items="Topics", project=_counted),
    },
)

acting_alarm = DerivedType(
    "aws.cloudwatch.acting_alarm",
    version=1,
    title="CloudWatch alarm and what it sets off",
    over=alarm,
    inputs=(alarm, reach),
)


@alarm.document
def describe_alarm(seen: Readings) -> Alarm:
    """The alarm as listed."""
    rule = _given(seen["AlarmRule"]) or ""
    return Alarm(
        name=listed(seen["AlarmName"]),
        arn=listed(seen["AlarmArn"]),
        actions_enabled=bool(_given(seen["ActionsEnabled"])),
        actions=tuple(_given(seen["AlarmActions"]) or ()),
        metrics=tuple(_metrics(seen)),
        children=tuple(quoted or plain for quoted, plain in _CHILD.findall(rule)),
        any_child=bool(rule) and not _NARROWS.search(_QUOTED.sub("", rule)),
    )


@reach.document
def describe_reach(seen: Readings) -> Reach:
    """What may be missing from the region's listings; nothing is, where they were read to their end."""
    return Reach("Listings", *(holds(seen[name]) for name in ("filters", "alarms", "topics")))


@acting_alarm.document
def describe_acting_alarm(joined: Joined) -> ActingAlarm:
    """The alarm, with the composites above it asked only where it does nothing itself."""
    if joined.member is None:
        raise RuntimeError("this type is described over a member")
    own: Alarm = joined.member.document
    hidden = hidden_in(joined, joined.member.region).alarms
    above = (Seen(parent.document.acts) for parent in composites_above(joined.member, joined.of(alarm)))
    return ActingAlarm(
        name=own.name,
        actions_enabled=own.actions_enabled,
        action_count=len(own.actions),
        composite_acts=Seen(value=False) if own.acts else either(*above, hidden),
    )


def hidden_in(joined: Joined, region: str) -> Reach:
    """What may be missing of a region: all of it where the region was not looked at."""
    population = joined.of(reach)
    known = population.once(_reach_by_region).get(region)
    lost = Unseen(population.unseen or f"not collected in {region}")
    return known or Reach("Listings", lost, lost, lost)


def composites_above(member: Member, population: Population, *, alone: bool = False) -> tuple[Member, ...]:
    """The composite alarms that name this alarm, and those that name them; ``alone``: only those it sets off by itself."""
    composites = population.once(_composites)
    found: dict[str, Member] = {}
    waiting = [member]
    while waiting:
        below: Alarm = waiting.pop().document
        for called in (below.name, below.arn):
            for one in composites.get((member.region, called), ()):
                if one.id not in found and (one.document.any_child or not alone):
                    found[one.id] = one
                    waiting.append(one)
    return tuple(found.values())


def _composites(population: Population) -> Mapping[tuple[str, str], tuple[Member, ...]]:
    """The composite alarms of a population by their region and by what they call a child."""
    found: dict[tuple[str, str], tuple[Member, ...]] = {}
    for member in population.members:
        for called in dict.fromkeys(member.document.children):
            found[member.region, called] = (*found.get((member.region, called), ()), member)
    return found


def _reach_by_region(population: Population) -> Mapping[str, Reach]:
    return {member.region: member.document for member in population.members}


def _metrics(seen: Readings) -> Iterator[Metric]:
    name = _given(seen["MetricName"])
    if name and not _given(seen["Dimensions"]):
        yield Metric(_given(seen["Namespace"]) or "", name)
    for query in _given(seen["Metrics"]) or ():
        metric = (query.get("MetricStat") or {}).get("Metric") or {}
        if metric.get("MetricName") and not metric.get("Dimensions"):
            yield Metric(metric.get("Namespace") or "", metric["MetricName"])


def _given(reading: Reading[Any]) -> Any:
    match reading:
        case Seen(value):
            return value
        case Unseen(reason):
            raise RuntimeError(f"a listed field cannot be unseen: {reason}")
