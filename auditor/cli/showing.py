"""A bundle's own pages in a browser: read-only, on the loopback, nothing but the files that its manifest names."""

from __future__ import annotations

import webbrowser
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from auditor.proof.report import Report

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class Shown(SimpleHTTPRequestHandler):
    """Files below the bundle, and no listing of folders."""

    protocol_version = "HTTP/1.1"

    def end_headers(self) -> None:
        """With the rule that nothing may be run or loaded."""
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def guess_type(self, path: Any) -> str:
        """Pages as pages; whatever else there is as text, shown and not saved."""
        return "text/html; charset=utf-8" if str(path).endswith(".html") else "text/plain; charset=utf-8"

    def list_directory(self, path: Any) -> None:
        """Refused: pages lead everywhere."""
        del path
        self.send_error(404)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base's word)
        """Said to nobody."""


def server(root: Path, port: int) -> ThreadingHTTPServer:
    """A server for the bundle in this folder, on the loopback; not running yet."""
    return ThreadingHTTPServer(("127.0.0.1", port), partial(Shown, directory=str(root)))


def serve(root: Path, said: Report, port: int, *, browser: bool = True) -> int:
    """Show a bundle until interrupted."""
    with server(root, port) as shown:
        url = f"http://127.0.0.1:{shown.server_address[1]}/data/index.html"
        print(f"{said.identity[:16]} is shown at {url}; end with Ctrl-C", flush=True)
        if browser:
            webbrowser.open(url)
        try:
            shown.serve_forever()
        except KeyboardInterrupt:
            return 0
    return 0
