"""The fault matrix: every operation of every declared read, in every service, answers wrongly in every way we know.

Whatever one call does, the others stand, and no verdict turns because of it: it holds or becomes unknown. Nothing is called
gone, nothing is closed, every check keeps a line in every place, and coverage or evidence says what happened.

The full product is run in this process against answers made up from the vendor's models, since no emulator knows all services.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any
from uuid import UUID

import pytest

from auditor.collectors.aws import resource_types
from auditor.domain.coverage import Coverage
from auditor.domain.evidence import Evidence
from auditor.domain.ports import CallFailed
from auditor.domain.projection import hidden
from auditor.domain.resource_type import AnyType, DerivedType, ResourceType
from auditor.domain.source import GLOBAL, Place, Source
from auditor.domain.verdict import Verdict
from auditor.pipeline.assess import assess
from auditor.pipeline.collect import collect
from auditor.pipeline.plan import inputs
from controls import shipped
from tests.fixtures.generated import ACCOUNT, NOW, GeneratedAccount, Told
from tests.fixtures.spoiling import Inline, World, differences

PLACES = (GLOBAL, "us-east-1")
SOURCE = Source(UUID(int=1), UUID(int=2), "aws", ACCOUNT, "made up")
KINDS = tuple(kind for kind in resource_types() if isinstance(kind, ResourceType))
OPERATIONS = sorted({operation for kind in KINDS for read in kind.reads for operation in read.operations})


def refused(code: str, kind: Any) -> Callable[[str, Told], Told]:
    return lambda operation, _: [CallFailed(code, kind, action=operation)]


def misshapen(_: str, told: Told) -> Told:
    return [{name: 7 if isinstance(value, (list, dict)) else value for name, value in page.items()} for page in told]


def members_misshapen(_: str, told: Told) -> Told:
    return [{name: [7] if isinstance(value, list) else value for name, value in page.items()} for page in told]


def second_page_empty(_: str, told: Told) -> Told:
    return [{name: [] if isinstance(value, list) else value for name, value in told[0].items()}, *told]


FAULTS: Mapping[str, Callable[[str, Told], Told]] = {
    "denied": refused("AccessDenied", "denied"),
    "throttled": refused("ThrottlingException", "throttled"),
    "500": refused("InternalFailure", "error"),
    "cut": refused("ConnectionClosedError", "error"),
    "cut after a page": lambda operation, told: [*told, *refused("ConnectionClosedError", "error")(operation, told)],
    "unreadable": lambda _operation, _told: [RuntimeError("arn:aws:s3:::somebodys-bucket")],
    "no answer": lambda _operation, _told: [],
    "not a page": lambda _operation, _told: ["<html>"],
    "misshapen": misshapen,
    "members misshapen": members_misshapen,
    "gone": refused("InvalidThing.NotFound", "error"),
}


def look(kinds: Sequence[ResourceType], caller: GeneratedAccount) -> tuple[list[Evidence], list[Coverage]]:
    seen = [collect(Place(ACCOUNT, place), kinds, caller, pool=Inline(), clock=lambda: NOW) for place in PLACES]
    return [e for one in seen for e in one.evidence], [c for one in seen for c in one.coverage]


def judge(evidence: Iterable[Evidence], coverage: Iterable[Coverage], judged: Sequence[AnyType]) -> World:
    evidence, coverage = tuple(evidence), tuple(coverage)
    said = assess(
        evidence,
        coverage,
        judged=judged,
        collected=KINDS,
        checks=shipped().checks,
        account=Place(ACCOUNT, GLOBAL),
        places=PLACES,
        as_of=NOW,
    )
    return World(evidence, coverage, said.verdicts, said.coverage)


@cache
def fault_free() -> World:
    evidence, coverage = look(KINDS, GeneratedAccount())
    return judge(evidence, coverage, resource_types())


@cache
def judged_by_type() -> Mapping[str, tuple[Verdict, ...]]:
    found: dict[str, list[Verdict]] = {}
    for verdict in fault_free().verdicts:
        found.setdefault(verdict.resource_type, []).append(verdict)
    return {name: tuple(verdicts) for name, verdicts in found.items()}


def concerned(operation: str) -> tuple[list[ResourceType], list[AnyType]]:
    """The types that ask the operation, and with them all that are joined from one of those."""
    asking = [kind for kind in KINDS if any(operation in read.operations for read in kind.reads)]
    joined = [
        kind
        for kind in resource_types()
        if isinstance(kind, DerivedType) and any(each in asking for each in inputs(kind))
    ]
    return asking, [*asking, *joined]


def spoiled(operation: str, fault: Callable[[str, Told], Told]) -> tuple[World, list[ResourceType], list[AnyType]]:
    asking, judged = concerned(operation)
    names = {kind.name for kind in asking}
    needed = names | {each.name for kind in judged if isinstance(kind, DerivedType) for each in inputs(kind)}
    caller = GeneratedAccount(lambda asked, told: fault(asked, told) if asked == operation else told)
    evidence, coverage = look(asking, caller)
    assert operation in caller.asked, "the fault was never met"
    stood = fault_free()
    evidence += [seen for seen in stood.evidence if seen.resource_type in needed - names]
    coverage += [seen for seen in stood.coverage if seen.resource_type in needed - names]
    return judge(evidence, coverage, judged), asking, judged


def told(operation: str, world: World, asking: Sequence[ResourceType]) -> Iterator[str]:
    """Where coverage and evidence keep silent about a fault."""
    for kind in asking:
        looks = [one for one in world.coverage if one.resource_type == kind.name]
        listing = () if kind.listing is None else tuple(one for read in kind.listing.chain for one in read.operations)
        if operation in listing:
            short = [one for one in looks if not one.complete]
            if not short or any(operation.partition(":")[0] not in one.detail for one in short):
                yield f"{kind.name}: the coverage of {operation} says {[(one.state, one.detail) for one in looks]}"
        elif not all(one.complete for one in looks):
            yield f"{kind.name}: a detail, {operation}, broke the listing"


@pytest.mark.parametrize("fault", [name for name in FAULTS if "misshapen" not in name])
def test_a_call_that_fails_turns_no_verdict_and_says_so(fault: str) -> None:
    wrong: list[str] = []
    for operation in OPERATIONS:
        world, asking, judged = spoiled(operation, FAULTS[fault])
        before = [verdict for kind in judged for verdict in judged_by_type().get(kind.name, ())]
        wrong += [*differences(operation, before, world, SOURCE), *told(operation, world, asking)]
        assert not [seen for seen in world.coverage if "somebody" in seen.detail], "coverage repeats a value"
    assert not wrong, "\n".join(wrong[:40])


@pytest.mark.parametrize("fault", [name for name in FAULTS if "misshapen" in name])
def test_an_answer_of_another_form_turns_no_verdict(fault: str) -> None:
    wrong: list[str] = []
    for operation in OPERATIONS:
        world, _, judged = spoiled(operation, FAULTS[fault])
        before = [verdict for kind in judged for verdict in judged_by_type().get(kind.name, ())]
        wrong += differences(operation, before, world, SOURCE)
    assert not wrong, "\n".join(wrong[:40])


def test_an_empty_page_before_the_others_changes_nothing() -> None:
    for operation in OPERATIONS:
        world, _, judged = spoiled(operation, second_page_empty)
        paged = {kind.name for kind in judged}
        assert paged
        single = [read for kind in KINDS for read in kind.reads if read.operation == operation and read.items is None]
        if not single:
            before = [verdict for kind in judged for verdict in judged_by_type().get(kind.name, ())]
            assert {v.key: v.verdict for v in world.verdicts} == {v.key: v.verdict for v in before}, operation


def test_every_operation_of_every_service_is_met() -> None:
    assert len(OPERATIONS) > 150
    caller = GeneratedAccount()
    look(KINDS, caller)
    assert set(OPERATIONS) <= set(caller.asked)
    assert not [seen for seen in fault_free().coverage if not seen.complete]
    words = {verdict.verdict for verdict in fault_free().verdicts}
    assert words == {"pass", "fail", "not_applicable", "unknown"}


def test_a_refused_detail_stands_in_the_evidence_of_each_resource_that_asked() -> None:
    world, _, _ = spoiled("s3:get_bucket_encryption", FAULTS["denied"])
    gaps = [hidden(seen.content["encryption"]) for seen in world.evidence if seen.resource_type == "aws.s3.bucket"]
    assert gaps == ["AccessDenied s3:get_bucket_encryption"] * 2
