"""The fault matrix of clusters: every list of every declared kind, over TLS, answers wrongly in every way we know.

As for accounts: whatever one list does, the others stand, and no verdict turns because of it: it holds or becomes unknown.
Nothing is called gone, nothing is closed, every check keeps a line, and coverage says what happened.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args
from uuid import UUID

import pytest

from auditor.collectors.kubernetes import resource_types
from auditor.collectors.kubernetes._client import ClusterCaller
from auditor.collectors.kubernetes._connection import connect
from auditor.collectors.kubernetes._requests import UNLISTED
from auditor.domain.resource_type import AnyType, DerivedType, ResourceType
from auditor.domain.source import GLOBAL, Place, Source
from auditor.pipeline.assess import assess
from auditor.pipeline.collect import collect
from auditor.pipeline.plan import inputs
from auditor.simulators.cluster_company import build
from auditor.simulators.kubernetes_api import ClusterApi
from auditor.simulators.kubernetes_faults import Action, Trouble
from controls import shipped
from tests.fixtures.generated import NOW
from tests.fixtures.spoiling import Inline, World, differences

KINDS = tuple(kind for kind in resource_types() if isinstance(kind, ResourceType))
LISTED = tuple(kind for kind in KINDS if kind.listing is not None and kind.listing.operation not in UNLISTED)
LIBRARY = shipped().about("kubernetes")
SOURCE = Source(UUID(int=1), UUID(int=2), "kubernetes", "meadowbrook", "made up")
HARMLESS: dict[Action, Trouble] = {
    "slow": Trouble("slow", "list"),
    "empty_page": Trouble("empty_page", "list"),
    "unauthorized": Trouble("unauthorized", "list", times=1),
    "expire": Trouble("expire", "list", times=1),
    "hang_up": Trouble("hang_up", "list"),
    "cut": Trouble("cut", "list", times=2),
    "cut_body": Trouble("cut_body", "list", times=2),
    "throttle": Trouble("throttle", "list", times=2),
    "unavailable": Trouble("unavailable", "list", times=2),
    "garbage": Trouble("garbage", "list", times=2),
    "broken": Trouble("broken", "list", times=2),
}
"""What passes, or is no fault at all: the listing comes out whole."""
LASTING: dict[str, Trouble] = {
    "deny": Trouble("deny", "list"),
    "throttle": Trouble("throttle", "list"),
    "throttle for an hour": Trouble("throttle", "list", retry_after=3600),
    "unavailable": Trouble("unavailable", "list"),
    "broken": Trouble("broken", "list"),
    "cut": Trouble("cut", "list"),
    "cut after a page": Trouble("cut", "list", skip=1),
    "cut_body": Trouble("cut_body", "list"),
    "garbage": Trouble("garbage", "list"),
    "no_list": Trouble("no_list", "list"),
    "no_members": Trouble("no_members", "list"),
    "expire": Trouble("expire", "list"),
    "expire_hard": Trouble("expire_hard", "list"),
    "unauthorized": Trouble("unauthorized", "list"),
}
MID_LIST = {"cut after a page", "expire", "expire_hard"}
"""These need a second page."""


@pytest.fixture(scope="module")
def api() -> Iterator[ClusterApi]:
    with ClusterApi(clock=lambda: NOW) as running:
        build(running)
        yield running


@pytest.fixture(scope="module")
def asked(api: ClusterApi, tmp_path_factory: pytest.TempPathFactory) -> ClusterCaller:
    caller = connect(kubeconfig=api.kubeconfig(tmp_path_factory.mktemp("way") / "kubeconfig"), page=500)
    caller._sleep = lambda _: None
    return caller


@pytest.fixture(scope="module")
def stood(asked: ClusterCaller) -> World:
    seen = collect(place(asked), KINDS, asked, pool=Inline(), clock=lambda: NOW)
    world = judged(asked, seen.evidence, seen.coverage, resource_types())
    assert all(look.complete for look in world.coverage)
    assert {verdict.verdict for verdict in world.verdicts} == {"pass", "fail", "not_applicable", "unknown"}
    return world


def place(asked: ClusterCaller) -> Place:
    return Place(asked.account, GLOBAL, "", "kubernetes")


def judged(asked: ClusterCaller, evidence: Sequence[Any], coverage: Sequence[Any], kinds: Sequence[AnyType]) -> World:
    said = assess(
        evidence,
        coverage,
        judged=kinds,
        collected=KINDS,
        checks=LIBRARY.checks,
        account=place(asked),
        places=(GLOBAL,),
        as_of=NOW,
    )
    return World(tuple(evidence), tuple(coverage), said.verdicts, said.coverage)


def concerned(kind: ResourceType) -> list[AnyType]:
    """The kind, and all that is joined from it."""
    return [kind, *(one for one in resource_types() if isinstance(one, DerivedType) and kind in inputs(one))]


def spoiled(api: ClusterApi, asked: ClusterCaller, stood: World, kind: ResourceType, trouble: Trouble) -> World:
    """The world with this kind alone looked at again, in trouble."""
    assert kind.listing is not None
    plural = kind.listing.operation.rpartition(":")[2]
    api.clear_troubles()
    api.trouble(Trouble(trouble.action, "list", plural, "*", trouble.skip, trouble.times, trouble.retry_after))
    seen = collect(place(asked), [kind], asked, pool=Inline(), clock=lambda: NOW)
    api.clear_troubles()
    others = [one for one in stood.evidence if one.resource_type != kind.name]
    looks = [one for one in stood.coverage if one.resource_type != kind.name]
    return judged(asked, [*others, *seen.evidence], [*looks, *seen.coverage], concerned(kind))


def before(stood: World, kind: ResourceType) -> list[Any]:
    names = {one.name for one in concerned(kind)}
    return [verdict for verdict in stood.verdicts if verdict.resource_type in names]


def look_at(world: World, kind: ResourceType) -> Any:
    return next(look for look in world.coverage if look.resource_type == kind.name)


def test_every_trouble_of_the_small_cluster_is_in_the_matrix() -> None:
    lasting = {trouble.action for trouble in LASTING.values()}
    assert {*HARMLESS, *lasting} == set(get_args(Action))


@pytest.mark.parametrize("fault", LASTING)
def test_a_list_that_fails_turns_no_verdict_and_says_so(
    fault: str, api: ClusterApi, asked: ClusterCaller, stood: World
) -> None:
    asked._page = 1 if fault in MID_LIST else 500
    wrong: list[str] = []
    met = 0
    for kind in LISTED:
        if fault in MID_LIST and look_at(stood, kind).listed < 2:
            continue
        world = spoiled(api, asked, stood, kind, LASTING[fault])
        look = look_at(world, kind)
        met += 1
        if look.complete or not look.detail:
            wrong.append(f"{kind.name}: its coverage says {look.state} ({look.detail})")
        wrong += differences(kind.name, before(stood, kind), world, SOURCE)
    assert met > len(LISTED) / 3
    assert not wrong, "\n".join(wrong[:40])


@pytest.mark.parametrize("fault", HARMLESS)
def test_a_list_whose_trouble_passes_comes_out_whole(
    fault: Action, api: ClusterApi, asked: ClusterCaller, stood: World
) -> None:
    asked._page = 1 if fault == "expire" else 500
    for kind in LISTED:
        world = spoiled(api, asked, stood, kind, HARMLESS[fault])
        told: Mapping[Any, str] = {one.key: one.verdict for one in world.verdicts}
        assert told == {one.key: one.verdict for one in before(stood, kind)}, kind.name
