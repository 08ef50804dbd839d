from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from auditor.domain.policy import (
    condition_narrows,
    grants_administrator,
    open_to_strangers,
    parse,
    requires_tls,
    statements_of,
)
from auditor.domain.reading import Seen, Unseen

BUCKET = "arn:aws:s3:::records"


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(**changes: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "*", "Resource": "*", **changes}


def deny(**changes: Any) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": "*", "Resource": "*", **changes}


def tls_deny(**changes: Any) -> dict[str, Any]:
    return {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [BUCKET, f"{BUCKET}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        **changes,
    }


@pytest.mark.parametrize("spelt", [json.dumps, lambda value: quote(json.dumps(value)), lambda value: value])
def test_a_policy_reads_the_same_as_text_as_encoded_text_and_as_a_mapping(spelt: Any) -> None:
    (statement,) = parse(spelt(policy(allow(Sid="all", Principal={"AWS": ["*"]}))))
    assert (statement.name, statement.principals, statement.actions) == ("all", (("AWS", "*"),), ("*",))


def test_a_statement_without_a_sid_is_named_by_its_place() -> None:
    assert [one.name for one in parse(policy(allow(Sid="first"), allow()))] == ["first", "statement 2"]


def test_one_statement_need_not_stand_in_a_list() -> None:
    assert len(parse({"Statement": allow()})) == 1


@pytest.mark.parametrize("nothing", [None, "", {}, "  "])
def test_no_policy_has_no_statements(nothing: Any) -> None:
    assert parse(nothing) == ()


@pytest.mark.parametrize("text", ["{", "[1]", '{"Statement": ["all"]}'])
def test_a_text_that_is_no_policy_was_not_seen(text: str) -> None:
    assert statements_of(Seen(text)) == Unseen("policy could not be read as JSON")


def test_a_policy_that_was_not_seen_stays_unseen() -> None:
    assert statements_of(Unseen("AccessDenied kms:GetKeyPolicy")) == Unseen("AccessDenied kms:GetKeyPolicy")


@pytest.mark.parametrize(
    "principal",
    [{"Principal": "*"}, {"Principal": {"AWS": "*"}}, {"Principal": {"AWS": ["arn:aws:iam::111122223333:root", "*"]}}],
)
def test_a_star_principal_lets_strangers_in(principal: dict[str, Any]) -> None:
    assert open_to_strangers(policy(allow(Sid="door", **principal))) == ("door",)


def test_allowing_all_but_some_principals_lets_strangers_in() -> None:
    open_door = allow(NotPrincipal={"AWS": "arn:aws:iam::111122223333:root"})
    assert open_to_strangers(policy(open_door)) == ("statement 1",)


@pytest.mark.parametrize(
    "statement",
    [
        allow(Principal={"AWS": "arn:aws:iam::111122223333:root"}),
        allow(Principal={"Service": "sns.amazonaws.com"}),
        deny(Principal="*"),
        allow(Principal="*", Condition={"StringEquals": {"kms:CallerAccount": "111122223333"}}),
    ],
)
def test_named_principals_denials_and_narrowed_statements_keep_strangers_out(statement: dict[str, Any]) -> None:
    assert open_to_strangers(policy(statement)) == ()


@pytest.mark.parametrize(
    "condition",
    [
        {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}},
        {"StringEquals": {"AWS:principalorgid": ["o-a1b2c3d4e5"]}},
        {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-a1b2c3d4e5/*"}},
        {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/*"}},
        {"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:111122223333:*"}},
        {"ArnEquals": {"aws:SourceArn": "arn:aws:s3:::records"}},
        {"StringEquals": {"aws:SourceVpce": "vpce-1a2b3c4d"}},
        {"StringEquals": {"aws:PrincipalOrgID": "${aws:ResourceOrgID}"}},
        {"StringLike": {"aws:userid": "AROAEXAMPLEID:*"}},
        {"IpAddress": {"aws:SourceIp": ["203.0.113.0/24", "10.0.0.0/8"]}},
        {"Bool": {"aws:SecureTransport": "true"}, "StringEquals": {"aws:SourceAccount": 111122223333}},
    ],
)
def test_a_condition_that_pins_the_caller_narrows(condition: dict[str, Any]) -> None:
    assert condition_narrows(condition)


@pytest.mark.parametrize(
    "condition",
    [
        None,
        {},
        {"Bool": {"aws:SecureTransport": "true"}},
        {"Null": {"aws:PrincipalOrgID": "false"}},
        {"StringNotEquals": {"aws:PrincipalAccount": "111122223333"}},
        {"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}},
        {"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}},
        {"ForAllValues:StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}},
        {"StringLike": {"aws:PrincipalOrgID": "*"}},
        {"StringLike": {"aws:PrincipalOrgID": "o-*"}},
        {"StringLike": {"aws:PrincipalAccount": ["111122223333", "*"]}},
        {"StringEquals": {"aws:PrincipalAccount": []}},
        {"StringEquals": {"aws:PrincipalOrgID": "${aws:PrincipalOrgID}"}},
        {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/admin"}},
        {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::*"}},
        {"ArnLike": {"aws:SourceArn": "*"}},
        {"StringLike": {"aws:userid": "*:session"}},
        {"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}},
        {"StringEquals": {"sts:ExternalId": "shared"}},
        {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}},
        {"IpAddress": {"aws:SourceIp": ["0.0.0.0/1", "128.0.0.0/1"]}},
        {"IpAddress": {"aws:SourceIp": ["203.0.113.0/24", "::/0"]}},
        {"IpAddress": {"aws:SourceIp": "nonsense"}},
    ],
)
def test_a_condition_that_anybody_may_fulfil_does_not_narrow(condition: dict[str, Any] | None) -> None:
    assert not condition_narrows(condition)


@pytest.mark.parametrize(
    "statements",
    [
        [allow()],
        [allow(Action=["s3:GetObject", "*"])],
        [allow(Action="*:*", Resource=["arn:aws:s3:::a", "*"])],
        [allow(Resource="arn:aws:*")],
        [{"Effect": "Allow", "NotAction": ["iam:*", "organizations:*"], "Resource": "*"}],
        [{"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::vault"}],
        [allow(), deny(Action="iam:*")],
        [allow(), deny(Resource="arn:aws:s3:::vault")],
        [allow(), deny(Condition={"Bool": {"aws:MultiFactorAuthPresent": "false"}})],
        [allow(), {"Effect": "Deny", "NotAction": "*", "Resource": "*"}],
        [allow(), {"Effect": "Deny", "Action": "*", "NotResource": "*"}],
        [allow(Condition={"StringLike": {"aws:username": "*"}})],
        [allow(Condition={"Bool": {"aws:SecureTransport": "true"}})],
    ],
)
def test_everything_everywhere_is_administrator(statements: list[dict[str, Any]]) -> None:
    assert grants_administrator(policy(*statements))


@pytest.mark.parametrize(
    "statements",
    [
        [],
        [allow(Action="s3:*")],
        [allow(Resource="arn:aws:s3:::records/*")],
        [{"Effect": "Allow", "NotAction": "*", "Resource": "*"}],
        [allow(), deny()],
        [allow(), {"Effect": "Deny", "Action": "*", "NotResource": "arn:aws:s3:::records"}],
        [
            {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"},
            {"Effect": "Deny", "NotAction": "s3:*", "Resource": "*"},
        ],
        [allow(Condition={"StringEquals": {"aws:RequestedRegion": "eu-west-1"}})],
    ],
)
def test_a_limited_or_wholly_denied_policy_is_not_administrator(statements: list[dict[str, Any]]) -> None:
    assert not grants_administrator(policy(*statements))


@pytest.mark.parametrize(
    "statements",
    [
        [tls_deny()],
        [tls_deny(Condition={"Bool": {"aws:SecureTransport": False}})],
        [tls_deny(Principal={"AWS": "*"}, Action="*", Resource="*")],
        [tls_deny(Resource=f"{BUCKET}*")],
        [tls_deny(Resource=BUCKET), tls_deny(Resource=f"{BUCKET}/*")],
    ],
)
def test_a_deny_without_tls_over_bucket_and_objects_requires_tls(statements: list[dict[str, Any]]) -> None:
    assert requires_tls(policy(*statements))


@pytest.mark.parametrize(
    "statement",
    [
        tls_deny(Resource=BUCKET),
        tls_deny(Resource=f"{BUCKET}/*"),
        tls_deny(Resource=[f"{BUCKET}/*", f"{BUCKET}/private/*"]),
        tls_deny(Resource=[BUCKET, f"{BUCKET}/private/*"]),
        tls_deny(Resource=[BUCKET, f"{BUCKET}/?"]),
        tls_deny(Action=["s3:GetObject"]),
        tls_deny(Effect="Allow"),
        tls_deny(Principal={"AWS": "arn:aws:iam::111122223333:root"}),
        tls_deny(Condition={"NumericLessThan": {"s3:TlsVersion": 1.2}}),
        tls_deny(Condition={"Bool": {"aws:SecureTransport": "true"}}),
        tls_deny(
            Condition={
                "Bool": {"aws:SecureTransport": "false"},
                "StringEquals": {"aws:SourceAccount": "111122223333"},
            }
        ),
        tls_deny(Condition={}),
    ],
)
def test_a_deny_with_a_gap_does_not_require_tls(statement: dict[str, Any]) -> None:
    assert not requires_tls(policy(statement))
