"""The emulated AWS account as a process: moto's server behind a small WSGI application of ours.

``python -m auditor.simulators.aws_server`` prints one line, ``{"url": "http://127.0.0.1:PORT"}``, and serves until its
standard input ends or it gets SIGTERM, so it never outlives the process that holds the other end of the pipe. It binds
loopback only. What it adds to moto: AWS-shaped answers to what moto lacks, counts per operation, faults, latency and a
clock that can be set (``control``), the mended ``quirks`` and the ``supplements``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import signal
import socket
import sys
import threading
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from auditor.simulators.answers import Answer, not_implemented
from auditor.simulators.clock import EmulatorClock
from auditor.simulators.control import PREFIX, control
from auditor.simulators.faults import Faults, spoiled
from auditor.simulators.operations import Call, Incoming, read_call

if TYPE_CHECKING:
    from auditor.simulators.supplements import State

# Read by moto while it is imported, so they are set before.
MOTO_SETTINGS = {
    "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",  # with them goes one snapshot each, some 1,300
    "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
    "MOTO_DISABLE_GLOBAL_CORS": "true",
    "AWS_ACCESS_KEY_ID": "emulator",
    "AWS_SECRET_ACCESS_KEY": "emulator",
}
_HTML = b"<!doctype html"

StartResponse = Callable[..., Any]


class Emulator:
    """The WSGI application: control requests are answered here, AWS calls go to moto one at a time.

    Moto's backends are plain dictionaries without locks; a listing beside a change would now and then raise.
    Latency is waited out before the lock is taken, so concurrent callers wait side by side as they do on AWS.
    """

    def __init__(self, moto: Any, state: State, reset_moto: Callable[[], None]) -> None:
        self.faults = Faults()
        self.clock = EmulatorClock()
        self.state = state
        self.latency = 0.0
        self.counts: Counter[str] = Counter()
        self.lock = threading.Lock()
        self._counting = threading.Lock()
        self._moto = moto
        self._reset_moto = reset_moto

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (WSGI)."""
        request = _incoming(environ)
        if request.path.startswith(PREFIX):
            answer = control(self, request)
        else:
            call = read_call(request)
            self._count(call)
            if self.latency:
                time.sleep(self.latency)
            fault = self.faults.take(call)
            if fault is not None and fault.action == "cut":
                _cut(environ)
                return []
            if fault is not None and fault.action == "truncate":
                # Fewer bytes than promised: the server can only close the connection over it.
                start_response("200 OK", [("Content-Length", "1000")])
                return [b"<?xml"]
            answer = spoiled(fault, call) if fault is not None else self._answer(call, environ)
        headers = list(answer.headers)
        if request.method != "HEAD":  # there the length is that of the object, which is not sent
            headers = [pair for pair in headers if pair[0].lower() != "content-length"]
            headers.append(("Content-Length", str(len(answer.body))))
        start_response(f"{answer.status} {_reason(answer.status)}", headers)
        return [answer.body]

    def reset(self) -> None:
        """Forget everything: resources, supplements, faults, counts, latency and clock."""
        with self.lock:
            self._reset_moto()
            self.clock.set(None)
            self.state.__init__()  # type: ignore[misc]
        self.faults.replace(())
        self.latency = 0.0
        self.reset_counts()

    def reset_counts(self) -> None:
        """Count from zero."""
        with self._counting:
            self.counts.clear()

    def counted(self) -> dict[str, int]:
        """Requests per ``service:Operation`` since the last reset, faults included."""
        with self._counting:
            return dict(sorted(self.counts.items()))

    def _count(self, call: Call) -> None:
        with self._counting:
            self.counts[call.name] += 1

    def _answer(self, call: Call, environ: dict[str, Any]) -> Answer:
        with self.lock:
            supplied = self.state.answer(call)
            if supplied is not None:
                return supplied
            try:
                answer = _run(self._moto, environ)
            except NotImplementedError as missing:
                return not_implemented(call, str(missing))
            except Exception as fault:  # noqa: BLE001 - moto's own faults must not become a 500 that clients retry
                if _UNKNOWN_SERVICE not in str(fault):
                    traceback.print_exc()
                return not_implemented(call, traceback.format_exc(limit=0).strip().rsplit("\n", 1)[-1])
        if answer.status >= 500 or _is_page(answer, call):
            return not_implemented(call)
        return answer


