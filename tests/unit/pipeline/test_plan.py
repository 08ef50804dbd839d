"""Parts, turns and hours: all of it decided by pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from threading import Event
from uuid import UUID

import pytest

from auditor.collectors.aws import resource_types
from auditor.collectors.pace import LocalBucket, PacedBucket, at_pace
from auditor.domain.control import Library
from auditor.domain.errors import StaleFenceError
from auditor.domain.ports import CallFailed
from auditor.domain.resource_type import ResourceType
from auditor.domain.scope import Rule, Scope
from auditor.domain.source import Manners, Unit
from auditor.pipeline.plan import CADENCES, next_day, parts, places, quiet, rotas, select, slot, this_day
from auditor.pipeline.stop import Watched
from controls import shipped
from tests.unit.pipeline.world import NOW, Caller, answers

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
PLAIN = tuple(kind for kind in resource_types() if isinstance(kind, ResourceType))
REGIONAL = {kind.name.split(".")[1] for kind in PLAIN if kind.place == "region"}
HOT: Mapping[str, int] = {
    "ec2:describe_instances": 900,
    "ec2:describe_instance_attribute": 3_000,
    "rds:describe_db_snapshot_attributes": 2_500,
    "lambda:get_policy": 1_500,
    "sqs:get_queue_attributes": 700,
}


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, 5, hour, minute, tzinfo=UTC)


def test_a_place_that_costs_little_is_one_unit() -> None:
    assert parts({"eu-central-1": {"sqs:list_queues": 2_000}, "us-east-1": {}}, PLAIN, 2_000) == {}


def test_every_service_of_a_cut_place_is_in_exactly_one_part_what_cost_nothing_included() -> None:
    (cut,) = parts({"us-east-1": HOT}, PLAIN, 2_000).values()
    services = [service for part in cut for service in part]
    assert len(services) == len(set(services))
    assert set(services) == REGIONAL
    assert len(cut) == -(-sum(HOT.values()) // 2_000)


def test_the_dearest_services_stand_apart_and_the_rest_lies_beside_the_cheapest() -> None:
    (cut,) = parts({"us-east-1": HOT}, PLAIN, 3_000).values()
    assert len(cut) == 3
    where = {service: number for number, part in enumerate(cut) for service in part}
    assert len({where["ec2"], where["rds"], where["lambda"]}) == 3
    assert where["sqs"] == where["lambda"]


def test_the_same_costs_are_cut_the_same_in_whatever_order_they_come() -> None:
    backwards = dict(reversed(list(HOT.items())))
    once = parts({"us-east-1": HOT, "eu-west-1": HOT}, PLAIN, 1_000)
    again = parts({"eu-west-1": backwards, "us-east-1": backwards}, tuple(reversed(PLAIN)), 1_000)
    assert once == again
    assert once["us-east-1"] == once["eu-west-1"]


def test_one_dear_service_alone_is_not_cut() -> None:
    assert parts({"us-east-1": {"sqs:get_queue_attributes": 50_000}}, PLAIN, 2_000) == {}


def test_the_global_place_is_cut_by_its_own_services() -> None:
    costs = {"global": {"s3:get_bucket_acl": 5_000, "iam:get_account_authorization_details": 3_000}}
    (cut,) = parts(costs, PLAIN, 4_000).values()
    assert {service for part in cut for service in part} == {
        kind.name.split(".")[1] for kind in PLAIN if kind.place == "account"
    }


def test_each_type_of_a_cut_place_is_looked_at_by_one_of_its_units() -> None:
    (cut,) = parts({"us-east-1": HOT}, PLAIN, 1_000).values()
    unit = Unit(UUID(int=1), UUID(int=2), UUID(int=3), UUID(int=4), "us-east-1", 1, NOW)
    units = [replace(unit, part=f"{number}", services=services) for number, services in enumerate(cut)]
    for kind in PLAIN:
        if kind.place == "region":
            assert sum(unit.has(kind.name) for unit in units) == 1, kind.name


def rhythm(library: Library, **cadences: str) -> Library:
    """The shipped controls, all weekly, but for those of these checks' services."""
    controls = [
        replace(
            one,
            cadence=next(
                (cadences[c.id.split(".")[0]] for c in one.checks if c.id.split(".")[0] in cadences), "weekly"
            ),
        )
        for one in library.controls
    ]
    return Library(library.frameworks, tuple(controls))


def test_daily_runs_under_a_daily_cadence_read_everything_each_time() -> None:
    selection = select(shipped(), resource_types(), Scope())
    found = rotas(shipped(), selection, DAY, NOW)
    judged = {kind.name for kind in selection.judged}
    assert judged & found.keys()
    assert {rota.every for rota in found.values()} == {1}


def test_hourly_runs_share_out_a_day_and_no_detail_waits_longer() -> None:
    selection = select(shipped(), resource_types(), Scope())
    turns = [rotas(shipped(), selection, HOUR, NOW + number * HOUR)["aws.sqs.queue"] for number in range(24)]
    assert {rota.every for rota in turns} == {24}
    for name in ("a", "b", "c"):
        assert sum(rota.has(name) for rota in turns) == 1


