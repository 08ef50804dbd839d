"""Filter patterns as CloudWatch Logs reads them, and the events that they single out."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.collectors.aws._filter_pattern import PatternError, read
from auditor.collectors.aws._watched_events import KINDS, watched

EVENT: dict[str, Any] = {
    "eventName": "StopLogging",
    "userIdentity": {"type": "Root", "sessionContext": {"mfa": False}},
    "count": 4,
    "gone": None,
    "tags": ["a", "b"],
    "errorCode": "Client.UnauthorizedOperation",
}


@pytest.mark.parametrize(
    "pattern",
    [
        "{ $.eventName = StopLogging }",
        '{$.eventName="StopLogging"}',
        '{ $.eventName = "Stop*" }',
        '{ $.errorCode = "*UnauthorizedOperation" }',
        "{ $.errorCode = *Unauthorized*ation }",
        "{ $.eventName = * }",
        "{ $.eventName != DeleteTrail }",
        "{ ($.eventName = DeleteTrail) || ($.eventName = StopLogging) }",
        "{ $.eventName = DeleteTrail && $.count = 9 || $.count = 4 }",
        "{ $.eventName = StopLogging || $.eventName = DeleteTrail && $.count = 9 }",
        "{ $.userIdentity.type = Root && $.userIdentity.invokedBy NOT EXISTS }",
        "{ $.userIdentity.sessionContext.mfa IS FALSE }",
        "{ $.gone IS NULL }",
        "{ $.count > 3 && $.count <= 4 && $.count = 4 }",
        "{ $.tags[1] = b }",
        "{ $.['eventName'] = StopLogging }",
        "{ $.eventName = %StopLogging|DeleteTrail% }",
        "StopLogging",
        '"StopLogging" -DeleteTrail',
        "?DeleteTrail ?StopLogging",
        "",
    ],
)
def test_a_pattern_that_fits_matches(pattern: str) -> None:
    assert read(pattern)(EVENT)


@pytest.mark.parametrize(
    "pattern",
    [
        "{ $.eventName = stoplogging }",
        "{ $.eventName = Stop }",
        "{ $.eventName != StopLogging }",
        "{ $.nothing = * }",
        "{ $.nothing != x }",
        "{ $.userIdentity = Root }",
        "{ $.eventName NOT EXISTS }",
        "{ ($.eventName = StopLogging) && ($.userIdentity.type = IAMUser) }",
        "{ ($.eventName = StopLogging || $.count = 4) && $.count = 9 }",
        "{ $.count < 4 }",
        "{ $.eventName > 4 }",
        "StopLogging DeleteTrail",
        "StopLogging -Root",
        "?DeleteTrail ?UpdateTrail",
        "DeleteTrail ?StopLogging",
        "[ip, user, ...]",
    ],
)
def test_a_pattern_that_does_not_fit_does_not_match(pattern: str) -> None:
    assert not read(pattern)(EVENT)


@pytest.mark.parametrize(
    "pattern",
    [
        "{ $.eventName }",
        "{ $.eventName = }",
        "{ ($.eventName = a }",
        "{ eventName = a }",
        "{ $.eventName = %St.*g% }",
        "{ $.count > many }",
        "{ $.eventName IS ODD }",
        "{ $.eventName = a $.eventName = b }",
        "{ " + "(" * 400 + "$.a = b" + ")" * 400 + " }",
        '"never closed',
    ],
)
def test_what_cannot_be_read_for_certain_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        read(pattern)


def test_many_wildcards_cost_no_more_than_few() -> None:
    assert not read("{ $.eventName = " + "*a" * 400 + " }")({"eventName": "a" * 300})


def test_a_pattern_singles_out_the_events_it_names() -> None:
    assert watched("{ ($.eventName = StopLogging) || ($.eventName = DeleteTrail) }") == {
        ("trail_changes", "StopLogging"),
        ("trail_changes", "DeleteTrail"),
    }


def test_a_pattern_that_also_matches_ordinary_calls_watches_nothing() -> None:
    assert watched("") == frozenset()
    assert watched("{ $.eventName = * }") == frozenset()


def test_a_pattern_narrowed_to_one_person_watches_nothing() -> None:
    assert watched("{ $.eventName = StopLogging && $.userIdentity.userName = bob }") == frozenset()


def test_one_name_in_two_services_is_told_apart_by_its_source() -> None:
    kinds = {kind for kind, _ in watched("{ $.eventName = CreatePolicy }")}
    assert kinds == {"iam_policy_changes", "organization_changes"}
    mine = watched('{ $.eventSource = "iam.amazonaws.com" && $.eventName = CreatePolicy }')
    assert mine == {("iam_policy_changes", "CreatePolicy")}


def test_root_pattern_leaves_out_what_services_do_for_root() -> None:
    assert {kind for kind, _ in watched('{ $.userIdentity.type = "Root" }')} == {"root_usage"}


def test_every_kind_has_events() -> None:
    assert all(KINDS.values())
