from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from auditor.domain.control import Check, Control, Library, Mapped
from auditor.domain.document import shape_of
from auditor.domain.finding import Current, SpanState, Turn
from auditor.domain.source import Place, Source
from auditor.pipeline.assess import Assessment, assess
from auditor.pipeline.collect import collect
from auditor.pipeline.settled import EVALUATOR
from auditor.pipeline.track import Tracked, track
from auditor.proof.judge import compile_check, published_digest
from tests.unit.pipeline.world import ACCOUNT, NOW, Caller, answers, denied, room, shelf, shelves

PLACE = Place(ACCOUNT, "us-east-1")
SOURCE = Source(UUID(int=1), UUID(int=2), "aws", ACCOUNT, "library")


def check(id_: str, pass_when: str, resource: Any = shelf, applies_when: str | None = None) -> Check:
    definition = {
        "id": id_,
        "resource": resource.name,
        "document_version": 1,
        "pass_when": pass_when,
        "applies_when": applies_when,
        "params": {},
        "fail": "{name} falls short",
    }
    return Check(
        id=id_,
        control="shelves-are-locked",
        title="Shelves are locked",
        resource=resource.name,
        severity="high",
        tier="core",
        mapped=(Mapped("hipaa", "164.312(a)(1)", "primary", "locks keep strangers out"),),
        remediation={"cli": "lock it"},
        compiled=compile_check(definition, shape=shape_of(resource.document_type)),
        definition=definition,
        published_digest=published_digest(definition),
        examples=(),
        fresh_for=timedelta(days=2),
    )


LOCKED = check("library.shelf.locked", 'is_set(lock) and lock == "brass"')
YOUNG = check("library.shelf.young", "is_set(made_at) and days_since(made_at) <= 90")
ROOM = check("library.room.locked", "all(is_set(s.lock) for s in shelves)", room)


def library(*checks: Check) -> Library:
    control = Control(
        "shelves-are-locked",
        "Shelves are locked",
        "access",
        "librarian",
        "daily",
        "We lock.",
        "Theft.",
        {},
        checks,
        (),
        "f",
    )
    return Library((), (control,))


def judge_all(
    *checks: Check,
    as_of: datetime = NOW,
    current: Mapping[tuple[str, str], Current] | None = None,
    excluded: Mapping[tuple[str, str], str] | None = None,
    **changed: Any,
) -> Assessment:
    caller = Caller(answers(**changed))
    with ThreadPoolExecutor(2) as pool:
        seen = collect(PLACE, [shelf], caller, pool=pool, clock=lambda: as_of)
    judged = [kind for kind in (shelf, room) if any(one.resource == kind.name for one in checks)]
    return assess(
        seen.evidence,
        seen.coverage,
        judged=judged,
        collected=[shelf],
        checks=checks,
        account=PLACE,
        places=("us-east-1",),
        as_of=as_of,
        current=current,
        excluded=excluded,
    )


def verdicts(assessment: Assessment) -> dict[str, str]:
    return {verdict.resource: verdict.verdict for verdict in assessment.verdicts}


def remember(
    assessment: Assessment, current: Mapping[tuple[str, str], Current] | None = None, *, baseline: bool = False
) -> Tracked:
    now = max((verdict.judged_as_of for verdict in assessment.verdicts), default=NOW + timedelta(hours=1))
    return track(
        assessment.verdicts,
        current or {},
        assessment.coverage,
        source=SOURCE,
        library=library(LOCKED, YOUNG, ROOM),
        now=now,
        baseline=baseline,
        link=lambda finding: f"https://auditor.example/findings/{finding}",
        held=assessment.held,
        excluded=assessment.excluded,
    )


def standing(turns: Sequence[Turn]) -> dict[tuple[str, str], Current]:
    return {
        (turn.check, turn.resource): Current(
            check=turn.check,
            resource=turn.resource,
            resource_type=turn.resource_type,
            region=turn.region,
            place=turn.place,
            state=turn.state,
            reason=turn.reason,
            span_seq=turn.seq,
            since=turn.valid_from,
            judged_digest=turn.verdict.judged_digest if turn.verdict else "",
            document_digest=turn.verdict.document_digest if turn.verdict else "",
            evaluator=EVALUATOR,
            turns_at=turn.verdict.turns_at if turn.verdict else None,
            open=turn.open,
            evidence_digest=turn.verdict.evidence if turn.verdict else "",
        )
        for turn in turns
    }


