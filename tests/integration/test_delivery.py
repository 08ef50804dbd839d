"""Deliveries over real sockets: a receiver on loopback that behaves well, or badly in one way each."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address, ip_network
from pathlib import Path
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from standardwebhooks.webhooks import Webhook

from auditor.alerts.webhook import WebhookChannel, secret_of
from auditor.domain.delivery import Attempt, Delivered, Delivery, Failed, Outcome, RetryAt
from auditor.domain.errors import DeliveryError, EgressError
from auditor.domain.ports import Claim
from auditor.pipeline.notify import notify
from auditor.trust.egress import KEEP_AT_MOST, Egress

LOOPBACK = (ip_network("127.0.0.0/8"),)
SECRET = secret_of(bytes(range(32)))
Behave = Callable[[BaseHTTPRequestHandler, bytes], None]


@contextlib.contextmanager
def receiver(behave: Behave, context: ssl.SSLContext | None = None) -> Iterator[tuple[int, list[str]]]:
    """An HTTP server on loopback; gives its port and the paths it was asked for."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            paths.append(self.path)
            body = self.rfile.read(int(self.headers["content-length"]))
            with contextlib.suppress(OSError):
                behave(self, body)

        do_GET = do_POST  # noqa: N815  (the library's name)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that hang up are the point
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1], paths
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def answer(status: int, body: bytes = b"", **headers: str) -> Behave:
    def behave(handler: BaseHTTPRequestHandler, _body: bytes) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return behave


class Rows:
    """One delivery, as rows would hold it."""

    def __init__(self, url: str) -> None:
        some = UUID(int=1)
        self.recorded: list[tuple[Attempt, Outcome]] = []
        self._delivery = Delivery(
            tenant=some,
            id=some,
            fence=1,
            webhook_id=some,
            event_id=UUID(int=9),
            type="finding.opened",
            url=url,
            secrets=(SECRET,),
            body=b'{"type":"finding.opened"}',
        )

    def load(self, tenant: UUID, id: UUID, fence: int) -> Delivery | None:  # noqa: A002
        return self._delivery

    def record(self, delivery: Delivery, attempt: Attempt, outcome: Outcome, now: datetime) -> None:
        self.recorded.append((attempt, outcome))


def told(url: str, egress: Egress) -> tuple[Attempt, Outcome]:
    rows = Rows(url)
    notify(
        Claim(UUID(int=1), UUID(int=1), "notify", 1),
        deliveries=rows,
        channel=WebhookChannel(egress.post),
        clock=lambda: datetime.now(UTC),
        jitter=lambda: 0.0,
    )
    return rows.recorded[0]


def test_a_receiver_gets_one_signed_request_that_it_can_verify() -> None:
    got: list[object] = []

    def verify(handler: BaseHTTPRequestHandler, body: bytes) -> None:
        got.append(Webhook(SECRET).verify(body, dict(handler.headers.items())))
        got.append((handler.headers["webhook-id"], handler.headers["content-type"]))
        answer(200, b"thanks")(handler, body)

    with receiver(verify) as (port, paths):
        attempt, outcome = told(f"http://127.0.0.1:{port}/hook?x=1", Egress(LOOPBACK))
    assert outcome == Delivered()
    assert (attempt.status, attempt.head, paths) == (200, b"thanks", ["/hook?x=1"])
    assert got == [{"type": "finding.opened"}, (str(UUID(int=9)), "application/json")]


def test_loopback_is_not_dialled_unless_the_operator_says_so() -> None:
    with receiver(answer(200)) as (port, paths):
        attempt, outcome = told(f"http://127.0.0.1:{port}/", Egress())
    assert isinstance(outcome, Failed)
    assert "not a public address" in str(attempt.error)
    assert paths == []


def test_a_redirect_is_not_followed() -> None:
    with (
        receiver(answer(200)) as (trap, trapped),
        receiver(answer(302, location=f"http://127.0.0.1:{trap}/")) as (port, _),
    ):
        attempt, outcome = told(f"http://127.0.0.1:{port}/", Egress(LOOPBACK))
    assert attempt.status == 302
    assert isinstance(outcome, Failed)
    assert trapped == []


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver(answer(200)) as (port, paths), receiver(answer(500)) as (proxy, proxied):
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy}")
        _, outcome = told(f"http://127.0.0.1:{port}/direct", Egress(LOOPBACK))
    assert outcome == Delivered()
    assert (paths, proxied) == (["/direct"], [])


@pytest.fixture
def over() -> Iterator[threading.Event]:
    """What a receiver waits for that never ends of its own accord: that the other side ends at all is its deadline's doing."""
    told = threading.Event()
    yield told
    told.set()


