"""REST APIs as their evidence shows them."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.collectors.aws.apigateway import Method, RestApi, method, methods, rest_api
from auditor.domain.reading import Seen, Unseen

HIDDEN = Unseen("AccessDenied apigateway:Get")
DENIED = {"$unseen": HIDDEN.reason}


def described(**content: Any) -> RestApi:
    document: RestApi = rest_api.describe({"id": "a1", "name": "charts", "stages": [], **content})
    return document


def called(asked: str | None = "NONE", **content: Any) -> Method:
    told = {"id": "a1", "name": "charts", "path": "/charts", "verb": "GET", "authorizationType": asked}
    document: Method = method.describe({**told, **content})
    return document


def test_every_method_is_listed_but_options() -> None:
    verbs = {"GET": {"authorizationType": "NONE"}, "OPTIONS": {"authorizationType": "NONE"}, "ANY": None}
    page = {"items": [{"id": "r1", "path": "/charts", "resourceMethods": verbs}, {"id": "r0", "path": "/"}]}
    found = [(each["resourceId"], each["verb"], each["authorizationType"]) for each in methods(page)]
    assert found == [("r1", "ANY", None), ("r1", "GET", "NONE")]


@pytest.mark.parametrize(
    ("asked", "asks"),
    [("NONE", False), ("AWS_IAM", True), ("CUSTOM", True), ("COGNITO_USER_POOLS", True)],
)
def test_a_method_without_an_authorizer_asks_nobody(asked: str, *, asks: bool) -> None:
    assert called(asked).asks_who_calls == Seen(asks)


def test_a_method_listed_without_its_authorization_is_unknown() -> None:
    assert isinstance(called(None).asks_who_calls, Unseen)


def test_a_method_goes_by_its_path_and_its_api() -> None:
    assert called().name == "GET /charts of a1 (charts)"
    assert called(name=None).name == "GET /charts of a1"


def test_what_we_may_not_read_is_unknown() -> None:
    seen = described(stages=DENIED)
    assert seen.silent_stages == (HIDDEN,)
    assert seen.has_stages == HIDDEN


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
    assert called(endpointConfiguration={"types": types}, policy=policy).shielded == Seen(shielded)


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