_UNKNOWN_SERVICE = "'NoneType' object has no attribute 'replace'"
"""What moto says where it has no backend at all for a service."""


def _is_page(answer: Answer, call: Call) -> bool:
    """Whether it is a web page or nothing where AWS would have sent an error document."""
    if call.method == "HEAD" or answer.status < 400:
        return False
    return not answer.body.strip() or answer.body[:20].lower().startswith(_HTML)


def _incoming(environ: dict[str, Any]) -> Incoming:
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    headers = {
        key[5:].replace("_", "-").lower(): str(value) for key, value in environ.items() if key.startswith("HTTP_")
    }
    headers["content-type"] = environ.get("CONTENT_TYPE", "")
    raw = urlsplit(environ.get("REQUEST_URI", environ["PATH_INFO"]))
    return Incoming(environ["REQUEST_METHOD"], raw.path, environ.get("QUERY_STRING", ""), headers, body)


def _run(application: Any, environ: dict[str, Any]) -> Answer:
    began: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], _: object = None) -> Any:
        began.append((status, headers))
        return None

    chunks = application(environ, start_response)
    body = b"".join(chunks)
    if hasattr(chunks, "close"):
        chunks.close()
    status, headers = began[-1]
    return Answer(int(status.split(" ", 1)[0]), tuple(headers), body)


def _cut(environ: dict[str, Any]) -> None:
    """Close the connection without an answer, as a failing network does."""
    channel = environ["waitress.client_disconnected"].__self__
    with contextlib.suppress(OSError):
        channel.socket.shutdown(socket.SHUT_RDWR)


def _reason(status: int) -> str:
    with contextlib.suppress(ValueError):
        return HTTPStatus(status).phrase
    return "Unknown"


def build() -> Emulator:
    """The application around a fresh moto; imports moto, which takes seconds."""
    from moto.moto_api._internal.models import moto_api_backend  # noqa: PLC0415 - after MOTO_SETTINGS
    from moto.moto_server.werkzeug_app import (  # noqa: PLC0415 - likewise
        DomainDispatcherApplication,
        create_backend_app,
    )

    from auditor.simulators.quirks import mend  # noqa: PLC0415 - likewise
    from auditor.simulators.shortcuts import take_shortcuts  # noqa: PLC0415 - likewise
    from auditor.simulators.supplements import State  # noqa: PLC0415 - likewise

    state = State()
    mend(state)
    take_shortcuts()
    return Emulator(DomainDispatcherApplication(create_backend_app), state, moto_api_backend.reset)


def serve(port: int, at: datetime | None) -> None:
    """Serve on loopback until standard input ends or SIGTERM comes."""
    from waitress import create_server  # noqa: PLC0415 - the extra may be missing, and main() then says so

    emulator = build()
    if at is not None:
        emulator.clock.set(at)
    server = create_server(
        emulator,
        host="127.0.0.1",
        port=port,
        threads=64,
        connection_limit=500,
        # The clock may jump by years, and waitress measures a connection's idle time by it.
        channel_timeout=100 * 365 * 86400,
        ident=None,
    )

    def stop(*_: object) -> None:
        os._exit(0)  # there is nothing to save, and an orderly end would wait for threads in their answers

    def stop_with_parent() -> None:
        while os.read(0, 4096):
            pass
        stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides when we end
    threading.Thread(target=stop_with_parent, daemon=True).start()
    sys.stdout.write(json.dumps({"url": f"http://127.0.0.1:{server.effective_port}"}) + "\n")
    sys.stdout.flush()
    server.run()


def main(arguments: list[str] | None = None) -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m auditor.simulators.aws_server", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--clock", type=datetime.fromisoformat, default=None, help="the moment to begin at, with zone")
    options = parser.parse_args(arguments)
    for name, value in MOTO_SETTINGS.items():
        os.environ[name] = value
    warnings.simplefilter("ignore")  # moto's advice to its own users
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    serve(options.port, options.clock)


if __name__ == "__main__":
    main()