@pytest.mark.timeout(10)  # the deadline that nobody names is 15 s
def test_a_receiver_that_never_answers_times_out_and_is_tried_again(over: threading.Event) -> None:
    def hang(handler: BaseHTTPRequestHandler, body: bytes) -> None:
        over.wait()

    with receiver(hang) as (port, _), pytest.raises(DeliveryError, match="timed out") as failed:
        Egress(LOOPBACK).post(f"http://127.0.0.1:{port}/", {}, b"{}", total=0.4)
    assert failed.value.retryable


@pytest.mark.timeout(10)
def test_a_receiver_that_drips_meets_the_same_deadline(over: threading.Event) -> None:
    def drip(handler: BaseHTTPRequestHandler, body: bytes) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nx-slow: ")
        while not over.wait(0.05):
            handler.wfile.write(b".")

    with receiver(drip) as (port, _), pytest.raises(DeliveryError, match="timed out"):
        Egress(LOOPBACK).post(f"http://127.0.0.1:{port}/", {}, b"{}", total=0.5)


def test_a_big_answer_is_cut_and_not_read_to_its_end() -> None:
    written: list[int] = []

    def flood(handler: BaseHTTPRequestHandler, body: bytes) -> None:
        handler.send_response(200)
        handler.end_headers()
        written.extend(handler.wfile.write(b"x" * 16384) for _ in range(4000))

    with receiver(flood) as (port, _):
        reply = Egress(LOOPBACK).post(f"http://127.0.0.1:{port}/", {}, b"{}")
    assert reply.head == b"x" * KEEP_AT_MOST
    assert sum(written) < 4000 * 16384


def test_compressed_answers_are_kept_as_they_came() -> None:
    packed = b"\x1f\x8b" + b"z" * 50
    with receiver(answer(200, packed, content_encoding="gzip")) as (port, _):
        assert Egress(LOOPBACK).post(f"http://127.0.0.1:{port}/", {}, b"{}").head == packed


def test_a_busy_receiver_is_left_alone_as_long_as_it_asks() -> None:
    with receiver(answer(503, retry_after="3600")) as (port, _):
        attempt, outcome = told(f"http://127.0.0.1:{port}/", Egress(LOOPBACK))
    assert isinstance(outcome, RetryAt)
    assert outcome.at - attempt.at >= timedelta(hours=1)


def test_nobody_listening_is_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    attempt, outcome = told(f"http://127.0.0.1:{port}/", Egress(LOOPBACK))
    assert isinstance(outcome, RetryAt)
    assert str(attempt.error).startswith("delivery:")


@pytest.mark.parametrize("noise", [b"", b"220 mail ready\r\n", b"HTTP/1.1 banana\r\n\r\n"])
def test_something_that_speaks_no_http_is_a_failed_delivery(noise: bytes) -> None:
    def rude(handler: BaseHTTPRequestHandler, body: bytes) -> None:
        handler.wfile.write(noise)

    with receiver(rude) as (port, _), pytest.raises(DeliveryError):
        Egress(LOOPBACK).post(f"http://127.0.0.1:{port}/", {}, b"{}")


def test_a_header_cannot_be_smuggled_in() -> None:
    with receiver(answer(200)) as (port, paths), pytest.raises(DeliveryError):
        Egress(LOOPBACK).post(f"http://127.0.0.1:{port}/", {"x": "1\r\nhost: other"}, b"{}")
    assert paths == []


def test_the_certificate_is_checked_against_the_name_not_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = self_signed("receiver.example", tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    names: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    with receiver(answer(200), context) as (port, paths):
        egress = Egress(LOOPBACK, resolve=lambda host, port: ("127.0.0.1",))
        assert egress.post(f"https://receiver.example:{port}/hook", {}, b"{}").status == 200
        with pytest.raises(DeliveryError, match=r"(?i)certificate"):
            egress.post(f"https://another.example:{port}/hook", {}, b"{}")
    assert names[0] == "receiver.example"
    assert paths == ["/hook"]


def test_an_address_refused_today_is_refused_at_the_attempt_not_only_on_saving() -> None:
    answers = iter([("93.184.216.34",), ("127.0.0.1",)])
    egress = Egress(resolve=lambda host, port: next(answers))
    assert egress.judge("https://receiver.example/").addresses == ("93.184.216.34",)
    with pytest.raises(EgressError):
        egress.post("https://receiver.example/", {}, b"{}")


def self_signed(name: str, folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ip_address("192.0.2.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "receiver.pem"
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ) + certificate.public_bytes(serialization.Encoding.PEM)
    path.write_bytes(pem)
    return path
