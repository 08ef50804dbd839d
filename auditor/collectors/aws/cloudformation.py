"""CloudFormation stacks: whether what runs is still what the template says, and when somebody last looked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from auditor.domain.reading import Reading, Readings, Seen, Unseen
from auditor.domain.resource_type import Listing, ResourceType

GONE = "DELETE_COMPLETE"
LOOKED = frozenset({"IN_SYNC", "DRIFTED"})


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack with the outcome of the last drift detection that somebody ran."""

    name: Reading[str]
    status: Reading[str]
    drifted: Reading[bool]
    looked_at: Reading[datetime]


def stacks(page: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Stacks that still exist: the listing remembers deleted ones for ninety days."""
    return (item for item in page.get("StackSummaries", ()) if item.get("StackStatus") != GONE)


stack = ResourceType(
    "aws.cloudformation.stack",
    version=2,
    title="CloudFormation stack",
    listing=Listing(
        "cloudformation:list_stacks",
        items=stacks,
        id="StackId",
        keep=(
            "StackName",
            "StackStatus",
            "DriftInformation.StackDriftStatus",
            "DriftInformation.LastCheckTimestamp",
        ),
    ),
    volatile=("DriftInformation.LastCheckTimestamp",),
)


@stack.document
def describe_stack(seen: Readings) -> Stack:
    """The stack; where nobody looked for drift, none was seen and none is excluded."""
    drift = seen["DriftInformation"]
    told: Reading[Mapping[str, Any]] = drift.map(lambda known: known or {})
    if isinstance(told, Seen) and told.value.get("StackDriftStatus") not in LOOKED:
        told = Unseen("drift detection has not been run on this stack")
    looked: Reading[Any] = told.map(lambda known: known.get("LastCheckTimestamp"))
    return Stack(
        name=seen["StackName"],
        status=seen["StackStatus"],
        drifted=told.map(lambda known: known["StackDriftStatus"] == "DRIFTED"),
        looked_at=Unseen("the time of drift detection was not told") if looked == Seen(None) else looked,
    )
