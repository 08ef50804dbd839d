from __future__ import annotations

from typing import Any

import pytest

from auditor.domain.trust_policy import trust

GITHUB = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"
CLUSTER = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/ABC"
SAML = "arn:aws:iam::111122223333:saml-provider/staff"
POOLS = "cognito-identity.amazonaws.com"
MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}


def door(principal: Any, condition: dict[str, Any] | None = None, action: Any = "sts:AssumeRole") -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": principal, "Action": action, "Condition": condition or {}}
    return {"Version": "2012-10-17", "Statement": [statement]}


def github(subject: Any, operator: str = "StringLike") -> dict[str, Any]:
    condition = {operator: {"token.actions.githubusercontent.com:sub": subject}}
    return door({"Federated": GITHUB}, condition, "sts:AssumeRoleWithWebIdentity")


@pytest.mark.parametrize(
    "policy",
    [
        door("*"),
        door({"AWS": "*"}, {"StringEquals": {"sts:ExternalId": "shared"}}),
        door({"AWS": "*"}, {"Bool": {"aws:SecureTransport": "true"}}),
        door({"Federated": GITHUB}, {}, "sts:AssumeRoleWithWebIdentity"),
        github("*"),
        github("repo:*"),
        github("repo:acme/*"),
        github(["repo:acme/site:*", "repo:acme/*"]),
        github("repo:acme/site:*", "StringLikeIfExists"),
        github("repo:acme/site:*", "ForAllValues:StringLike"),
        door(
            {"Federated": GITHUB},
            {"StringEquals": {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"}},
            "*",
        ),
        door({"Federated": CLUSTER}, {"StringLike": {"oidc:sub": "system:serviceaccount:*"}}, "sts:*"),
        door({"Federated": POOLS}, {}, "sts:AssumeRoleWithWebIdentity"),
    ],
)
def test_a_role_that_names_nobody_is_open(policy: dict[str, Any]) -> None:
    assert trust(policy).open_to == ("statement 1",)


@pytest.mark.parametrize(
    "policy",
    [
        door({"AWS": "arn:aws:iam::111122223333:root"}),
        door({"Service": "ec2.amazonaws.com"}),
        door({"AWS": "*"}, {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}),
        door({"Federated": SAML}, {}, "sts:AssumeRoleWithSAML"),
        github("repo:acme/site:*"),
        github("repo:acme/site:ref:refs/heads/main", "StringEquals"),
        github(["repo:acme/site:*", "repo:acme/app:*"]),
        door({"Federated": CLUSTER}, {"StringLike": {"oidc:sub": "system:serviceaccount:shop:*"}}, "sts:*"),
        door(
            {"Federated": POOLS}, {"StringEquals": {f"{POOLS}:aud": "eu-west-1:1234"}}, "sts:AssumeRoleWithWebIdentity"
        ),
        door("*", {}, "sts:TagSession"),
    ],
)
def test_a_role_that_names_whom_it_trusts_is_not_open(policy: dict[str, Any]) -> None:
    assert trust(policy).open_to == ()


@pytest.mark.parametrize(
    ("principal", "expected"),
    [
        ({"AWS": "arn:aws:iam::111122223333:root"}, True),
        ({"AWS": "111122223333"}, True),
        ({"AWS": "arn:aws:iam::111122223333:user/ana"}, True),
        ({"Federated": SAML}, True),
        ({"Federated": GITHUB}, True),
        ("*", True),
        ({"Federated": CLUSTER}, False),
        ({"Service": "lambda.amazonaws.com"}, False),
        ({"AWS": "arn:aws:iam::111122223333:role/deploy"}, False),
    ],
)
def test_people_are_federation_users_and_account_roots(principal: Any, expected: bool) -> None:
    assert trust(door(principal, None, "sts:*")).people is expected


def test_an_account_is_unguarded_unless_it_must_show_an_external_id() -> None:
    partner = {"AWS": ["arn:aws:iam::999988887777:root", "arn:aws:iam::111122223333:role/app"]}
    assert trust(door(partner)).accounts == ("111122223333", "999988887777")
    assert trust(door(partner, {"StringEquals": {"sts:ExternalId": "x1"}})).accounts == ()


def test_a_second_factor_is_demanded_only_if_every_way_in_demands_it() -> None:
    guarded = door({"AWS": "111122223333"}, MFA)
    both = {"Statement": [*guarded["Statement"], *door({"AWS": "111122223333"})["Statement"]]}
    assert trust(guarded).mfa
    assert not trust(both).mfa
    assert not trust(door({"AWS": "111122223333"}, {"BoolIfExists": {"aws:MultiFactorAuthPresent": "true"}})).mfa
    assert not trust(None).mfa
