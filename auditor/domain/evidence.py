"""What an API answered, projected: per resource, with who asked, when, how, and a digest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from auditor.domain.coverage import Coverage
from auditor.proof.canonical import digest


@dataclass(frozen=True, slots=True)
class Evidence:
    """The kept answers about one resource. ``content`` maps declared names to JSON; ``operations`` says how it was asked."""

    resource_type: str
    type_version: int
    native_id: str
    region: str
    content: Mapping[str, Any]
    collected_at: datetime
    operations: tuple[str, ...]

    @property
    def body(self) -> dict[str, Any]:
        """What is stored: type, version and content; when and how it was asked stand beside it, not in it."""
        return {"type": self.resource_type, "version": self.type_version, "content": dict(self.content)}

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical body: the same answer has the same digest, whoever asked and whenever."""
        return digest(self.body)


@dataclass(frozen=True, slots=True)
class Provenance:
    """Who asked and whom: the caller's ARN, the endpoint's host, and the clock around the looking."""

    caller: str
    endpoint: str
    started_at: datetime
    finished_at: datetime


@dataclass(frozen=True, slots=True)
class Collection:
    """What one unit brought home: evidence per resource, coverage per type, and how many calls it took."""

    place: str
    evidence: tuple[Evidence, ...]
    coverage: tuple[Coverage, ...]
    provenance: Provenance
    calls: Mapping[str, int] = field(default_factory=dict)
