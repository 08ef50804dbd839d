"""Step Functions state machines: whether their runs leave a log."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.domain.reading import Reading, Readings
from auditor.domain.resource_type import Listing, Read, ResourceType


@dataclass(frozen=True, slots=True)
class StateMachine:
    """A state machine with the level and the places of its log; without logging the level is ``OFF``."""

    name: Reading[str]
    log_level: Reading[str]
    log_groups: Reading[tuple[str, ...]]


state_machine = ResourceType(
    "aws.stepfunctions.state_machine",
    version=1,
    title="Step Functions state machine",
    listing=Listing(
        "stepfunctions:list_state_machines",
        items="stateMachines",
        id="stateMachineArn",
        keep=("stateMachineArn", "name"),
    ),
    details={
        "described": Read(
            "stepfunctions:describe_state_machine",
            stateMachineArn="{stateMachineArn}",
            includedData="METADATA_ONLY",  # the definition may need a key to be read, and nobody here needs it
            keep=(
                "loggingConfiguration.level",
                "loggingConfiguration.destinations[].cloudWatchLogsLogGroup.logGroupArn",
            ),
        ),
    },
)


@state_machine.document
def describe_state_machine(seen: Readings) -> StateMachine:
    """The state machine with its log settings."""
    logging = seen["described"].map(lambda answer: answer.get("loggingConfiguration") or {})
    return StateMachine(
        name=seen["name"],
        log_level=logging.map(lambda known: str(known.get("level") or "OFF")),
        log_groups=logging.map(
            lambda known: tuple(
                str(group["logGroupArn"])
                for each in known.get("destinations") or ()
                if (group := each.get("cloudWatchLogsLogGroup") or {}).get("logGroupArn")
            )
        ),
    )
