"""Stacks as drift detection left them."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.collectors.aws.cloudformation import stack, stacks
from auditor.domain.reading import Seen, Unseen

NEVER = Unseen("drift detection has not been run on this stack")


def described(drift: Any) -> Any:
    return stack.describe(
        {"StackName": "web", "StackStatus": "CREATE_COMPLETE", **({} if drift is None else {"DriftInformation": drift})}
    )


def test_deleted_stacks_are_left_out() -> None:
    page = {"StackSummaries": [{"StackStatus": "DELETE_COMPLETE"}, {"StackStatus": "DELETE_FAILED"}]}
    assert [item["StackStatus"] for item in stacks(page)] == ["DELETE_FAILED"]


@pytest.mark.parametrize(
    "drift", [None, {}, {"StackDriftStatus": "NOT_CHECKED"}, {"StackDriftStatus": "UNKNOWN", "LastCheckTimestamp": "t"}]
)
def test_a_stack_nobody_looked_at_is_unknown(drift: Any) -> None:
    assert (described(drift).drifted, described(drift).looked_at) == (NEVER, NEVER)


@pytest.mark.parametrize(("status", "drifted"), [("IN_SYNC", False), ("DRIFTED", True)])
def test_a_stack_that_was_looked_at_says_when(status: str, drifted: bool) -> None:
    found = described({"StackDriftStatus": status, "LastCheckTimestamp": "2026-01-01T00:00:00Z"})
    assert (found.drifted, found.looked_at) == (Seen(drifted), Seen("2026-01-01T00:00:00Z"))


def test_a_look_without_its_time_is_not_recent() -> None:
    assert described({"StackDriftStatus": "IN_SYNC"}).looked_at == Unseen("the time of drift detection was not told")
