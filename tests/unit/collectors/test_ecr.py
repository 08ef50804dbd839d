"""ECR repositories as their evidence shows them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from auditor.collectors.aws.ecr import Repository, repository
from auditor.domain.reading import Seen, Unseen

DENIED = {"$unseen": "AccessDenied ecr:GetRegistryScanningConfiguration"}


def described(**content: Any) -> Repository:
    known: dict[str, Any] = {
        "repositoryArn": "arn:aws:ecr:eu-west-1:111122223333:repository/clinic/web",
        "repositoryName": "clinic/web",
        "imageTagMutability": "MUTABLE",
        "imageScanningConfiguration": {"scanOnPush": False},
        "policy": None,
        "scanning": registry(),
    }
    document: Repository = repository.describe({**known, **content})
    return document


def registry(*filters: str, frequency: str = "SCAN_ON_PUSH", scan_type: str = "BASIC") -> dict[str, Any]:
    rule = {"scanFrequency": frequency, "repositoryFilters": [{"filter": each} for each in filters]}
    return {"scanningConfiguration": {"scanType": scan_type, "rules": [rule] if filters else []}}


@pytest.mark.parametrize(
    ("filters", "covered"),
    [
        (("*",), True),
        (("clinic/*",), True),
        (("web",), True),
        (("lab/*", "*/web"), True),
        (("lab",), False),
        ((), False),
    ],
)
def test_a_registry_rule_covers_a_repository_by_its_name(filters: tuple[str, ...], covered: bool) -> None:
    assert described(scanning=registry(*filters)).scanned == Seen(covered)


def test_a_rule_that_scans_by_hand_scans_nothing() -> None:
    assert described(scanning=registry("*", frequency="MANUAL")).scanned == Seen(value=False)
    assert described(scanning=registry("*", frequency="CONTINUOUS_SCAN")).scanned == Seen(value=True)


def test_the_own_flag_counts_only_under_basic_scanning() -> None:
    on = {"scanOnPush": True}
    assert described(imageScanningConfiguration=on).scanned == Seen(value=True)
    enhanced = registry("lab", scan_type="ENHANCED")
    assert described(imageScanningConfiguration=on, scanning=enhanced).scanned == Seen(value=False)


def test_a_hidden_registry_leaves_scanning_open() -> None:
    assert described(imageScanningConfiguration={"scanOnPush": True}, scanning=DENIED).scanned == Unseen(
        DENIED["$unseen"]
    )


@pytest.mark.parametrize(
    ("mutability", "spared", "fixed"),
    [
        ("IMMUTABLE", [], True),
        ("IMMUTABLE_WITH_EXCLUSION", [{"filter": "dev-*"}], True),
        ("IMMUTABLE_WITH_EXCLUSION", [{"filter": "dev-*"}, {"filter": "*"}], False),
        ("MUTABLE", [], False),
        ("MUTABLE_WITH_EXCLUSION", [{"filter": "release-*"}], False),
        (None, [], False),
    ],
)
def test_tags_are_fixed_unless_every_tag_is_spared(mutability: str | None, spared: list[Any], fixed: bool) -> None:
    seen = described(imageTagMutability=mutability, imageTagMutabilityExclusionFilters=spared)
    assert seen.tags_fixed == Seen(fixed)


def test_a_policy_for_everybody_names_its_statement_and_no_policy_is_closed() -> None:
    statement = {"Sid": "Pull", "Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}
    assert described(policy={"policyText": json.dumps({"Statement": [statement]})}).open_statements == Seen(("Pull",))
    assert described().open_statements == Seen(())
    assert described(policy={"policyText": "{"}).open_statements == Unseen("policy could not be read as JSON")
