"""Secrets as their evidence shows them."""

from __future__ import annotations

import json
from typing import Any

from auditor.collectors.aws.secretsmanager import Secret, secret
from auditor.domain.reading import Seen, Unseen

ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-a1b2c3"


def described(**content: Any) -> Secret:
    document: Secret = secret.describe({"ARN": ARN, "Name": "db", **content})
    return document


def policy(principal: Any) -> dict[str, str]:
    statement = {"Sid": "Door", "Effect": "Allow", "Principal": principal, "Action": "*", "Resource": "*"}
    return {"ResourcePolicy": json.dumps({"Statement": [statement]})}


def test_a_secret_without_rotation_does_not_rotate() -> None:
    assert (described().rotates, described().rotated_at) == (Seen(value=False), Seen(None))


def test_a_replica_is_known_by_its_other_primary_region() -> None:
    assert described(PrimaryRegion="us-east-1").is_replica == Seen(value=True)
    assert described(PrimaryRegion="eu-west-1").is_replica == Seen(value=False)
    assert described().is_replica == Seen(value=False)


def test_a_policy_for_everybody_names_its_open_statement() -> None:
    assert described(policy=policy("*")).open_statements == Seen(("Door",))
    assert described(policy=policy({"AWS": "arn:aws:iam::111122223333:root"})).open_statements == Seen(())
    assert described(policy={}).open_statements == Seen(())


def test_a_hidden_policy_is_not_an_empty_one() -> None:
    assert described(policy={"$unseen": "denied"}).open_statements == Unseen("denied")


def test_the_service_that_owns_a_secret_is_named() -> None:
    assert described(OwningService="rds").owned_by == Seen("rds")