def test_a_field_we_may_not_read_is_unknown_and_names_the_permission() -> None:
    assessment = judge_all(LOCKED, get_lock=denied("library:GetLock"))
    assert verdicts(assessment) == {"a": "unknown", "b": "unknown"}
    assert all("library:GetLock" in verdict.reason for verdict in assessment.verdicts)


def test_an_empty_place_leaves_one_line_that_does_not_apply() -> None:
    assessment = judge_all(LOCKED, list_shelves=shelves())
    assert verdicts(assessment) == {f"{ACCOUNT}/us-east-1": "not_applicable"}


def test_a_place_that_could_not_be_listed_leaves_one_unknown_line() -> None:
    assessment = judge_all(LOCKED, list_shelves=denied("library:ListShelves"))
    assert verdicts(assessment) == {f"{ACCOUNT}/us-east-1": "unknown"}


def test_a_listing_cut_short_judges_what_it_saw_and_says_that_there_may_be_more() -> None:
    assessment = judge_all(LOCKED, list_shelves=[shelves("a"), denied("library:ListShelves")])
    assert verdicts(assessment) == {"a": "pass", f"{ACCOUNT}/us-east-1": "unknown"}


def test_a_joined_document_holds_what_was_not_seen() -> None:
    whole = judge_all(ROOM)
    short = judge_all(ROOM, list_shelves=[shelves("a"), denied("library:ListShelves")])
    bad = judge_all(ROOM, list_shelves=[shelves("a"), denied("library:ListShelves")], get_lock=lambda _: {})
    assert [list(verdicts(one).values()) for one in (whole, short, bad)] == [["pass"], ["unknown"], ["fail"]]


def test_a_first_run_opens_findings_and_tells_nobody() -> None:
    tracked = remember(judge_all(LOCKED, get_lock={"Kind": "tin"}), baseline=True)
    assert [turn.state for turn in tracked.turns] == ["fail", "fail"]
    assert tracked.events == ()


def test_a_state_that_held_costs_nothing() -> None:
    before = standing(remember(judge_all(LOCKED)).turns)
    tracked = remember(judge_all(LOCKED), before)
    assert (tracked.turns, tracked.events, tracked.refreshed) == ((), (), ())


def test_a_new_deviation_is_told_once_with_cause_and_link_and_so_is_its_end() -> None:
    before = standing(remember(judge_all(LOCKED)).turns)
    opened = remember(judge_all(LOCKED, get_lock={"Kind": "tin"}, list_shelves=shelves("a")), before)
    assert [(event.type, event.data["cause"]) for event in opened.events] == [("finding.opened", "resource")]
    assert opened.events[0].data["link"].startswith("https://auditor.example/findings/")
    later = {**before, **standing(opened.turns)}
    closed = remember(judge_all(LOCKED, as_of=NOW + timedelta(days=1)), later)
    assert [event.type for event in closed.events if event.data["resource"] == "a"] == ["finding.resolved"]


def test_not_being_able_to_look_neither_resolves_nor_reopens() -> None:
    failing = standing(remember(judge_all(LOCKED, get_lock={"Kind": "tin"})).turns)
    blind = remember(judge_all(LOCKED, get_lock=denied("library:GetLock"), as_of=NOW + timedelta(days=1)), failing)
    assert [(turn.state, turn.cause) for turn in blind.turns] == [("unknown", "coverage")] * 2
    assert blind.events == ()
    seen_again = remember(
        judge_all(LOCKED, get_lock={"Kind": "tin"}, as_of=NOW + timedelta(days=2)), standing(blind.turns)
    )
    assert [(turn.state, turn.cause) for turn in seen_again.turns] == [("fail", "coverage")] * 2
    assert seen_again.events == ()


def test_only_a_complete_listing_says_that_a_resource_is_gone() -> None:
    before = standing(remember(judge_all(LOCKED)).turns)
    short = remember(judge_all(LOCKED, list_shelves=[shelves("a"), denied("library:ListShelves")]), before)
    assert "absent" not in {turn.state for turn in short.turns}
    whole = remember(judge_all(LOCKED, list_shelves=shelves("a")), before)
    assert [(turn.resource, turn.state) for turn in whole.turns] == [("b", "absent")]


def test_the_calendar_alone_turns_a_verdict_on_the_right_instant_and_says_so() -> None:
    before = standing(remember(judge_all(YOUNG)).turns)
    day = NOW + timedelta(days=91)
    assert {current.turns_at for current in before.values()} == {day}
    later = day + timedelta(hours=5)
    assessment = judge_all(YOUNG, as_of=later, current=before)
    tracked = remember(assessment, before)
    assert [(turn.state, turn.cause, turn.valid_from) for turn in tracked.turns] == [("fail", "time", day)] * 2


