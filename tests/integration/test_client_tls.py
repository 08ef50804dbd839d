"""Clients that share the roots they trust still verify: against a server with a certificate of our own making."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import botocore.exceptions
import pytest
from botocore.config import Config
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from auditor.collectors.aws import _tls
from auditor.collectors.aws._session import new_session
from auditor.collectors.aws._tls import share_roots

WHO = b"""<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>arn:aws:iam::123456789012:user/a</Arn><UserId>A</UserId><Account>123456789012</Account></GetCallerIdentityResult>
<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></GetCallerIdentityResponse>"""


class Answers(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(WHO)))
        self.end_headers()
        self.wfile.write(WHO)

    def log_message(self, *_: Any) -> None:
        pass


def certificate(folder: Path, name: str) -> Path:
    """A key and a certificate that vouches for itself, for loopback."""
    key = ec.generate_private_key(ec.SECP256R1())
    called = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(called)
        .issuer_name(called)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def bundle(folder: Path) -> Path:
    return certificate(folder, "trusted")


@pytest.fixture(scope="module")
def url(bundle: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(bundle)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def client(url: str, monkeypatch: pytest.MonkeyPatch, bundle: Path | None) -> Any:
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    if bundle is not None:
        monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))
    session = new_session()
    session.set_credentials("AKIAEXAMPLE", "secret")
    config = Config(retries={"total_max_attempts": 1}, proxies={})
    made = session.create_client("sts", region_name="us-east-1", endpoint_url=url, config=config)
    share_roots(made)
    return made


def test_one_context_serves_all_clients_of_a_bundle_which_is_read_once(
    url: str, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_tls, "_CONTEXTS", {})
    reads = []

    class Counting(ssl.SSLContext):
        def load_verify_locations(self, *bundles: Any, **named: Any) -> None:
            reads.append(bundles)
            super().load_verify_locations(*bundles, **named)

    monkeypatch.setattr(_tls, "create_urllib3_context", lambda: Counting(ssl.PROTOCOL_TLS_CLIENT))
    for _ in range(3):
        one = client(url, monkeypatch, bundle)
        assert one.get_caller_identity()["Account"] == "123456789012"
        one.close()
    assert reads == [(str(bundle),)]


def test_a_server_that_the_bundle_does_not_vouch_for_is_refused_before_and_after_one_that_it_does(
    url: str, bundle: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = certificate(folder, "stranger")
    for untrusting in (None, stranger):
        asking = client(url, monkeypatch, untrusting)
        with pytest.raises(botocore.exceptions.SSLError):
            asking.get_caller_identity()
        trusting = client(url, monkeypatch, bundle)
        assert trusting.get_caller_identity()["Account"] == "123456789012"
        again = client(url, monkeypatch, untrusting)
        with pytest.raises(botocore.exceptions.SSLError):
            again.get_caller_identity()
        for one in (asking, trusting, again):
            one.close()
