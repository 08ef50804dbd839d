"""Step Functions state machines as their evidence shows them."""

from __future__ import annotations

from typing import Any

from auditor.collectors.aws.stepfunctions import StateMachine, state_machine
from auditor.domain.reading import Seen, Unseen

GROUP = "arn:aws:logs:eu-west-1:111122223333:log-group:runs:*"


def described(answer: dict[str, Any]) -> StateMachine:
    document: StateMachine = state_machine.describe({"name": "claims", "described": answer})
    return document


def test_a_state_machine_tells_its_level_and_its_groups() -> None:
    places = [{"cloudWatchLogsLogGroup": {"logGroupArn": GROUP}}, {"cloudWatchLogsLogGroup": {}}, {}]
    seen = described({"loggingConfiguration": {"level": "ERROR", "destinations": places}})
    assert (seen.log_level, seen.log_groups) == (Seen("ERROR"), Seen((GROUP,)))


def test_a_state_machine_without_logging_is_off() -> None:
    seen = described({})
    assert (seen.log_level, seen.log_groups) == (Seen("OFF"), Seen(()))


def test_a_state_machine_that_may_not_be_described_is_unseen() -> None:
    hidden = described({"$unseen": "AccessDenied states:DescribeStateMachine"})
    assert hidden.log_level == hidden.log_groups == Unseen("AccessDenied states:DescribeStateMachine")
