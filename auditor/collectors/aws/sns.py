"""SNS topics: encrypted or not, whom their policies let in, and whether anybody listens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from auditor.collectors.aws._listed import listed
from auditor.domain.policy import open_to_strangers, statements_of
from auditor.domain.reading import Reading, Readings
from auditor.domain.resource_type import Listing, Read, ResourceType


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic by its own attributes; ``subscribed`` counts confirmed subscriptions only, whoever owns them."""

    name: str
    kms_key: Reading[str | None]
    open_statements: Reading[tuple[str, ...]]
    subscribed: Reading[bool]


topic = ResourceType(
    "aws.sns.topic",
    version=1,
    title="SNS topic",
    listing=Listing("sns:list_topics", items="Topics", id="TopicArn", keep=("TopicArn",)),
    details={
        "attributes": Read(
            "sns:get_topic_attributes",
            TopicArn="{TopicArn}",
            keep=("Attributes.KmsMasterKeyId", "Attributes.Policy", "Attributes.SubscriptionsConfirmed"),
        ),
    },
)


@topic.document
def describe_topic(seen: Readings) -> Topic:
    """The topic with the attributes that its own call told."""
    attributes: Reading[dict[str, Any]] = seen["attributes"].map(lambda answer: (answer or {}).get("Attributes", {}))
    policy = statements_of(attributes.map(lambda told: told.get("Policy")))
    return Topic(
        name=listed(seen["TopicArn"]).rpartition(":")[2],
        kms_key=attributes.map(lambda told: told.get("KmsMasterKeyId") or None),
        open_statements=policy.map(open_to_strangers),
        subscribed=attributes.map(lambda told: int(told.get("SubscriptionsConfirmed") or 0) > 0),
    )
