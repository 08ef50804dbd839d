# ruff: noqa: ARG002  (the signatures are the library's)
"""Connections that go to judged addresses only and end at a deadline, however slowly the other side drips.

The HTTP library times each read by itself: a receiver that sends a byte every few seconds would hold a worker for ever.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable
from typing import Any

import httpcore


class Dialler(httpcore.NetworkBackend):
    """A network backend that ignores the name it is asked for and dials ``addresses``, in order, until one answers."""

    def __init__(self, addresses: tuple[str, ...], *, connect_within: float, deadline: float) -> None:
        self._addresses = addresses
        self._connect_within = connect_within
        self._deadline = deadline
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first judged address that accepts."""
        until = min(self._deadline, time.monotonic() + self._connect_within)
        failure: Exception = httpcore.ConnectError("no address to dial")
        for address in self._addresses:
            try:
                stream = self._backend.connect_tcp(address, port, timeout=_left(until), local_address=local_address)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return Stream(stream, self._deadline, until)
        raise failure

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.NetworkStream:
        """Never: nothing outside is reached by a path."""
        raise httpcore.ConnectError("unix sockets are not dialled")


class Stream(httpcore.NetworkStream):
    """A connection whose reads and writes share one deadline; the TLS handshake counts as connecting."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float, connect_by: float) -> None:
        self._stream = stream
        self._deadline = deadline
        self._connect_by = connect_by

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """What has arrived, at latest by the deadline."""
        return self._stream.read(max_bytes, timeout=_left(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Hand the bytes over by the deadline, in pieces, so that a receiver that reads slowly meets it too."""
        for start in range(0, len(buffer), 16384):
            self._stream.write(buffer[start : start + 16384], timeout=_left(self._deadline))

    def close(self) -> None:
        """Hang up."""
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """The same connection under TLS; the certificate must be for the name, not for the address."""
        secured = self._stream.start_tls(ssl_context, server_hostname=server_hostname, timeout=_left(self._connect_by))
        return Stream(secured, self._deadline, self._connect_by)

    def get_extra_info(self, info: str) -> Any:
        """As the connection below tells it."""
        return self._stream.get_extra_info(info)


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the deadline has passed")
    return left
