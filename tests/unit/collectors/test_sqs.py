"""Queues alone, and beside those that send them what failed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from auditor.collectors.aws.sqs import Queue, Redrive, queue, queues, redrive
from auditor.domain.reading import Seen, Unseen
from auditor.domain.resource_type import Joined, Member, Population

DENIED = {"$unseen": "AccessDenied sqs:GetQueueAttributes"}
HIDDEN = Unseen("AccessDenied sqs:GetQueueAttributes")


def described(name: str, attributes: Any) -> Queue:
    document: Queue = queue.describe({"QueueName": name, "attributes": attributes})
    return document


def sending(name: str, target: str) -> Queue:
    policy = json.dumps({"deadLetterTargetArn": target, "maxReceiveCount": 5})
    return described(name, {"Attributes": {"RedrivePolicy": policy}})


def beside(own: Queue, *others: Queue, unseen: str | None = None) -> Redrive:
    member = Member("arn:failed", "eu-west-1", own)
    everyone = (member, *(Member(f"arn:{one.name}", "eu-west-1", one) for one in others))
    populations = {"aws.sqs.queue": Population(everyone, unseen)}
    document: Redrive = redrive.describe(Joined("111122223333", "eu-west-1", member, populations))
    return document


def test_a_queue_is_named_by_the_end_of_its_url() -> None:
    url = "https://sqs.eu-west-1.amazonaws.com/111122223333/orders"
    assert list(queues({"QueueUrls": [url]})) == [{"QueueUrl": url, "QueueName": "orders"}]
    assert list(queues({})) == []


@pytest.mark.parametrize(
    ("attributes", "encrypted"),
    [
        ({"SqsManagedSseEnabled": "true"}, True),
        ({"SqsManagedSseEnabled": "false", "KmsMasterKeyId": "alias/aws/sqs"}, True),
        ({"SqsManagedSseEnabled": "false"}, False),
        ({}, False),
    ],
)
def test_either_key_encrypts_a_queue(attributes: dict[str, str], encrypted: bool) -> None:
    assert described("q", {"Attributes": attributes}).encrypted == Seen(encrypted)


def test_attributes_we_may_not_read_are_unknown() -> None:
    hidden = described("q", DENIED)
    assert (hidden.encrypted, hidden.open_statements, hidden.failures_go_to) == (HIDDEN, HIDDEN, HIDDEN)


def test_a_queue_that_others_name_takes_failures() -> None:
    own = described("failed", {"Attributes": {}})
    assert beside(own, sending("orders", "arn:failed")).takes_failures == Seen(value=True)
    assert beside(own, sending("orders", "arn:other")).takes_failures == Seen(value=False)


def test_a_queue_nobody_could_read_may_be_the_one_that_names_it() -> None:
    own = described("failed", {"Attributes": {}})
    assert beside(own, described("dark", DENIED)).takes_failures == HIDDEN
    assert beside(own, unseen="denied").takes_failures == Unseen("denied")
    assert beside(own, described("dark", DENIED), sending("orders", "arn:failed")).takes_failures == Seen(value=True)


def test_a_redrive_policy_that_is_no_json_is_unseen() -> None:
    broken = described("q", {"Attributes": {"RedrivePolicy": "no json"}})
    assert broken.failures_go_to == Unseen("redrive policy could not be read as JSON")
