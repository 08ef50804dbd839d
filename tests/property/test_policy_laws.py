"""The policy analysis against a naive evaluator: what a stranger or a request never named by the policy gets in the end."""

from __future__ import annotations

from fnmatch import fnmatchcase
from ipaddress import ip_address, ip_network
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from auditor.domain.policy import condition_narrows, grants_administrator, open_to_strangers

NOVEL_ACTION = "novel:Act"
NOVEL_RESOURCE = "arn:aws:novel:eu-west-1:111122223333:thing/1"
STRANGERS = tuple(
    {
        "aws:PrincipalAccount": "999900001111",
        "aws:PrincipalOrgID": "o-stranger1",
        "aws:PrincipalArn": "arn:aws:iam::999900001111:role/admin",
        "aws:SourceVpce": "vpce-stranger",
        "aws:SourceIp": address,
        "aws:SecureTransport": "true",
        "aws:username": "anybody",
    }
    for address in ("198.51.100.7", "8.8.8.8", "130.1.2.3")
)

ACTIONS = st.lists(st.sampled_from(["*", "*:*", "**", "s3:*", "s3:GetObject", "iam:*"]), min_size=1, max_size=2)
RESOURCES = st.lists(
    st.sampled_from(["*", "arn:aws:*", "arn:aws:s3:::*", "arn:aws:s3:::records", "arn:*:iam::*"]),
    min_size=1,
    max_size=2,
)


def one_or_list(values: st.SearchStrategy[list[str]]) -> st.SearchStrategy[Any]:
    return values.flatmap(lambda found: st.sampled_from([found, found[0]] if len(found) == 1 else [found]))


STATEMENTS = st.builds(
    lambda effect, act, acts, res, ress: {"Effect": effect, act: acts, res: ress},
    st.sampled_from(["Allow", "Allow", "Deny"]),
    st.sampled_from(["Action", "NotAction"]),
    one_or_list(ACTIONS),
    st.sampled_from(["Resource", "NotResource"]),
    one_or_list(RESOURCES),
)

VALUES = {
    "aws:PrincipalAccount": ["111122223333", "*", "9*", "999900001111?"],
    "aws:PrincipalOrgID": ["o-a1b2c3d4e5", "o-*", "*", "${aws:PrincipalOrgID}"],
    "aws:PrincipalArn": ["arn:aws:iam::111122223333:role/*", "arn:aws:iam::*:role/admin", "*", "arn:*"],
    "aws:SourceVpce": ["vpce-1a2b3c4d", "vpce-*"],
    "aws:SourceIp": ["203.0.113.0/24", "10.0.0.0/8", "0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "128.0.0.0/4"],
    "aws:SecureTransport": ["true", "false"],
    "aws:username": ["*", "ana"],
}
OPERATORS = [
    f"{prefix}{operator}{suffix}"
    for prefix in ("", "ForAnyValue:", "ForAllValues:")
    for operator in ("StringEquals", "StringLike", "StringNotEquals", "ArnLike", "IpAddress", "NotIpAddress", "Bool")
    for suffix in ("", "IfExists")
]
PARTS = st.sampled_from(sorted(VALUES)).flatmap(
    lambda key: st.tuples(
        st.sampled_from(OPERATORS), st.just(key), st.lists(st.sampled_from(VALUES[key]), min_size=1, max_size=3)
    )
)


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = {}
    for operator, key, values in draw(st.lists(PARTS, max_size=3)):
        found.setdefault(operator, {})[key] = values
    return found


def naive_many(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def naive_touches(statement: dict[str, Any]) -> bool:
    """Whether a statement speaks of the request that no policy names."""

    def named(element: str, asked: str) -> bool:
        if element in statement:
            return any(fnmatchcase(asked, pattern) for pattern in naive_many(statement[element]))
        return not any(fnmatchcase(asked, pattern) for pattern in naive_many(statement[f"Not{element}"]))

    return named("Action", NOVEL_ACTION) and named("Resource", NOVEL_RESOURCE)


def naive_allowed(statements: list[dict[str, Any]]) -> bool:
    touching = [statement["Effect"] for statement in statements if naive_touches(statement)]
    return "Allow" in touching and "Deny" not in touching


def naive_one(operator: str, wanted: str, have: str, context: dict[str, str]) -> bool:
    wanted = context.get(wanted[2:-1], wanted) if wanted.startswith("${") else wanted
    match operator:
        case "StringLike" | "ArnLike":
            return fnmatchcase(have, wanted)
        case "IpAddress":
            try:
                return ip_address(have) in ip_network(wanted)
            except ValueError:
                return False
        case _:
            return have == wanted


def naive_fulfils(condition: dict[str, dict[str, list[str]]], context: dict[str, str]) -> bool:
    """Whether a caller with these properties fulfils every part."""

    def part(operator: str, key: str, values: list[str]) -> bool:
        bare = operator.removeprefix("ForAnyValue:").removeprefix("ForAllValues:").removesuffix("IfExists")
        if bare.startswith(("StringNot", "NotIp")):
            positive = bare.replace("Not", "", 1)
            return not any(naive_one(positive, value, context[key], context) for value in values)
        return any(naive_one(bare, value, context[key], context) for value in values)

    return all(part(operator, key, values) for operator, keys in condition.items() for key, values in keys.items())


@given(st.lists(STATEMENTS, max_size=4))
def test_administrator_is_whoever_may_do_what_the_policy_never_named(statements: list[dict[str, Any]]) -> None:
    assert grants_administrator({"Statement": statements}) == naive_allowed(statements)


@given(conditions())
def test_a_condition_that_a_stranger_fulfils_never_counts_as_narrow(condition: dict[str, dict[str, list[str]]]) -> None:
    if any(naive_fulfils(condition, stranger) for stranger in STRANGERS):
        assert not condition_narrows(condition)


@given(
    conditions(), st.sampled_from([{"Principal": "*"}, {"Principal": {"AWS": ["*"]}}, {"NotPrincipal": {"AWS": "1"}}])
)
def test_a_statement_for_anybody_is_open_exactly_if_its_condition_does_not_narrow(
    condition: dict[str, dict[str, list[str]]], principal: dict[str, Any]
) -> None:
    statement = {"Sid": "door", "Effect": "Allow", "Action": "*", "Resource": "*", **principal, "Condition": condition}
    assert (open_to_strangers({"Statement": [statement]}) == ()) == condition_narrows(condition)
