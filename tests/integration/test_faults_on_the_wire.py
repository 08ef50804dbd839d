"""Answers that break on their way: one operation of each protocol against the emulated account, over HTTP.

A connection that is cut, half a body or none at all, an error that outlasts the client's retries: none of them is an empty
account, whatever the protocol makes of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from auditor.collectors.aws import resource_types
from auditor.collectors.aws._client import AwsCaller, connect
from auditor.collectors.aws._session import new_session
from auditor.collectors.pace import LocalBucket
from auditor.domain.evidence import Collection
from auditor.domain.ports import CallFailed
from auditor.domain.resource_type import ResourceType
from auditor.domain.source import GLOBAL, Place
from auditor.pipeline.collect import collect
from auditor.simulators.aws import ACCOUNT, AwsEmulator
from auditor.simulators.faults import Fault
from tests.fixtures.generated import NOW

LISTINGS = {
    "aws.rds.instance": "rds:DescribeDBInstances",  # query
    "aws.kms.key": "kms:ListKeys",  # json
    "aws.eks.cluster": "eks:ListClusters",  # rest-json
    "aws.s3.bucket": "s3:ListBuckets",  # rest-xml
    "aws.ec2.volume": "ec2:DescribeVolumes",  # ec2
}
DETAILS = {
    "aws.s3.bucket": "s3:GetBucketVersioning",  # rest-xml
    "aws.kms.key": "kms:DescribeKey",  # json
}
KINDS = [kind for kind in resource_types() if isinstance(kind, ResourceType) and kind.name in LISTINGS]


@pytest.fixture(scope="module")
def furnished() -> Iterator[AwsEmulator]:
    with AwsEmulator() as emulator:
        emulator.client("s3").create_bucket(Bucket="charts")
        emulator.client("kms").create_key(Description="charts")
        emulator.client("ec2").create_volume(AvailabilityZone="us-east-1a", Size=1)
        yield emulator


@pytest.fixture
def account(furnished: AwsEmulator) -> Iterator[AwsEmulator]:
    yield furnished
    furnished.clear_faults()


@pytest.fixture
def caller(account: AwsEmulator, monkeypatch: pytest.MonkeyPatch) -> AwsCaller:
    for name, value in account.environment().items():
        monkeypatch.setenv(name, value)
    return connect(endpoint_url=account.url, expected_account=ACCOUNT)


def look(caller: AwsCaller) -> dict[str, Any]:
    """Coverage by type, and how many resources."""
    found: list[Collection] = []
    with ThreadPoolExecutor(8) as pool:
        for place in (GLOBAL, "us-east-1"):
            found.append(collect(Place(ACCOUNT, place), KINDS, caller, pool=pool, clock=lambda: NOW))  # noqa: PERF401  (reads as it happens)
    return {
        "coverage": {look.resource_type: look for one in found for look in one.coverage},
        "evidence": {seen.resource_type: seen for one in found for seen in one.evidence},
    }


@pytest.mark.parametrize("action", ["cut", "truncate", "empty", "error", "throttle", "deny"])
def test_a_listing_that_breaks_on_its_way_is_never_complete(
    account: AwsEmulator, caller: AwsCaller, action: Any
) -> None:
    for operation in LISTINGS.values():
        account.fault(Fault(operation, action))
    seen = look(caller)
    assert {name: look.complete for name, look in seen["coverage"].items()} == dict.fromkeys(LISTINGS, False)


@pytest.mark.parametrize("action", ["cut", "truncate", "empty", "error", "throttle", "deny"])
def test_a_detail_that_breaks_on_its_way_is_unseen(account: AwsEmulator, caller: AwsCaller, action: Any) -> None:
    for operation in DETAILS.values():
        account.fault(Fault(operation, action))
    seen = look(caller)
    assert all(look.complete for look in seen["coverage"].values())
    assert "$unseen" in seen["evidence"]["aws.s3.bucket"].content["versioning"]
    assert "$unseen" in seen["evidence"]["aws.kms.key"].content["key"]


@contextmanager
def answering(pages: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """An endpoint that gives these pages, one a request, whatever is asked; the last one for ever."""
    left = list(pages)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = json.dumps(left.pop(0) if len(left) > 1 else left[0]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST  # noqa: N815  (likewise)

        def log_message(self, *_: Any) -> None:
            """Silent."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


PAGED = {  # one that the client library pages through, one that the door does
    "eks:list_clusters": ("clusters", "nextToken"),
    "athena:list_work_groups": ("WorkGroups", "NextToken"),
}


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIA",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)


def paged(operation: str, pages: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    with answering(pages) as url:
        caller = AwsCaller(
            new_session(None),
            account=ACCOUNT,
            identity=f"arn:aws:iam::{ACCOUNT}:user/reader",
            endpoint_url=url,
            threads=1,
            bucket=LocalBucket(100, 100),
        )
        yield from caller.pages(operation, {}, region="us-east-1")


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize("operation", PAGED)
def test_an_empty_page_that_names_a_next_one_is_followed(operation: str) -> None:
    items, token = PAGED[operation]
    last = {items: ["charts"] if items == "clusters" else [{"Name": "charts"}]}
    found = list(paged(operation, [{items: [], token: "one"}, {token: "two"}, last]))
    assert [page.get(items) for page in found][-1] == last[items]
    assert len(found) == 3


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize("operation", PAGED)
def test_a_token_that_comes_twice_is_an_error_and_not_the_end(operation: str) -> None:
    items, token = PAGED[operation]
    with pytest.raises(CallFailed) as caught:
        list(paged(operation, [{items: [], token: "same"}]))
    assert (caught.value.code, caught.value.kind) == ("PaginationError", "error")
