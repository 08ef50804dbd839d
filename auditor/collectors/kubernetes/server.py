"""The API server itself: which version it says it is."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.domain.reading import Reading, Readings
from auditor.domain.resource_type import Read, ResourceType


@dataclass(frozen=True, slots=True)
class Server:
    """The API server; ``version`` reads ``v1.36.2``."""

    version: Reading[str]


server = ResourceType(
    "kubernetes.server",
    version=1,
    title="API server",
    place="account",
    details={"version": Read("version:get", keep=("gitVersion", "platform"))},
)


@server.document
def describe(seen: Readings) -> Server:
    """The server as it answers ``/version``."""
    return Server(seen["version"].map(lambda told: str(told["gitVersion"])))