def test_a_changed_definition_is_the_cause_of_what_it_turns() -> None:
    before = standing(remember(judge_all(LOCKED)).turns)
    stricter = replace(check(LOCKED.id, 'is_set(lock) and lock == "steel"'), published_digest="new")
    tracked = remember(judge_all(stricter), before)
    assert {turn.cause for turn in tracked.turns} == {"control"}


def test_what_is_known_anew_is_refreshed_without_a_span() -> None:
    before = standing(remember(judge_all(LOCKED)).turns)
    reworded = check(LOCKED.id, 'is_set(lock) and (lock == "brass")')
    tracked = remember(judge_all(reworded), before)
    assert tracked.turns == ()
    assert {one.judged_digest for one in tracked.refreshed} == {reworded.judged_digest}


@pytest.mark.parametrize(("previous", "state", "resolves"), [("fail", "pass", True), ("unknown", "pass", False)])
def test_only_an_open_finding_resolves(previous: SpanState, state: SpanState, *, resolves: bool) -> None:
    turn = remember(judge_all(LOCKED)).turns[0]
    made = replace(turn, previous=previous, state=state, was_open=previous == "fail")
    assert made.resolves is resolves


def test_what_stands_as_it_was_judged_is_held_and_counted_with_its_state() -> None:
    before = standing(remember(judge_all(LOCKED, get_lock={"Kind": "tin"})).turns)
    assessment = judge_all(LOCKED, get_lock={"Kind": "tin"}, current=before)
    tracked = remember(assessment, before)
    assert (assessment.verdicts, set(assessment.held)) == ((), set(before))
    assert (tracked.turns, tracked.refreshed) == ((), ())
    assert (tracked.counts["held"], tracked.counts["judged"], tracked.counts["fail"]) == (2, 0, 2)


def test_only_the_resource_whose_evidence_changed_is_judged() -> None:
    before = standing(remember(judge_all(LOCKED)).turns)
    locks = {"a": {"Kind": "tin"}, "b": {"Kind": "brass"}}
    assessment = judge_all(LOCKED, current=before, get_lock=lambda asked: locks[asked["Shelf"]])
    assert verdicts(assessment) == {"a": "fail"}
    assert assessment.held == ((LOCKED.id, "b"),)


def test_an_unchanged_document_is_judged_again_when_its_day_has_come() -> None:
    before = standing(remember(judge_all(YOUNG)).turns)
    (day,) = {current.turns_at for current in before.values()}
    assert day is not None
    assert judge_all(YOUNG, as_of=day - timedelta(seconds=1), current=before).verdicts == ()
    assert verdicts(judge_all(YOUNG, as_of=day, current=before)) == {"a": "fail", "b": "fail"}


def test_a_raised_evaluator_judges_again_and_is_remembered_without_a_span() -> None:
    before = standing(remember(judge_all(LOCKED)).turns)
    older = {key: replace(known, evaluator="auditor 0.0.0") for key, known in before.items()}
    tracked = remember(judge_all(LOCKED, current=older), older)
    assert tracked.turns == ()
    assert {(one.check, one.resource) for one in tracked.refreshed} == set(older)


OUT = {(shelf.name, "a"): "excluded by id: a (scope version 2)"}


def test_what_the_scope_leaves_out_turns_to_excluded_and_ends_its_deviation() -> None:
    before = standing(remember(judge_all(LOCKED, get_lock={"Kind": "tin"})).turns)
    tracked = remember(judge_all(LOCKED, get_lock={"Kind": "tin"}, current=before, excluded=OUT), before)
    (turn,) = tracked.turns
    assert (turn.resource, turn.state, turn.cause, turn.verdict) == ("a", "excluded", "scope", None)
    assert turn.reason == OUT[shelf.name, "a"]
    assert [(event.type, event.data["reason"]) for event in tracked.events] == [
        ("finding.resolved", f"out of scope: {turn.reason}")
    ]
    assert (tracked.counts["excluded"], tracked.counts["held"]) == (1, 1)


