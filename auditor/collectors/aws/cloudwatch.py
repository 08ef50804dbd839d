"""CloudWatch alarms: what they watch, whom they tell, and the composite alarms that speak for others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from auditor.collectors.aws._listed import listed
from auditor.collectors.aws.logs import Metric
from auditor.collectors.aws.s3 import either
from auditor.domain.reading import Reading, Readings, Seen, Unseen
from auditor.domain.resource_type import DerivedType, Joined, Listing, Member, Population, ResourceType

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


alarm = ResourceType(
    "aws.cloudwatch.alarm",
    version=1,
    title="CloudWatch alarm",
    listing=Listing(
        "cloudwatch:describe_alarms",
        AlarmTypes=["MetricAlarm", "CompositeAlarm"],  # without, AWS leaves composite ones out
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

acting_alarm = DerivedType(
    "aws.cloudwatch.acting_alarm",
    version=1,
    title="CloudWatch alarm and what it sets off",
    over=alarm,
    inputs=(alarm,),
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


@acting_alarm.document
def describe_acting_alarm(joined: Joined) -> ActingAlarm:
    """The alarm, with the composites above it asked only where it does nothing itself."""
    if joined.member is None:
        raise RuntimeError("this type is described over a member")
    own: Alarm = joined.member.document
    population = joined.of(alarm)
    unseen = (Unseen(population.unseen),) if population.unseen else ()
    above = () if own.acts else (Seen(parent.document.acts) for parent in composites_above(joined.member, population))
    return ActingAlarm(
        name=own.name,
        actions_enabled=own.actions_enabled,
        action_count=len(own.actions),
        composite_acts=either(*above, *(() if own.acts else unseen)),
    )


def composites_above(member: Member, population: Population, *, alone: bool = False) -> tuple[Member, ...]:
    """The composite alarms that name this alarm, and those that name them; ``alone``: only those it sets off by itself."""
    composites = [one for one in population.members if one.document.children and one.region == member.region]
    found: dict[str, Member] = {}
    waiting = [member]
    while waiting:
        below: Alarm = waiting.pop().document
        for one in composites:
            named = not {below.name, below.arn}.isdisjoint(one.document.children)
            if named and one.id not in found and (one.document.any_child or not alone):
                found[one.id] = one
                waiting.append(one)
    return tuple(found.values())


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
