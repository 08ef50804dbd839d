"""What a door hears beside an answer: the id of the request, the host, and the certificate that the host showed.

Client libraries hand neither certificate nor host on with an answer. The certificate is noted where its connection is made and
handed on with each response of that connection; the rest is noted in the thread that asked, which is the one that reads on.
"""

from __future__ import annotations

import hashlib
import threading
from typing import Any

from auditor.domain.calls import Heard


class Ear(threading.local):
    """What this thread heard last; nothing, until an answer comes."""

    last: Heard | None = None

    def take(self) -> Heard | None:
        """What was heard since it was taken last."""
        heard, self.last = self.last, None
        return heard


class ShowsItsPeer:
    """Lays over a connection of urllib3: its responses say in ``tls`` which certificate the peer showed, as SHA-256."""

    sock: Any
    _tls = ""

    def connect(self) -> None:
        """Connect as always, and look whom to."""
        super().connect()  # type: ignore[misc]  # of the class it is laid over
        certificate = self.sock.getpeercert(binary_form=True)
        self._tls = hashlib.sha256(certificate).hexdigest() if certificate else ""

    def getresponse(self) -> Any:
        """The response, and who gave it."""
        response = super().getresponse()  # type: ignore[misc]  # likewise
        response.tls = self._tls
        return response


def peer_of(response: Any) -> str:
    """The certificate behind a response of urllib3; none over plain HTTP."""
    return str(getattr(response, "tls", ""))
