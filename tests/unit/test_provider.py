"""Whose host it is: held to what the client library itself knows of AWS's partitions."""

from __future__ import annotations

import json
from pathlib import Path

import botocore
import pytest

from auditor.domain.provider import SUFFIXES, providers_own, stand_in
from auditor.domain.source import Source, SourceKind, public_id


def test_the_suffixes_are_those_under_which_the_client_library_reaches_each_partition() -> None:
    told = json.loads((Path(botocore.__file__).parent / "data" / "partitions.json").read_bytes())["partitions"]
    outputs = {one["id"]: one["outputs"] for one in told}
    assert {name: (one["dnsSuffix"], one["dualStackDnsSuffix"]) for name, one in outputs.items()} == SUFFIXES, (
        "a partition is new, or answers elsewhere"
    )


@pytest.mark.parametrize(
    ("host", "partition"),
    [
        ("s3.eu-central-1.amazonaws.com", "aws"),
        ("intake.s3.amazonaws.com", "aws"),
        ("STS.amazonaws.com:443", "aws"),
        ("lambda.eu-central-1.api.aws", "aws"),
        ("vpce-1a-2b.ec2.eu-central-1.vpce.amazonaws.com", "aws"),
        ("ec2.us-gov-west-1.amazonaws.com", "aws-us-gov"),
        ("ec2.cn-north-1.amazonaws.com.cn", "aws-cn"),
    ],
)
def test_a_service_of_the_partition_is_the_providers_own(host: str, partition: str) -> None:
    assert providers_own(host, partition)


@pytest.mark.parametrize(
    ("host", "partition"),
    [
        ("127.0.0.1:5000", "aws"),
        ("localhost", "aws"),
        ("amazonaws.com", "aws"),
        ("s3.amazonaws.com.example.org", "aws"),
        ("evilamazonaws.com", "aws"),
        ("s3.amazonaws.com:8443", "aws"),
        ("s3.amazonaws.com@example.org", "aws"),
        ("a1b2.execute-api.eu-central-1.amazonaws.com", "aws"),
        ("mine-1.eu-central-1.elb.amazonaws.com", "aws"),
        ("ec2-3-4-5-6.eu-central-1.compute.amazonaws.com", "aws"),
        ("ec2-3-4-5-6.compute-1.amazonaws.com", "aws"),
        ("s3.cn-north-1.amazonaws.com.cn", "aws"),
        ("s3.eu-central-1.amazonaws.com", "aws-cn"),
        ("s3.eu-central-1.amazonaws.com", "aws-of-tomorrow"),
        ("", "aws"),
    ],
)
def test_anything_else_is_not_what_customers_run_under_its_name_included(host: str, partition: str) -> None:
    assert not providers_own(host, partition)


@pytest.mark.parametrize(
    ("url", "stands_in"),
    [
        (None, ""),
        ("https://s3.eu-central-1.amazonaws.com", ""),
        ("http://s3.eu-central-1.amazonaws.com", "s3.eu-central-1.amazonaws.com"),
        ("http://127.0.0.1:5000", "127.0.0.1:5000"),
        ("http://ann:secret@127.0.0.1:5000", "127.0.0.1:5000"),
        ("https://ann:secret@s3.amazonaws.com", ""),
        ("nonsense", "nonsense"),
    ],
)
def test_a_configured_address_stands_in_unless_it_is_the_providers_own_over_tls(
    url: str | None, stands_in: str
) -> None:
    assert stand_in(url, "aws") == stands_in


@pytest.mark.parametrize(
    ("kind", "endpoint", "answered_by", "stands_in"),
    [
        ("aws", None, None, ""),
        ("aws", None, "127.0.0.1:5000", "127.0.0.1:5000"),
        ("aws", "https://ec2.eu-central-1.amazonaws.com", None, ""),
        ("kubernetes", "https://127.0.0.1:6443", None, "127.0.0.1:6443"),
        ("kubernetes", None, None, ""),
    ],
)
def test_a_source_names_its_stand_in_as_heard_or_else_as_configured(
    kind: SourceKind, endpoint: str | None, answered_by: str | None, stands_in: str
) -> None:
    tenant = public_id("t")
    source = Source(tenant, tenant, kind, "1", "n", endpoint_url=endpoint, answered_by=answered_by)
    assert source.stand_in == stands_in
