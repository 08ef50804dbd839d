"""Calls: what was asked to bring evidence home, and what only the door knows of the answers.

A request id lets the entity find our call in its own trail; the certificate says who answered. Parameters may hold names from
the cloud, which are hostile text and no secrets. Tokens that ask for the next page stay inside the door and are never kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from auditor.proof.canonical import stamp

CALLS = "auditor.calls"
"""The type under which a record of calls is kept: evidence of how evidence was got."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One answer as its door heard it: the id that the other side gave it, the host, and who proved to be that host.

    ``tls`` is the SHA-256 of the certificate that the host showed, empty where nothing proved anything.
    """

    request_id: str
    host: str
    tls: str


Hear = Callable[[Heard], None]


def unheard(_heard: Heard) -> None:
    """For whoever does not care how it was answered."""


@dataclass(frozen=True, slots=True, eq=False)  # two that look alike are two
class Call:
    """One question as it was put, with all of its answers, the last of which may be a refusal: ``failure`` is its code."""

    operation: str
    params: Mapping[str, Any]
    region: str
    pages: int
    heard: tuple[Heard, ...]
    started_at: datetime
    finished_at: datetime
    failure: str = ""

    def as_json(self) -> dict[str, Any]:
        """As it is kept. Hosts stand once: nearly always the same one gave all the pages."""
        return {
            "operation": self.operation,
            "params": dict(self.params),
            "region": self.region,
            "pages": self.pages,
            "request_ids": [one.request_id for one in self.heard],
            "endpoints": [
                {"host": host, "tls": tls} for host, tls in dict.fromkeys((one.host, one.tls) for one in self.heard)
            ],
            "started_at": stamp(self.started_at),
            "finished_at": stamp(self.finished_at),
            "failure": self.failure,
        }
