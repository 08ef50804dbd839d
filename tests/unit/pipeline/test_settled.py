from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from auditor.domain.coverage import Coverage, CoverageState
from auditor.domain.evidence import Standing
from auditor.domain.finding import Current
from auditor.domain.resource_type import DerivedType
from auditor.domain.scope import Scope
from auditor.domain.volatile import beside
from auditor.pipeline.settled import EVALUATOR, built_from, settled, unsettled
from tests.unit.pipeline.test_assess_and_track import LOCKED, ROOM, YOUNG
from tests.unit.pipeline.world import ACCOUNT, NOW, room, shelf

FINDING = Current(
    check=LOCKED.id,
    resource="a",
    resource_type=shelf.name,
    region="us-east-1",
    place="us-east-1",
    state="pass",
    reason="",
    span_seq=1,
    since=NOW,
    judged_digest=LOCKED.judged_digest,
    document_digest="d",
    evaluator=EVALUATOR,
    evidence_digest="e",
)


def row(native_id: str, *, digest: str = "e", kind: str = shelf.name) -> Standing:
    return Standing(kind, 1, native_id, "us-east-1", "us-east-1", digest, NOW, ())


def found(*findings: Current) -> Mapping[tuple[str, str], Current]:
    return {(one.check, one.resource): one for one in findings}


def test_a_finding_stands_while_nothing_that_decides_it_changed() -> None:
    assert settled(FINDING, LOCKED, "e", NOW)


@pytest.mark.parametrize(
    "changed",
    [
        {"evidence_digest": "other"},
        {"judged_digest": "another definition"},
        {"evaluator": "auditor 0.0.0"},
        {"turns_at": NOW},
        {"state": "absent"},
        {"state": "excluded"},
    ],
)
def test_a_finding_is_judged_again_when_one_of_them_did(changed: dict[str, Any]) -> None:
    assert not settled(replace(FINDING, **changed), LOCKED, "e", NOW)


def test_what_was_never_judged_is_not_settled() -> None:
    assert not settled(None, LOCKED, "e", NOW)


def test_a_turn_of_the_calendar_that_lies_ahead_settles() -> None:
    assert settled(replace(FINDING, turns_at=NOW + timedelta(seconds=1)), LOCKED, "e", NOW)


def test_a_resource_is_read_if_one_of_its_checks_must_be_judged() -> None:
    rows = (row("a"), row("b"))
    known = found(FINDING, replace(FINDING, resource="b"))
    read, left = unsettled(rows, [shelf], [LOCKED], known, {}, NOW, Scope())
    assert ([one.native_id for one in read], [one.native_id for one in left]) == ([], ["a", "b"])
    read, left = unsettled(rows, [shelf], [LOCKED, YOUNG], known, {}, NOW, Scope())
    assert ([one.native_id for one in read], left) == (["a", "b"], [])


def test_a_resource_of_a_type_that_is_not_asked_about_is_neither_read_nor_left() -> None:
    assert unsettled([row("a", kind="aws.library.lamp")], [shelf], [LOCKED], {}, {}, NOW, Scope()) == ([], [])


def test_what_the_scope_leaves_out_is_not_read_and_neither_is_what_is_derived_over_it() -> None:
    over = DerivedType("aws.library.label", version=1, title="label", over=shelf, inputs=())
    out = {(shelf.name, "a"): "excluded by id: a"}
    labelled = replace_resource(over.name)
    rows = (row("a"), row("b"), row("a", kind=over.name), row("b", kind=over.name))
    read, left = unsettled(rows, [shelf, over], [LOCKED, labelled], {}, out, NOW, Scope())
    assert [(one.resource_type, one.native_id) for one in left] == [(shelf.name, "a"), (over.name, "a")]
    assert [one.native_id for one in read] == ["b", "b"]


def replace_resource(name: str) -> Any:
    return replace(LOCKED, id="library.label.locked", resource=name)


def test_a_place_is_never_left_out() -> None:
    place = f"{ACCOUNT}/us-east-1"
    out = {(room.name, place): "excluded by id: *"}
    read, left = unsettled([row(place, kind=room.name)], [room], [ROOM], {}, out, NOW, Scope())
    assert (len(read), left) == (1, [])


def built(*rows: Standing, state: CoverageState = "ok", detail: str = "", places: tuple[str, ...] = ("r",)) -> str:
    look = Coverage("us-east-1", shelf.name, state, NOW, listed=len(rows), detail=detail)
    return built_from(room, {shelf.name: rows}, [look], places)


def test_a_derived_type_is_built_again_when_an_input_its_reach_or_the_places_changed() -> None:
    same = built(row("a"), row("b"))
    assert built(row("b"), row("a")) == same
    assert built(replace(row("a"), collected_at=NOW + timedelta(days=1)), row("b")) == same
    others = [
        built(row("a")),
        built(row("a"), row("b", digest="other")),
        built(row("a"), row("b"), state="denied"),
        built(row("a"), row("b"), state="denied", detail="AccessDenied library:ListShelves"),
        built(row("a"), row("b"), places=("r", "s")),
        built(row("a"), replace(row("b"), region="eu-west-1")),
    ]
    assert len({same, *others}) == 7


def test_a_derived_type_is_built_again_when_volatile_facts_of_an_input_moved() -> None:
    def over(digest: str) -> str:
        facts = row("place", kind=beside(shelf.name), digest=digest)
        return built_from(room, {shelf.name: [row("a")], facts.resource_type: [facts]}, [], ())

    assert len({over("then"), over("now"), built_from(room, {shelf.name: [row("a")]}, [], ())}) == 3


def test_a_resource_whose_volatile_facts_moved_is_read_for_the_check_that_judged_others() -> None:
    known, rows = found(FINDING, replace(FINDING, resource="b")), [row("a"), row("b")]
    read, left = unsettled(rows, [shelf], [LOCKED], known, {}, NOW, Scope(), {(LOCKED.id, "b"), (YOUNG.id, "a")})
    assert ([one.native_id for one in read], [one.native_id for one in left]) == (["b"], ["a"])


def test_what_a_derived_type_is_not_built_from_does_not_matter() -> None:
    lamp = row("l", kind="aws.library.lamp")
    look = Coverage("us-east-1", lamp.resource_type, "denied", NOW)
    assert built_from(room, {lamp.resource_type: [lamp]}, [look], ()) == built_from(room, {}, [], ())
