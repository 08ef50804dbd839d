"""The chain from trail to listener, link by link, with what could not be seen on the way."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.collectors.aws.cloudtrail import multi_region_trail, multi_region_trails
from auditor.collectors.aws.cloudwatch import acting_alarm, alarm, reach
from auditor.collectors.aws.logs import metric_filter
from auditor.collectors.aws.sns import topic
from auditor.collectors.aws.watched_events import WatchedEvents, watched_events
from auditor.domain.reading import Reading, Seen, Unseen
from auditor.domain.resource_type import Joined, Member, Population, ResourceType

HERE, MINE = "eu-west-1", "111122223333"
ALL = {"EventSelectors": [{"ReadWriteType": "All", "IncludeManagementEvents": True}]}
BOTH = "{ $.eventName = DisableKey || $.eventName = ScheduleKeyDeletion }"
TOPIC = f"arn:aws:sns:{HERE}:{MINE}:alerts"
DENIED = "AccessDenied sns:ListTopics"
RINGS: Seen[tuple[str, ...]] = Seen(())
SILENT = Seen(("DisableKey", "ScheduleKeyDeletion"))


def member(kind: ResourceType, name: str, content: dict[str, Any], region: str = HERE) -> Member:
    return Member(name, region, kind.describe(content))


def a_trail(name: str = "main", *, account: str = MINE, group: str | None = "trail", **content: Any) -> Member:
    arn = f"arn:aws:logs:{HERE}:{account}:log-group:{group}:*" if group else None
    told = {"TrailARN": name, "Name": name, "IsMultiRegionTrail": True, "CloudWatchLogsLogGroupArn": arn}
    return member(multi_region_trail, name, {**told, "status": {"IsLogging": True}, "selectors": ALL, **content})


def a_filter(name: str = "keys", pattern: str = BOTH, region: str = HERE, **feed: Any) -> Member:
    feeds = [{"metricNamespace": "Watch", "metricName": name, **feed}]
    told = {"filterName": name, "filterPattern": pattern, "logGroupName": "trail", "metricTransformations": feeds}
    return member(metric_filter, name, told, region)


def an_alarm(name: str = "keys", *actions: str, **content: Any) -> Member:
    metric = {"Namespace": "Watch", "MetricName": name}
    told = {"AlarmName": name, "AlarmArn": f"arn:{name}", "ActionsEnabled": True, "AlarmActions": list(actions)}
    return member(alarm, f"arn:{name}", {**told, **({} if "AlarmRule" in content else metric), **content})


def a_topic(listeners: int = 1) -> Member:
    return member(
        topic, TOPIC, {"TopicArn": TOPIC, "attributes": {"Attributes": {"SubscriptionsConfirmed": str(listeners)}}}
    )


def reached(region: str = HERE, unseen: str | None = None, **hidden: str) -> Population:
    """A region whose listings were read to their end, but for those named with what hides the rest."""
    told = {kind: [{"$unseen": hidden[kind]}] if kind in hidden else [] for kind in ("filters", "alarms", "topics")}
    return Population((member(reach, f"{MINE}/{region}", told, region),), unseen)


def seen(hidden: dict[str, str] | None = None, /, **short: Population) -> WatchedEvents:
    whole = {
        "trails": Population((a_trail(),)),
        "filters": Population((a_filter(),)),
        "alarms": Population((an_alarm("keys", TOPIC),)),
        "topics": Population((a_topic(),)),
        **short,
    }
    kinds = {"trails": multi_region_trail, "filters": metric_filter, "alarms": alarm, "topics": topic}
    populations = {kinds[name].name: population for name, population in whole.items()}
    populations[reach.name] = reached(**(hidden or {}))
    document: WatchedEvents = watched_events.describe(Joined(MINE, "global", None, populations))
    return document


def keys(hidden: dict[str, str] | None = None, /, **short: Population) -> Reading[tuple[str, ...]]:
    return seen(hidden, **short).kms_key_disabled


def test_a_whole_chain_leaves_no_gap_of_its_kind_and_all_of_the_others() -> None:
    document = seen()
    assert document.kms_key_disabled == RINGS
    assert document.trail_changes == Seen(("StopLogging", "DeleteTrail", "UpdateTrail"))


@pytest.mark.parametrize(
    "short",
    [
        {"trails": Population(())},
        {"trails": Population((a_trail(group=None),))},
        {"trails": Population((a_trail(status={"IsLogging": False}),))},
        {"trails": Population((a_trail(selectors={"EventSelectors": []}),))},
        {"filters": Population((a_filter(region="us-east-1"),))},
        {"filters": Population((a_filter(dimensions={"name": "$.eventName"}),))},
        {"alarms": Population((an_alarm("other", TOPIC),))},
        {"alarms": Population((an_alarm("keys", TOPIC, Dimensions=[{"Name": "x"}]),))},
        {"alarms": Population((an_alarm("keys", TOPIC, ActionsEnabled=False),))},
        {"alarms": Population((an_alarm("keys", "arn:aws:lambda:eu-west-1:111122223333:function:x"),))},
        {"topics": Population(())},
        {"topics": Population((a_topic(0),))},
    ],
)
def test_a_broken_link_is_silence(short: dict[str, Population]) -> None:
    assert keys(**short) == SILENT


@pytest.mark.parametrize(
    "short",
    [
        {"trails": Population((), DENIED)},
        {"trails": Population((a_trail(status={"$unseen": DENIED}),))},
        {"trails": Population((a_trail(account="999988887777"),))},
        {"filters": Population((a_filter(pattern="{ $.eventName = %Disable.*% }"),))},
        {"alarms": Population((an_alarm("keys", "arn:aws:sns:eu-west-1:999988887777:central"),))},
        {"topics": Population((member(topic, TOPIC, {"TopicArn": TOPIC, "attributes": {"$unseen": DENIED}}),))},
    ],
)
def test_an_unseen_link_is_unknown_and_never_silence(short: dict[str, Population]) -> None:
    assert isinstance(keys(**short), Unseen)


@pytest.mark.parametrize("kind", ["filters", "alarms", "topics"])
def test_a_listing_that_fell_short_where_the_chain_runs_is_unknown(kind: str) -> None:
    assert keys({kind: DENIED}, **{kind: Population((), DENIED)}) == Unseen(DENIED)


@pytest.mark.parametrize("kind", ["filters", "alarms", "topics"])
def test_a_region_that_fails_says_nothing_about_a_chain_that_runs_in_another(kind: str) -> None:
    assert keys(**{kind: Population((), f"{DENIED} in us-east-1")}) == SILENT


def test_a_chain_that_was_seen_decides_whatever_else_was_not() -> None:
    whole = {
        "filters": Population((a_filter(),), DENIED),
        "alarms": Population((an_alarm("keys", TOPIC),), DENIED),
        "topics": Population((a_topic(),), DENIED),
        "trails": Population((a_trail(),), DENIED),
    }
    assert keys({"filters": DENIED, "alarms": DENIED, "topics": DENIED}, **whole) == RINGS


def test_a_log_group_in_a_region_nobody_looked_at_is_unknown() -> None:
    far = a_trail(CloudWatchLogsLogGroupArn=f"arn:aws:logs:sa-east-1:{MINE}:log-group:trail:*")
    assert keys(trails=Population((far,))) == Unseen("not collected in sa-east-1")


def test_only_trails_of_all_regions_are_followed() -> None:
    page = {"trailList": [{"Name": "one", "IsMultiRegionTrail": False}, {"Name": "all", "IsMultiRegionTrail": True}]}
    assert [each["Name"] for each in multi_region_trails(page)] == ["all"]


def test_an_unseen_link_does_not_matter_where_another_chain_holds() -> None:
    assert keys({"filters": DENIED}, filters=Population((a_filter(),), DENIED)) == RINGS
    assert keys(trails=Population((a_trail(), a_trail("other", account="999988887777")))) == RINGS


def test_an_unreadable_pattern_that_rings_nowhere_excuses_nothing() -> None:
    odd = a_filter("odd", "{ $.eventName = %Disable.*% }")
    assert keys(filters=Population((odd,))) == SILENT


def test_two_filters_add_up() -> None:
    one, two = a_filter("one", "{ $.eventName = DisableKey }"), a_filter("two", "{ $.eventName = ScheduleKeyDeletion }")
    alarms = Population((an_alarm("one", TOPIC), an_alarm("two", TOPIC)))
    assert keys(filters=Population((one, two)), alarms=alarms) == RINGS
    assert keys(filters=Population((one,)), alarms=alarms) == Seen(("ScheduleKeyDeletion",))


@pytest.mark.parametrize(
    ("rule", "gap"),
    [
        ('ALARM("keys") OR ALARM(other)', RINGS),
        ("ALARM(arn:keys)", RINGS),
        ('ALARM("keys") AND ALARM("other")', SILENT),
        ('NOT ALARM("keys")', SILENT),
        ('OK("keys")', SILENT),
        ('ALARM("keys AND more")', SILENT),
    ],
)
def test_a_composite_speaks_for_an_alarm_that_sets_it_off_alone(rule: str, gap: Reading[tuple[str, ...]]) -> None:
    alarms = Population((an_alarm("keys"), an_alarm("above", TOPIC, AlarmRule=rule)))
    assert keys(alarms=alarms) == gap


def test_composites_that_name_each_other_end() -> None:
    loop = (an_alarm("a", AlarmRule="ALARM(b)"), an_alarm("b", AlarmRule="ALARM(a) OR ALARM(keys)"))
    assert keys(alarms=Population((an_alarm("keys"), *loop))) == SILENT


def test_an_alarm_over_metric_math_watches_each_metric_in_it() -> None:
    query = {"MetricStat": {"Metric": {"Namespace": "Watch", "MetricName": "keys"}}}
    assert keys(alarms=Population((an_alarm("math", TOPIC, Metrics=[query]),))) == RINGS


def test_a_silent_alarm_is_unknown_where_a_composite_may_be_hidden() -> None:
    population = Population((an_alarm("mute"), an_alarm("loud", TOPIC)), "Throttling cloudwatch:DescribeAlarms")

    def acts(which: int, known: Population) -> Reading[bool]:
        joined = Joined(MINE, HERE, population.members[which], {alarm.name: population, reach.name: known})
        told: Reading[bool] = acting_alarm.describe(joined).composite_acts
        return told

    assert isinstance(acts(0, reached(alarms="Throttling")), Unseen)
    assert acts(1, reached(alarms="Throttling")) == Seen(value=False), "what acts by itself needs nobody above it"
    assert acts(0, reached()) == Seen(value=False), "composites stand in the region of their children"
