"""The door to the client library: what it can call, what it keeps, and how it tells who said no."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import botocore.exceptions
import botocore.loaders
import botocore.model
import botocore.utils
import pytest

from auditor.collectors.aws._client import AwsCaller, translate
from auditor.collectors.aws._denials import denied_by
from auditor.collectors.aws._models import CREDENTIALS, SERVICE, cut, declared, loader
from auditor.collectors.aws._session import Clients, moment, new_session
from auditor.collectors.pace import LocalBucket

USER = "User: arn:aws:iam::123456789012:role/auditor is not authorized to perform: rds:DescribeDBInstances"


def denied(message: str) -> Any:
    answer = {"Error": {"Code": "AccessDenied", "Message": message}, "ResponseMetadata": {"HTTPStatusCode": 403}}
    return translate(botocore.exceptions.ClientError(answer, "DescribeDBInstances"), "rds:DescribeDBInstances")


@pytest.mark.parametrize(
    ("said", "by"),
    [
        ("on resource: * with an explicit deny in a service control policy", "service control policy"),
        ("because no service control policy allows the rds:DescribeDBInstances action", "service control policy"),
        ("with an explicit deny in a resource control policy", "resource control policy"),
        ("with an explicit deny in a permissions boundary", "permissions boundary"),
        ("because no permissions boundary allows the rds:DescribeDBInstances action", "permissions boundary"),
        ("with an explicit deny in a session policy", "session policy"),
        ("with an explicit deny in a VPC endpoint policy", "VPC endpoint policy"),
        ("with an explicit deny in a resource-based policy", "resource policy"),
        ("with an explicit deny in an identity-based policy", "identity policy"),
        ("because no identity-based policy allows the rds:DescribeDBInstances action", "no policy allows it"),
        ("because no resource-based policy allows the rds:DescribeDBInstances action", "no policy allows it"),
        ("", ""),
    ],
)
def test_a_denial_tells_which_kind_of_policy_said_no(said: str, by: str) -> None:
    assert denied_by(f"{USER} {said}") == by
    assert denied(f"{USER} {said}").by == by


@pytest.mark.parametrize(
    ("said", "beside"),
    [
        ("with an explicit deny in a service control policy", " (by service control policy)"),
        ("with an explicit deny in a permissions boundary", " (by permissions boundary)"),
        ("with an explicit deny in an identity-based policy", ""),
        ("because no identity-based policy allows the rds:DescribeDBInstances action", ""),
        ("", ""),
    ],
)
def test_a_reason_names_only_what_allowing_the_role_more_would_not_lift(said: str, beside: str) -> None:
    assert denied(f"{USER} {said}").reason == f"AccessDenied rds:DescribeDBInstances{beside}"


def test_a_long_refusal_is_read_to_its_end_though_only_its_first_line_is_kept() -> None:
    failure = denied(f"{USER} on resource: {'x' * 400} with an explicit deny in a service control policy")
    assert failure.by == "service control policy"
    assert len(failure.message) == 300


def test_what_is_no_denial_is_by_nobody() -> None:
    answer = {"Error": {"Code": "Throttling", "Message": "with an explicit deny in a service control policy"}}
    assert translate(botocore.exceptions.ClientError(answer, "X"), "s3:X").by == ""


@pytest.fixture(scope="module")
def session() -> Any:
    session = new_session()
    session.set_credentials("AKIAEXAMPLE", "secret")
    return session


def client(session: Any, service: str) -> Any:
    return session.create_client(service, region_name="eu-central-1", endpoint_url="http://127.0.0.1:9")


def test_a_client_can_call_what_is_declared_and_nothing_else(session: Any) -> None:
    for service in ("s3", "ec2", "iam"):
        methods = {operation.partition(":")[2] for operation in declared() if operation.startswith(f"{service}:")}
        assert set(client(session, service).meta.method_to_api_mapping) == methods
    assert not hasattr(client(session, "s3"), "delete_bucket")
    with pytest.raises(botocore.exceptions.UnknownServiceError):
        client(session, "polly")


def test_services_that_hand_out_credentials_stay_whole(session: Any) -> None:
    whole = botocore.loaders.Loader()
    for service in CREDENTIALS:
        told = whole.load_service_model(service, SERVICE)["operations"]
        assert set(client(session, service).meta.method_to_api_mapping.values()) == set(told)


def test_a_cut_model_means_the_same_for_each_operation_that_stays() -> None:
    whole = botocore.loaders.Loader().load_service_model("iam", SERVICE)
    small = cut(whole, {"list_users", "get_account_authorization_details"})
    assert set(small["operations"]) == {"ListUsers", "GetAccountAuthorizationDetails"}
    before, after = (botocore.model.ServiceModel(model, "iam") for model in (whole, small))
    for name in small["operations"]:
        one, other = before.operation_model(name), after.operation_model(name)
        assert same(one.input_shape) == same(other.input_shape)
        assert same(one.output_shape) == same(other.output_shape)
        assert [shape.name for shape in one.error_shapes] == [shape.name for shape in other.error_shapes]
        assert (one.http, one.endpoint, one.auth_type) == (other.http, other.endpoint, other.auth_type)
    assert "documentation" not in str(small)


def same(shape: Any, seen: tuple[str, ...] = ()) -> Any:
    """All that serialising and parsing ask of a shape, as plain values."""
    if shape is None or shape.name in seen:
        return None
    inner: dict[str, Callable[[], Any]] = {
        "structure": lambda: {name: same(member, (*seen, shape.name)) for name, member in shape.members.items()},
        "list": lambda: same(shape.member, (*seen, shape.name)),
        "map": lambda: (same(shape.key, (*seen, shape.name)), same(shape.value, (*seen, shape.name))),
    }
    return shape.type_name, shape.serialization, shape.metadata, inner.get(shape.type_name, lambda: None)()


def test_a_service_that_was_forgotten_is_read_again(session: Any) -> None:
    before = client(session, "sqs").meta.method_to_api_mapping
    loader().forget("sqs")
    assert client(session, "sqs").meta.method_to_api_mapping == before


def test_the_client_not_used_for_longest_goes_first() -> None:
    kept = Clients(2)
    kept.put("a", 1)
    kept.put("b", 2)
    assert kept.get("a") == 1
    kept.put("c", 3)
    assert (kept.get("a"), kept.get("b"), kept.get("c")) == (1, None, 3)
    kept.drop(lambda key: key == "a")
    assert (kept.get("a"), kept.get("c")) == (None, 3)


def caller(session: Any, kept: Clients) -> AwsCaller:
    return AwsCaller(
        session,
        account="123456789012",
        identity="arn:aws:iam::123456789012:user/a",
        endpoint_url="http://127.0.0.1:9",
        threads=2,
        bucket=LocalBucket(1, 1),
        kept=kept,
    )


def test_a_caller_lets_go_of_one_service_and_of_nothing_else(session: Any) -> None:
    kept = Clients(10)
    one, other = caller(session, kept), caller(session, kept)
    before = {name: one._client(name, "eu-central-1") for name in ("sqs", "sns")}
    theirs = other._client("sqs", "eu-central-1")
    assert theirs is not before["sqs"], "two ways into an account never share a client"
    assert one._client("sqs", "eu-central-1") is before["sqs"]
    one.release("sqs")
    assert one._client("sqs", "eu-central-1") is not before["sqs"]
    assert one._client("sns", "eu-central-1") is before["sns"]
    assert other._client("sqs", "eu-central-1") is theirs


@pytest.mark.parametrize(
    "told",
    [
        "2026-11-22T10:30:00Z",
        "2026-11-22T10:30:00.123Z",
        "2026-11-22T12:30:00.123456+02:00",
        "Sun, 22 Nov 2026 10:30:00 GMT",
        "20261122T103000Z",
        1795343400,
        1795343400.5,
        "1795343400",
    ],
)
def test_times_are_read_as_the_library_reads_them(told: Any) -> None:
    read = moment(told)
    assert read.astimezone(UTC) == botocore.utils.parse_timestamp(told).astimezone(UTC)
    assert isinstance(read, datetime)
    assert read.utcoffset() is not None
