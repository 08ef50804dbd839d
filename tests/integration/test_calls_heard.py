"""What the doors hear of each answer: request id, host and certificate, from servers that are really there."""

from __future__ import annotations

import hashlib
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from auditor.collectors.aws._client import AwsCaller, connect
from auditor.collectors.kubernetes._connection import connect as connect_cluster
from auditor.collectors.pace import LocalBucket
from auditor.domain.calls import Heard
from auditor.domain.ports import CallFailed
from auditor.simulators.aws import AwsEmulator
from auditor.simulators.kubernetes_api import ClusterApi
from auditor.simulators.kubernetes_faults import Trouble
from tests.integration.test_client_tls import WHO, certificate

DENIED = b"""<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error>
<RequestId>refused-1</RequestId></ErrorResponse>"""


class Sts(BaseHTTPRequestHandler):
    """Says who asks; refuses whatever else, as AWS does."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["Content-Length"]))
        body = WHO if b"GetCallerIdentity" in asked else DENIED
        self.send_response(200 if body is WHO else 403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("tls"), "trusted")


@pytest.fixture
def url(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Sts)
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(bundle)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def leaf(bundle: Path) -> str:
    """SHA-256 of the certificate in a file with its key."""
    pem = bundle.read_text()
    der = ssl.PEM_cert_to_DER_cert(pem[pem.index("-----BEGIN CERTIFICATE") :])
    return hashlib.sha256(der).hexdigest()


def heard_of(caller: Any, operation: str, region: str = "us-east-1") -> list[Heard]:
    heard: list[Heard] = []
    for _ in caller.pages(operation, {}, region=region, heard=heard.append):
        pass
    return heard


def test_an_account_is_heard_with_its_request_id_and_the_certificate_it_showed(url: str, bundle: Path) -> None:
    caller = connect(endpoint_url=url, threads=2)
    (first,) = heard_of(caller, "sts:get_caller_identity")
    (again,) = heard_of(caller, "sts:get_caller_identity")
    assert first == again == Heard("r", urlsplit(url).netloc, leaf(bundle))


def test_a_refusal_is_heard_before_it_is_raised(url: str, bundle: Path) -> None:
    caller = connect(endpoint_url=url, threads=2)
    heard: list[Heard] = []
    with pytest.raises(CallFailed, match="AccessDenied"):
        list(caller.pages("iam:get_account_summary", {}, region="us-east-1", heard=heard.append))
    assert heard == [Heard("refused-1", urlsplit(url).netloc, leaf(bundle))]


def test_where_no_answer_comes_nothing_is_heard_not_even_the_one_before(url: str) -> None:
    caller = connect(endpoint_url=url, threads=2)
    heard_of(caller, "sts:get_caller_identity")
    heard: list[Heard] = []
    caller._endpoint_url = "https://127.0.0.1:9"  # nobody listens there
    with pytest.raises(CallFailed, match="EndpointConnectionError"):
        list(caller.pages("kms:list_keys", {}, region="us-east-1", heard=heard.append))
    assert heard == []


@pytest.fixture(scope="module")
def emulator() -> Iterator[AwsEmulator]:
    with AwsEmulator() as running:
        yield running


def signed(emulator: AwsEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in emulator.environment().items():
        if name != "AWS_ENDPOINT_URL":
            monkeypatch.setenv(name, value)


def test_over_plain_http_there_is_an_id_and_no_certificate(
    emulator: AwsEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed(emulator, monkeypatch)
    (one,) = heard_of(connect(endpoint_url=emulator.url, threads=2), "s3:list_buckets")
    assert (bool(one.request_id), one.host, one.tls) == (True, urlsplit(emulator.url).netloc, "")


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_S3"])
def test_a_host_that_only_the_environment_names_is_heard_and_stands_in(
    emulator: AwsEmulator, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    signed(emulator, monkeypatch)
    caller = connect(endpoint_url=emulator.url, threads=2)
    plain = AwsCaller(
        caller._session,
        account=caller.account,
        identity=caller.identity,
        endpoint_url=None,
        threads=2,
        bucket=caller._bucket,
    )
    assert plain.endpoint == ""
    monkeypatch.setenv(name, emulator.url)
    operation = "sts:get_caller_identity" if name.endswith("STS") else "s3:list_buckets"
    heard_of(plain, operation)
    assert plain.endpoint == urlsplit(emulator.url).netloc


def test_who_answers_for_our_own_identity_is_held_to_the_provider_too(
    emulator: AwsEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed(emulator, monkeypatch)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", emulator.url)
    assert connect(threads=2).endpoint == urlsplit(emulator.url).netloc


def test_a_cluster_is_heard_with_its_audit_id_and_the_certificate_it_showed(tmp_path: Path) -> None:
    with ClusterApi() as api:
        for number in range(5):
            named = {"name": f"map-{number}", "namespace": "default"}
            api.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": named, "data": {}})
        caller = connect_cluster(kubeconfig=api.kubeconfig(tmp_path / "kubeconfig"), page=2)
        heard = heard_of(caller, "core/v1:configmaps", "global")
        address = urlsplit(api.url)
        shown = ssl.get_server_certificate((address.hostname or "", address.port or 0))
    tls = hashlib.sha256(ssl.PEM_cert_to_DER_cert(shown)).hexdigest()
    assert len({one.request_id for one in heard}) == len(heard) >= 3
    assert {(one.host, one.tls) for one in heard} == {(address.netloc, tls)}


def test_a_cluster_that_does_not_answer_any_more_is_not_heard(tmp_path: Path) -> None:
    with ClusterApi() as api:
        caller = connect_cluster(kubeconfig=api.kubeconfig(tmp_path / "kubeconfig"))
        caller.ask("/version", action="get /version")
        caller._sleep = lambda _: None
        api.trouble(Trouble("cut", resource="configmaps"))
        heard: list[Heard] = []
        with pytest.raises(CallFailed):
            list(caller.pages("core/v1:configmaps", {}, region="global", heard=heard.append))
    assert heard == []


@pytest.mark.parametrize(
    ("host", "tls", "stands_in"),
    [
        ("sts.us-east-1.amazonaws.com", "5e", ""),
        ("sts.us-east-1.amazonaws.com", "", "sts.us-east-1.amazonaws.com"),
        ("sts.example.org", "5e", "sts.example.org"),
    ],
)
def test_the_providers_own_host_is_believed_where_a_certificate_proves_it(host: str, tls: str, stands_in: str) -> None:
    caller = AwsCaller(
        None, account="1", identity="arn:aws:iam::1:user/a", endpoint_url=None, threads=1, bucket=LocalBucket(1, 1),
        met=[Heard("r", host, tls)],
    )  # fmt: skip
    assert caller.endpoint == stands_in
