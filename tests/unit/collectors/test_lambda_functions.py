"""Lambda functions as their evidence shows them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from auditor.collectors.aws._tables import supported_until
from auditor.collectors.aws.lambda_functions import Function, function, functions
from auditor.domain.projection import plain
from auditor.domain.reading import Seen, Unseen

ARN = "arn:aws:lambda:eu-west-1:111122223333:function:intake"
CLEAN: dict[str, Any] = {"patterns_version": 1, "hits": []}
TO_ALIAS = {"FunctionArn": f"{ARN}:live", "AuthType": "NONE"}
SIGNED = {"FunctionArn": ARN, "AuthType": "AWS_IAM"}
DENIED = {"$unseen": "AccessDenied lambda:ListFunctionUrlConfigs"}


def described(**content: Any) -> Function:
    known: dict[str, Any] = {
        "FunctionName": "intake",
        "FunctionArn": ARN,
        "PackageType": "Zip",
        "Runtime": "python3.13",
        "ScannedVariables": CLEAN,
        "policy": None,
        "urls": [],
        "destinations": [],
    }
    document: Function = function.describe({**known, **content})
    return document


def listed(environment: dict[str, Any] | None) -> dict[str, Any]:
    item = {"FunctionName": "intake", "FunctionArn": ARN}
    (told,) = functions({"Functions": [item if environment is None else {**item, "Environment": environment}]})
    kept: dict[str, Any] = plain(told)
    return kept


def policy(principal: Any, condition: dict[str, Any] | None = None) -> dict[str, str]:
    statement = {"Sid": "Door", "Effect": "Allow", "Principal": principal, "Action": "lambda:InvokeFunction"}
    return {"Policy": json.dumps({"Statement": [{**statement, **({"Condition": condition} if condition else {})}]})}


def test_variables_leave_name_mark_and_pattern_and_never_a_value() -> None:
    told = listed({"Variables": {"DB_PASSWORD": "correct-horse", "MODE": "fast"}})
    mark = {"redacted": True, "len_bucket": 16}
    assert told["ScannedVariables"]["hits"] == [{"pattern": "password", "place": "DB_PASSWORD", "value": mark}]
    assert told["ScannedVariables"]["values"] == [{"place": "MODE", "value": {**mark, "len_bucket": 8}}]
    assert "correct-horse" not in json.dumps(told)
    assert "Environment" not in told


def test_the_arn_of_a_secret_is_no_secret() -> None:
    told = listed({"Variables": {"DB_SECRET": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db"}})
    assert told["ScannedVariables"]["hits"] == []


def test_variables_that_could_not_be_decrypted_are_not_empty() -> None:
    told = listed({"Error": {"ErrorCode": "AccessDeniedException", "Message": "no"}})
    assert described(**told).secrets == Unseen("AccessDeniedException kms:Decrypt")


def test_a_function_without_variables_holds_no_secret() -> None:
    assert described(**listed(None)).secrets == Seen(())


def test_secrets_are_told_by_pattern_and_name() -> None:
    hit = {"pattern": "token", "place": "API_TOKEN"}
    assert described(ScannedVariables={**CLEAN, "hits": [hit]}).secrets == Seen(("token in API_TOKEN",))


def test_a_policy_for_everybody_names_its_statement() -> None:
    assert described(policy=policy("*")).open_statements == Seen(("Door",))
    assert described(policy=None).open_statements == Seen(())


@pytest.mark.parametrize(
    ("condition", "is_open"),
    [
        ({"StringEquals": {"aws:PrincipalOrgID": "o-1"}}, False),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::intake-files"}}, False),
        ({"StringEquals": {"lambda:FunctionUrlAuthType": "AWS_IAM"}}, True),
        ({"StringLike": {"aws:SourceAccount": "*"}}, True),
    ],
)
def test_only_a_condition_that_says_who_closes_a_function(condition: dict[str, Any], is_open: bool) -> None:
    assert described(policy=policy("*", condition)).open_statements == Seen(("Door",) if is_open else ())


def test_an_address_of_an_alias_without_sign_in_is_open() -> None:
    assert described(urls=[SIGNED, TO_ALIAS]).open_urls == Seen(("intake:live",))
    assert described(urls=[SIGNED]).open_urls == Seen(())


def test_an_open_address_that_was_seen_counts_though_others_were_not() -> None:
    assert described(urls=[TO_ALIAS, DENIED]).open_urls == Seen(("intake:live",))
    assert described(urls=[SIGNED, DENIED]).open_urls == Unseen(DENIED["$unseen"])
    assert described(urls=DENIED).open_urls == Unseen(DENIED["$unseen"])


def test_failed_events_are_kept_by_a_queue_or_by_a_destination() -> None:
    kept = [{"FunctionArn": f"{ARN}:$LATEST", "DestinationConfig": {"OnFailure": {"Destination": "arn:q"}}}]
    assert described(DeadLetterConfig={"TargetArn": "arn:q"}, destinations=DENIED).failures_kept == Seen(value=True)
    assert described(destinations=kept).failures_kept == Seen(value=True)
    assert described(destinations=[{"FunctionArn": ARN}]).failures_kept == Seen(value=False)
    assert described(destinations=DENIED).failures_kept == Unseen(DENIED["$unseen"])


def test_a_runtime_has_the_end_that_the_table_gives_it() -> None:
    assert described(Runtime="nodejs18.x").supported_until == Seen(datetime(2025, 9, 1, tzinfo=UTC))


@pytest.mark.parametrize("runtime", ["python9.9", "provided.al1", None])
def test_a_runtime_that_the_table_does_not_know_is_unknown(runtime: str | None) -> None:
    until = described(Runtime=runtime).supported_until
    assert isinstance(until, Unseen)
    assert f"{runtime} is not in the table" in until.reason


def test_an_image_brings_its_own_runtime() -> None:
    seen = described(PackageType="Image", Runtime=None)
    assert seen.package == Seen("Image")
    assert seen.supported_until == Unseen("an image brings its own")


def test_a_runtime_that_was_not_seen_stays_unseen() -> None:
    assert supported_until("lambda_runtimes", Unseen("denied"), "runtime") == Unseen("denied")
