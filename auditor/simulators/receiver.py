"""A webhook receiver for the demo and the tests: verifies signatures, remembers what arrived, shows it on a page.

Listens on loopback, ends with its process. It answers 204 to what verifies and 401 to what does not; ``refuse`` makes it
answer with another status for a while, as receivers do.
"""

from __future__ import annotations

import hmac
import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from types import TracebackType
from typing import Any, Self

from auditor.alerts.webhook import signature
from auditor.domain.ports import Clock

TOLERANCE = 300
LARGEST = 64 * 1024


@dataclass(frozen=True, slots=True)
class Message:
    """One delivery as it arrived; ``verified`` says whether signature and time held."""

    id: str
    body: dict[str, Any]
    verified: bool
    status: int


class Receiver:
    """Use it in a ``with`` block; give it the secret once the webhook has one. It lives by the sender's clock."""

    def __init__(self, *, clock: Clock, port: int = 0) -> None:
        self._clock = clock
        self._secret = ""
        self._messages: list[Message] = []
        self._refusals: list[int] = []
        self._lock = Lock()
        handler = type("Handler", (_Handler,), {"receiver": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, name="receiver", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Where to send, and where to look."""
        return f"http://127.0.0.1:{self._server.server_port}/"

    @property
    def messages(self) -> tuple[Message, ...]:
        """What arrived, in order."""
        with self._lock:
            return tuple(self._messages)

    def trust(self, secret: str) -> None:
        """Verify with this ``whsec_`` secret from now on."""
        self._secret = secret

    def refuse(self, *statuses: int) -> None:
        """Answer the next deliveries with these statuses."""
        with self._lock:
            self._refusals.extend(statuses)

    def take(self, headers: Any, body: bytes) -> int:
        """Remember a delivery and give the status to answer."""
        id_, sent_at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        told = headers.get("webhook-signature", "").split(" ")
        verified = self._verifies(id_, sent_at, told, body)
        with self._lock:
            status = self._refusals.pop(0) if self._refusals else 204 if verified else 401
            self._messages.append(Message(id_, json.loads(body or b"{}"), verified, status))
        return status

    def _verifies(self, id_: str, sent_at: str, told: Sequence[str], body: bytes) -> bool:
        if not self._secret or not sent_at.isdigit() or abs(self._clock().timestamp() - int(sent_at)) > TOLERANCE:
            return False
        wanted = signature([self._secret], id_, int(sent_at), body)
        return any(hmac.compare_digest(one, wanted) for one in told)

    def page(self) -> str:
        """What arrived, newest first, as a page."""
        rows = "".join(
            f"<tr><td>{html.escape(m.body.get('type', ''))}<td>{html.escape(str(m.body.get('data', {}).get('title', '')))}"
            f"<td>{html.escape(str(m.body.get('data', {}).get('resource', '')))}<td>{'verified' if m.verified else 'refused'}"
            f"<td>{html.escape(m.id)}"
            for m in reversed(self.messages)
        )
        head = "<tr><th>type<th>title<th>resource<th>signature<th>id"
        return (
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>Webhook receiver</title>'
            f"<h1>Webhook receiver: {len(self.messages)} messages</h1><table>{head}{rows}</table></html>"
        )


class _Handler(BaseHTTPRequestHandler):
    receiver: Receiver

    def do_POST(self) -> None:
        """A delivery."""
        length = min(int(self.headers.get("content-length") or 0), LARGEST)
        self.send_response(self.receiver.take(self.headers, self.rfile.read(length)))
        self.send_header("content-length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        """The page."""
        body = self.receiver.page().encode()
        self.send_response(200)
        self.send_header("content-type", "text/html; charset=utf-8")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing: the page shows what arrived."""
