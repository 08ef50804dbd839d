"""REST APIs as their evidence shows them."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.collectors.aws.apigateway import RestApi, methods, rest_api
from auditor.domain.reading import Seen, Unseen

HIDDEN = Unseen("AccessDenied apigateway:Get")
DENIED = {"$unseen": HIDDEN.reason}


def described(**content: Any) -> RestApi:
    document: RestApi = rest_api.describe({"id": "a1", "name": "charts", "methods": [], "stages": [], **content})
    return document


def method(asked: str | None, verb: str = "GET") -> dict[str, Any]:
    return {"path": "/charts", "verb": verb, "authorizationType": asked}


def test_every_method_is_listed_but_options() -> None:
    verbs = {"GET": {"authorizationType": "NONE"}, "OPTIONS": {"authorizationType": "NONE"}, "ANY": None}
    page = {"items": [{"path": "/charts", "resourceMethods": verbs}, {"path": "/"}]}
    assert [(each["verb"], each["authorizationType"]) for each in methods(page)] == [("ANY", None), ("GET", "NONE")]


def test_a_method_that_asks_nobody_is_open() -> None:
    found = [method("NONE"), method("AWS_IAM", "PUT"), method("CUSTOM", "POST"), method("COGNITO_USER_POOLS", "DELETE")]
    assert described(methods=found).open_methods == ("GET /charts",)
    assert described(methods=found).has_methods == Seen(value=True)


def test_a_method_listed_without_its_authorization_is_unknown() -> None:
    (found,) = described(methods=[method(None)]).open_methods
    assert isinstance(found, Unseen)


def test_what_we_may_not_read_is_unknown() -> None:
    seen = described(methods=DENIED, stages=DENIED)
    assert seen.open_methods == seen.silent_stages == (HIDDEN,)
    assert seen.has_methods == seen.has_stages == HIDDEN
    assert described(methods=[method("NONE"), DENIED]).open_methods == ("GET /charts", HIDDEN)


@pytest.mark.parametrize(
    ("types", "policy", "shielded"),
    [
        (["PRIVATE"], "{}", True),
        (["PRIVATE"], None, False),
        (["PRIVATE"], "", False),
        (["REGIONAL"], "{}", False),
        (["EDGE", "PRIVATE"], "{}", False),
    ],
)
def test_only_a_private_api_with_a_policy_is_shielded(types: list[str], policy: str | None, *, shielded: bool) -> None:
    assert described(endpointConfiguration={"types": types}, policy=policy).shielded == Seen(shielded)


@pytest.mark.parametrize(
    ("stage", "silent"),
    [
        ({}, True),
        ({"accessLogSettings": {"destinationArn": "arn:logs"}}, False),
        ({"methodSettings": {"*/*": {"loggingLevel": "ERROR"}}}, False),
        ({"methodSettings": {"*/*": {"loggingLevel": "INFO"}}}, False),
        ({"methodSettings": {"*/*": {"loggingLevel": "OFF"}}}, True),
        ({"methodSettings": {"charts/GET": {"loggingLevel": "INFO"}}}, True),
    ],
)
def test_a_stage_is_silent_unless_all_its_calls_are_logged(stage: dict[str, Any], *, silent: bool) -> None:
    assert described(stages=[{"stageName": "prod", **stage}]).silent_stages == (("prod",) if silent else ())


def test_variables_of_a_stage_are_not_kept() -> None:
    assert not any("variables" in path for read in rest_api.reads for path in read.keep)
