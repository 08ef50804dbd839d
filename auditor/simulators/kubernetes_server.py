"""The small cluster's socket: TLS, connections that stay open, streams in chunks, and the cuts that were asked for."""

from __future__ import annotations

import socket
import ssl
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from threading import Event, Lock, Thread, current_thread
from typing import Any
from uuid import uuid4

from auditor.simulators.kubernetes_answers import Answer
from auditor.simulators.kubernetes_desk import Desk, Stream
from auditor.simulators.kubernetes_faults import Trouble, Troubles
from auditor.simulators.kubernetes_requests import read_request

_HANDSHAKE_SECONDS = 10.0
_JOIN_SECONDS = 5.0


class Server(ThreadingTCPServer):
    """Listens on loopback and hands requests to a desk; ``close`` ends every connection and waits for its thread."""

    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, context: ssl.SSLContext, port: int, desk: Callable[[str], Desk], troubles: Troubles) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.desk = desk(f"127.0.0.1:{self.server_address[1]}")
        self.troubles = troubles
        self.latency = 0.0
        self.stopping: Event = self.desk.stopping
        self._context = context
        self._lock = Lock()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._open: set[socket.socket] = set()
        self._handlers: set[Thread] = set()
        self._thread = Thread(target=self.serve_forever, args=(0.05,), name="cluster", daemon=True)

    def start(self) -> None:
        """Serve from now on, in threads of our own."""
        self._thread.start()

    def close(self) -> None:
        """End what is open and return when it has ended."""
        self.stopping.set()
        with self.desk.store.changed:
            self.desk.store.changed.notify_all()
        if self._thread.is_alive():
            self.shutdown()
            self._thread.join(_JOIN_SECONDS)
        self.server_close()
        with self._lock:
            connections, handlers = list(self._open), list(self._handlers)
        for connection in connections:
            cut(connection)
        for handler in handlers:
            handler.join(_JOIN_SECONDS)

    def count(self, verb: str, template: str) -> None:
        """One more request of this form."""
        with self._lock:
            self._counts[verb, template] += 1

    def counts(self, *, reset: bool = False) -> dict[tuple[str, str], int]:
        """Requests per verb and path template since the last reset."""
        with self._lock:
            counts = dict(self._counts)
            if reset:
                self._counts.clear()
        return counts

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread that we know of."""
        thread = Thread(target=self._handle, args=(request, client_address), name="cluster-request", daemon=True)
        with self._lock:
            self._handlers.add(thread)
            self._open.add(request)
        thread.start()

    def _handle(self, request: socket.socket, client_address: Any) -> None:
        secured: socket.socket | None = None
        try:
            request.settimeout(_HANDSHAKE_SECONDS)
            secured = self._context.wrap_socket(request, server_side=True)
            secured.settimeout(None)
            with self._lock:
                self._open.add(secured)
            _Handler(secured, client_address, self)
        except OSError:
            pass  # the other side left, or does not trust us: it knows why
        finally:
            for connection in filter(None, (secured, request)):
                connection.close()
            with self._lock:
                self._open.difference_update(filter(None, (secured, request)))
                self._handlers.discard(current_thread())


def cut(connection: socket.socket) -> None:
    """End a connection without a farewell."""
    with suppress(OSError):  # it may have ended already
        connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = read_request(self.command, self.path)
        self.server.count(asked.verb, asked.template)
        trouble = self.server.troubles.take(asked)
        wait = self.server.latency + (trouble.seconds if trouble else 0.0)
        if wait:
            self.server.stopping.wait(wait)
        if trouble and trouble.action == "cut":
            self._cut()
            return
        answer = self.server.desk.answer(asked, self.headers, body, trouble)
        if isinstance(answer, Stream):
            self._stream(answer, trouble)
        else:
            self._whole(answer, trouble)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - named by the library

    def _whole(self, answer: Answer, trouble: Trouble | None) -> None:
        self._head(answer.status, answer.content_type, {**answer.headers, "Content-Length": str(len(answer.body))})
        half = trouble is not None and trouble.action == "cut_body"
        body = answer.body[: len(answer.body) // 2] if half else answer.body
        self._send(body if self.command != "HEAD" else b"")
        if half or (trouble is not None and trouble.action == "hang_up"):
            self._cut()

    def _stream(self, answer: Stream, trouble: Trouble | None) -> None:
        self._head(200, "application/json", {"Transfer-Encoding": "chunked"})
        self._send(b"")
        for line in answer.lines:
            self._send(f"{len(line):x}\r\n".encode() + line + b"\r\n")
            if trouble and trouble.action == "cut_body":
                self._cut()
                return
        self._send(b"0\r\n\r\n")

    def _head(self, status: int, content_type: str, headers: dict[str, str]) -> None:
        self.send_response_only(status)
        self.send_header("Audit-Id", str(uuid4()))  # what the audit log has the request under
        self.send_header("Content-Type", content_type)
        self.send_header("Cache-Control", "no-cache, private")
        for name, value in headers.items():
            self.send_header(name, value)

    def _send(self, body: bytes) -> None:
        """Head (if one waits) and body in one write, or small answers would wait for the other side's acknowledgement."""
        waiting: list[bytes] = getattr(self, "_headers_buffer", [])
        head = b"".join([*waiting, b"\r\n"]) if waiting else b""
        self._headers_buffer: list[bytes] = []
        self.wfile.write(head + body)

    def _cut(self) -> None:
        self.close_connection = True
        cut(self.connection)

    def log_message(self, *_: Any) -> None:
        """Say nothing: tests ask for counts."""
