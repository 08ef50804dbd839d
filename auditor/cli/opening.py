"""``auditor bundle open``: a verified bundle in the dashboard, over a blank database in a folder that is removed at the end."""

from __future__ import annotations

import signal
import socket
import sys
import webbrowser
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from auditor import telemetry
from auditor.bootstrap.opened import opened_books
from auditor.cli.temporary import temporary_home
from auditor.domain.errors import ConfigurationError
from auditor.proof.report import Report
from controls import shipped
from dashboard.opened import application

LOOPBACK = "127.0.0.1"


def show(root: Path, said: Report, *, port: int, browser: bool) -> int:
    """Serve the pages until interrupted; nothing of it is left then.

    Raises:
        ConfigurationError: The port is taken, or the embedded database cannot run here.
    """
    telemetry.configure("error")
    with _ending(), closing(_bound(port)) as listening, temporary_home("auditor-bundle-") as home:
        print("bringing the bundle in …", file=sys.stderr, flush=True)
        with opened_books(root, said, shipped(), home) as books:
            from waitress.server import create_server  # noqa: PLC0415  (of the same extra as the database, which is there)

            base_url = f"http://{LOOPBACK}:{listening.getsockname()[1]}"
            app, link = application(books, base_url=base_url)
            server = create_server(app, sockets=[listening], threads=4, ident=None)
            print(f"open this link, which works once: {link}", flush=True)
            print("Ctrl-C ends it and leaves nothing behind", file=sys.stderr, flush=True)
            if browser:
                webbrowser.open(link)
            try:
                server.run()
            finally:
                server.close()
    return 0


@contextmanager
def _ending() -> Iterator[None]:
    """Whatever asks us to end does so by way of an exception, also while we begin: what was started is stopped."""
    asked = (signal.SIGTERM, signal.SIGHUP)
    before = {one: signal.signal(one, _interrupt) for one in asked}
    try:
        yield
    except KeyboardInterrupt:
        print(file=sys.stderr)
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _interrupt(_number: int, _frame: Any) -> None:
    raise KeyboardInterrupt


def _bound(port: int) -> socket.socket:
    """A socket at the port, or at any that is free: the address stands before anything is started."""
    listening = socket.socket()
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((LOOPBACK, port))
    except OSError as error:
        listening.close()
        raise ConfigurationError(
            f"port {port} cannot be bound: {error.strerror}", advice="Choose another --port"
        ) from error
    return listening