def test_what_was_held_to_pass_or_was_never_judged_leaves_the_scope_silently() -> None:
    tracked = remember(judge_all(LOCKED, excluded=OUT))
    assert {turn.resource: turn.state for turn in tracked.turns} == {"a": "excluded", "b": "pass"}
    (turn,) = (turn for turn in tracked.turns if turn.state == "excluded")
    assert (turn.seq, turn.previous, turn.control, turn.tier) == (1, None, LOCKED.control, LOCKED.tier)
    assert tracked.events == ()


def test_what_stays_out_of_scope_costs_nothing_and_another_rule_only_renames_it() -> None:
    before = standing(remember(judge_all(LOCKED, excluded=OUT)).turns)
    still = remember(judge_all(LOCKED, excluded=OUT, current=before), before)
    assert (still.turns, still.refreshed) == ((), ())
    other = remember(
        judge_all(LOCKED, excluded={(shelf.name, "a"): "excluded by tag: env=dev"}, current=before), before
    )
    assert other.turns == ()
    assert [(one.resource, one.reason) for one in other.refreshed] == [("a", "excluded by tag: env=dev")]


def test_what_comes_back_into_scope_is_judged_and_says_why_it_turned() -> None:
    before = standing(remember(judge_all(LOCKED, get_lock={"Kind": "tin"}, excluded=OUT)).turns)
    tracked = remember(
        judge_all(LOCKED, get_lock={"Kind": "tin"}, current=before, as_of=NOW + timedelta(days=1)), before
    )
    assert [(turn.resource, turn.state, turn.cause) for turn in tracked.turns] == [("a", "fail", "scope")]
    assert [event.type for event in tracked.events] == ["finding.opened"]


def test_what_left_with_its_service_is_not_called_gone_while_nobody_asks_about_it() -> None:
    before = standing(remember(judge_all(LOCKED, excluded=OUT)).turns)
    left = {
        ("shelf.other", name): replace(known, check="shelf.other", state="excluded")
        for (_, name), known in before.items()
    }
    assert [turn for turn in remember(judge_all(YOUNG), left).turns if turn.check == "shelf.other"] == []


def test_a_listing_that_was_complete_elsewhere_says_nothing_about_this_place() -> None:
    before = standing(remember(judge_all(LOCKED)).turns)
    elsewhere = {(id_, f"far-{name}"): replace(known, place="eu-west-1") for (id_, name), known in before.items()}
    tracked = remember(judge_all(LOCKED, list_shelves=shelves("a")), before | elsewhere)
    assert [(turn.resource, turn.state) for turn in tracked.turns] == [("b", "absent")]


def test_two_turns_inside_one_look_do_not_share_an_instant() -> None:
    assessment = judge_all(LOCKED, get_lock={"Kind": "tin"})
    (seen,) = {verdict.observed_at for verdict in assessment.verdicts}
    later = seen + timedelta(minutes=1)
    again = replace(assessment, verdicts=tuple(replace(one, judged_as_of=later) for one in assessment.verdicts))
    before = {
        key: replace(known, state="pass", since=seen) for key, known in standing(remember(assessment).turns).items()
    }
    assert {turn.valid_from for turn in remember(again, before).turns} == {later}


def test_another_evaluator_that_reads_the_same_otherwise_is_the_cause_of_what_it_turns() -> None:
    before = standing(remember(judge_all(LOCKED)).turns)
    older = {key: replace(known, state="fail", evaluator="auditor 0.0.0") for key, known in before.items()}
    assert {turn.cause for turn in remember(judge_all(LOCKED, current=older), older).turns} == {"evaluator"}


def test_a_check_that_is_asked_no_more_ends_for_that_reason_and_its_resource_is_not_called_gone() -> None:
    before = standing(remember(judge_all(LOCKED, get_lock={"Kind": "tin"})).turns)
    retired = {("shelf.retired", name): replace(known, check="shelf.retired") for (_, name), known in before.items()}
    tracked = remember(judge_all(YOUNG), retired)
    ended = [turn for turn in tracked.turns if turn.check == "shelf.retired"]
    assert [(turn.state, turn.cause, turn.reason) for turn in ended] == [
        ("absent", "control", "The check is not asked any more")
    ] * 2
    assert tracked.events == (), "a check that nobody knows can be told by nobody"


def test_a_complete_listing_ends_what_was_excluded_too() -> None:
    before = standing(remember(judge_all(LOCKED, excluded=OUT)).turns)
    tracked = remember(judge_all(LOCKED, list_shelves=shelves("b"), current=before), before)
    assert [(turn.resource, turn.state, turn.previous) for turn in tracked.turns] == [("a", "absent", "excluded")]
