"""KMS keys as their evidence shows them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from auditor.collectors.aws.kms import Key, key
from auditor.domain.reading import Readings, Seen, Unseen

OWN = {"KeyManager": "CUSTOMER", "KeySpec": "SYMMETRIC_DEFAULT", "KeyState": "Enabled", "Origin": "AWS_KMS"}
DENIED = {"$unseen": "AccessDenied kms:DescribeKey"}


def described(metadata: dict[str, Any] | None = None, **content: Any) -> Key:
    known: dict[str, Any] = {"KeyId": "k-1", "KeyArn": "arn:aws:kms:eu-west-1:111122223333:key/k-1"}
    document: Key = key.describe({**known, "key": {"KeyMetadata": {**OWN, **(metadata or {})}}, **content})
    return document


def asked(name: str, metadata: dict[str, Any]) -> bool:
    ask = key.details[name].when
    assert ask is not None
    return ask(Readings({"key": {"KeyMetadata": {**OWN, **metadata}}}, key.names))


def policy(principal: Any, condition: dict[str, Any] | None = None) -> dict[str, str]:
    statement = {"Sid": "Door", "Effect": "Allow", "Principal": principal, "Action": "kms:*", "Resource": "*"}
    return {"Policy": json.dumps({"Statement": [{**statement, **({"Condition": condition} if condition else {})}]})}


def test_a_key_says_whether_it_rotates() -> None:
    assert described(rotation={"KeyRotationEnabled": True}).rotates == Seen(value=True)
    assert described(rotation={"KeyRotationEnabled": False}).rotates == Seen(value=False)


@pytest.mark.parametrize(
    "metadata",
    [
        {"KeyManager": "AWS"},
        {"KeySpec": "RSA_2048"},
        {"Origin": "EXTERNAL"},
        {"Origin": "AWS_CLOUDHSM"},
        {"Origin": "EXTERNAL_KEY_STORE"},
        {"KeyState": "Disabled"},
        {"KeyState": "PendingDeletion"},
    ],
)
def test_a_key_that_cannot_rotate_is_not_asked_about_rotation(metadata: dict[str, str]) -> None:
    assert not asked("rotation", metadata)
    assert described(metadata).can_rotate == Seen(value=False)


def test_an_enabled_symmetric_customer_key_is_asked_everything() -> None:
    assert asked("rotation", {})
    assert asked("policy", {})


def test_the_policy_of_a_key_that_aws_manages_is_not_read() -> None:
    assert not asked("policy", {"KeyManager": "AWS"})
    assert asked("policy", {"KeyState": "PendingDeletion"})


def test_a_multi_region_key_waiting_for_its_replicas_is_about_to_be_deleted() -> None:
    assert described({"KeyState": "PendingReplicaDeletion"}).pending_deletion == Seen(value=True)
    assert described({"KeyState": "Disabled"}).pending_deletion == Seen(value=False)


def test_hidden_metadata_hides_what_nobody_could_decide_to_ask() -> None:
    hidden = described(key=DENIED)
    reason = Unseen("AccessDenied kms:DescribeKey")
    assert (hidden.can_rotate, hidden.rotates, hidden.pending_deletion, hidden.open_statements) == (reason,) * 4


def test_a_hidden_policy_is_not_an_empty_one() -> None:
    hidden = described(policy={"$unseen": "AccessDenied kms:GetKeyPolicy"})
    assert hidden.open_statements == Unseen("AccessDenied kms:GetKeyPolicy")


def test_a_policy_for_everybody_names_its_open_statement() -> None:
    assert described(policy=policy({"AWS": "*"})).open_statements == Seen(("Door",))
    assert described(policy=policy("*")).open_statements == Seen(("Door",))


def test_a_policy_for_one_account_is_closed() -> None:
    assert described(policy=policy({"AWS": "arn:aws:iam::111122223333:root"})).open_statements == Seen(())


@pytest.mark.parametrize(
    ("condition", "is_open"),
    [
        ({"StringEquals": {"kms:CallerAccount": "111122223333"}}, False),
        ({"StringEquals": {"aws:PrincipalAccount": "111122223333"}}, False),
        ({"StringEquals": {"aws:PrincipalOrgID": "o-1"}}, False),
        ({"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}}, True),
        ({"StringNotEquals": {"kms:CallerAccount": "111122223333"}}, True),
        ({"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-1"}}, True),
        ({"StringLike": {"kms:CallerAccount": "*"}}, True),
    ],
)
def test_only_a_condition_that_says_who_closes_a_statement(condition: dict[str, Any], is_open: bool) -> None:
    assert described(policy=policy({"AWS": "*"}, condition)).open_statements == Seen(("Door",) if is_open else ())
