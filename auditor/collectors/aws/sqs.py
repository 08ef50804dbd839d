"""SQS queues: encrypted or not, whom their policies let in, and where messages go that nobody could process."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, assert_never

from auditor.collectors.aws._listed import listed
from auditor.domain.policy import open_to_strangers, statements_of
from auditor.domain.reading import Reading, Readings, Seen, Unseen
from auditor.domain.resource_type import DerivedType, Joined, Listing, Population, Read, ResourceType


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue by its own attributes; ``failures_go_to`` is the ARN of its dead-letter queue."""

    name: str
    encrypted: Reading[bool]
    open_statements: Reading[tuple[str, ...]]
    failures_go_to: Reading[str | None]


@dataclass(frozen=True, slots=True)
class Redrive:
    """A queue among the others of its region: where its failures go, and whether others send theirs here."""

    name: str
    failures_go_to: Reading[str | None]
    takes_failures: Reading[bool]


def queues(page: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Queues by URL, whose last part is the name."""
    return ({"QueueUrl": url, "QueueName": url.rsplit("/", 1)[-1]} for url in page.get("QueueUrls", ()))


queue = ResourceType(
    "aws.sqs.queue",
    version=1,
    title="SQS queue",
    listing=Listing(
        "sqs:list_queues",
        MaxResults=1000,  # more pages are told only to those who ask with a size
        items=queues,
        id="arn:{partition}:sqs:{region}:{account}:{QueueName}",
        keep=("QueueName",),
    ),
    details={
        "attributes": Read(
            "sqs:get_queue_attributes",
            QueueUrl="{QueueUrl}",
            AttributeNames=["SqsManagedSseEnabled", "KmsMasterKeyId", "Policy", "RedrivePolicy"],
            keep=(
                "Attributes.SqsManagedSseEnabled",
                "Attributes.KmsMasterKeyId",
                "Attributes.Policy",
                "Attributes.RedrivePolicy",
            ),
        ),
    },
)

redrive = DerivedType(
    "aws.sqs.redrive",
    version=1,
    title="SQS queue and its dead letters",
    over=queue,
    inputs=(queue,),
)


@queue.document
def describe_queue(seen: Readings) -> Queue:
    """The queue; AWS leaves attributes out that are not set."""
    attributes = seen["attributes"].map(lambda answer: (answer or {}).get("Attributes") or {})
    return Queue(
        name=listed(seen["QueueName"]),
        encrypted=attributes.map(
            lambda known: known.get("SqsManagedSseEnabled") == "true" or bool(known.get("KmsMasterKeyId"))
        ),
        open_statements=statements_of(attributes.map(lambda known: known.get("Policy"))).map(open_to_strangers),
        failures_go_to=_target(attributes.map(lambda known: known.get("RedrivePolicy"))),
    )


@redrive.document
def describe_redrive(joined: Joined) -> Redrive:
    """The queue with what the redrive policies of the other queues say about it."""
    if joined.member is None:
        raise RuntimeError("a redrive belongs to a queue")
    own: Queue = joined.member.document
    return Redrive(own.name, own.failures_go_to, _takes_failures(joined.member.id, joined.of(queue)))


def _takes_failures(arn: str, everyone: Population) -> Reading[bool]:
    """One queue that names it settles it; one that could not be read leaves it open."""
    targets: list[Reading[str | None]] = [
        one if isinstance(one, Unseen) else one.failures_go_to for one in everyone.documents()
    ]
    if Seen(arn) in targets:
        return Seen(value=True)
    return next((target for target in targets if isinstance(target, Unseen)), Seen(value=False))


def _target(policy: Reading[str | None]) -> Reading[str | None]:
    match policy:
        case Seen(value):
            try:
                return Seen(json.loads(value).get("deadLetterTargetArn") if value else None)
            except (ValueError, AttributeError):
                return Unseen("redrive policy could not be read as JSON")
        case Unseen():
            return policy
        case _:
            assert_never(policy)