@pytest.mark.parametrize(("every", "runs"), [(HOUR * 5, 4), (HOUR * 13, 1), (DAY * 3, 1), (HOUR * 8, 3)])
def test_as_many_runs_as_fit_whole_into_a_cadence_and_never_more(every: timedelta, runs: int) -> None:
    selection = select(shipped(), resource_types(), Scope())
    assert rotas(shipped(), selection, every, NOW)["aws.s3.bucket"].every == runs
    assert runs == 1 or runs * every <= CADENCES["daily"]


def test_the_tightest_cadence_decides_also_that_of_a_derived_type_built_from_it() -> None:
    services = ("sqs", "sns", "vpc")
    weekly = rhythm(shipped().only(services))
    selection = select(weekly, resource_types(), Scope())
    assert rotas(weekly, selection, DAY, NOW)["aws.vpc.subnet"].every == 7
    daily = rhythm(shipped().only(services), vpc="daily")
    assert rotas(daily, selection, DAY, NOW)["aws.vpc.subnet"].every == 1
    always = rhythm(shipped().only(services), vpc="continuous")
    assert rotas(always, selection, HOUR, NOW)["aws.vpc.subnet"].every == 1


def test_regions_out_of_scope_are_no_places() -> None:
    scope = Scope(regions=("eu-west-1", "us-east-1"), without=Rule(regions=("us-east-1",)))
    assert places(("eu-west-1", "us-east-1", "ap-south-1"), scope) == ("global", "eu-west-1")


def test_what_is_only_counted_is_listed_as_far_as_its_service_is_in_scope() -> None:
    kinds = ("aws.organizations.account", "aws.eks.cluster")
    asked = select(shipped().only(("s3",)), PLAIN, Scope(without=Rule(services=("eks",))), inventory=kinds)
    assert {kind.name for kind in asked.collected} & set(kinds) == {"aws.organizations.account"}
    assert {kind.name for kind in asked.judged} & set(kinds) == set()


def test_any_moment_of_a_slot_has_the_same_start() -> None:
    assert {slot(at(hour), DAY) for hour in range(24)} == {at(0)}


@pytest.mark.parametrize(
    ("hours", "asked", "begins"),
    [
        (None, at(3), at(3)),
        ((8, 18), at(7, 59), at(7, 59)),
        ((8, 18), at(8), at(18)),
        ((8, 18), at(17, 59), at(18)),
        ((8, 18), at(18), at(18)),
        ((22, 6), at(23, 30), at(6) + DAY),
        ((22, 6), at(5, 59), at(6)),
        ((22, 6), at(6), at(6)),
        ((22, 6), at(21, 59), at(21, 59)),
        ((20, 24), at(21), at(0) + DAY),
        ((20, 24), at(3), at(3)),
        ((5, 5), at(5), at(5)),
    ],
)
def test_a_unit_begins_now_or_when_the_quiet_hours_end(
    hours: tuple[int, int] | None, asked: datetime, begins: datetime
) -> None:
    assert quiet(Manners(quiet=hours), asked) == begins


def test_quiet_hours_are_utc_whatever_zone_is_asked_in() -> None:
    tokyo = at(23).astimezone(timezone(9 * HOUR))
    assert quiet(Manners(quiet=(22, 2)), tokyo) == at(2) + DAY


def test_a_day_begins_at_midnight_utc() -> None:
    assert (this_day(at(23, 59)), next_day(at(23, 59))) == (at(0), at(0) + DAY)


def test_a_source_with_a_pace_gets_so_many_requests_a_second_whatever_the_service_costs() -> None:
    now = [0.0]
    bucket = at_pace(LocalBucket(100, 1000, clock=lambda: now[0]), Manners(per_second=5))
    waits = [bucket.take("k", 0.25) for _ in range(15)]
    assert waits[:5] == [0.0] * 5, "a second's worth is there at once"
    assert waits[-1] == pytest.approx(2.0), "ten more take two seconds"


def test_a_source_without_a_pace_shares_the_usual_buckets() -> None:
    bucket = LocalBucket(100, 1000)
    assert at_pace(bucket, Manners()) is bucket
    assert isinstance(at_pace(bucket, Manners(per_second=1)), PacedBucket)


def test_looking_ends_at_the_next_call_once_the_unit_is_lost() -> None:
    stopped = Event()
    caller = Caller(answers(list_shelves=[{"Shelves": []}, {"Shelves": []}]))
    watched = Watched(caller, stopped)
    pages = watched.pages("library:list_shelves", {}, region="eu-central-1")
    next(pages)
    stopped.set()
    with pytest.raises(StaleFenceError):
        next(pages)
    with pytest.raises(StaleFenceError):
        list(watched.pages("library:get_lock", {}, region="eu-central-1"))
    with pytest.raises(StaleFenceError):
        watched.prepare("library:get_lock", region="eu-central-1")
    assert caller.asked == {"library:list_shelves": 1}


def test_the_longest_wait_that_a_refusal_asks_for_is_remembered() -> None:
    slow = [CallFailed("SlowDown", "throttled", action="library:X", retry_after=seconds) for seconds in (30, 120, 0)]
    caller = Caller(answers(get_lock=lambda _: slow.pop(0)))
    watched = Watched(caller, Event())
    assert watched.later == 0
    for _ in range(3):
        with pytest.raises(CallFailed):
            list(watched.pages("library:get_lock", {}, region="eu-central-1"))
    assert watched.later == 120
