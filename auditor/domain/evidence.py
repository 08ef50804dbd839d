"""What an API answered, projected: per resource, with who asked, when, how, and a digest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from auditor.domain.calls import Call
from auditor.domain.coverage import Coverage
from auditor.proof.canonical import digest


@dataclass(frozen=True)  # no slots: the digest, which several steps ask for, is worked out once
class Evidence:
    """The kept answers about one resource. ``content`` maps declared names to JSON; ``operations`` says how it was asked.

    ``listed_digest`` covers what the listing alone showed: as long as it holds, details need no reading before their turn.
    ``volatile`` is the resource's row of volatile facts, which stands beside its evidence and outside its digest; none where
    the type has no such facts, or where they were not kept.
    """

    resource_type: str
    type_version: int
    native_id: str
    region: str
    content: Mapping[str, Any]
    collected_at: datetime
    operations: tuple[str, ...]
    listed_digest: str = ""
    calls: tuple[Call, ...] = field(default=(), repr=False, compare=False)
    """The calls it rests on: those of its listing, then its own."""
    volatile: Mapping[str, Any] | None = None

    @property
    def body(self) -> dict[str, Any]:
        """What is stored: type, version and content; when and how it was asked stand beside it, not in it."""
        return {"type": self.resource_type, "version": self.type_version, "content": dict(self.content)}

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical body: the same answer has the same digest, whoever asked and whenever."""
        return digest(self.body)


@dataclass(frozen=True, slots=True)
class Known:
    """What the run before kept of a resource: the digest of its evidence, and of the listed part of it alone."""

    digest: str
    listed_digest: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Current evidence of one resource without its content, which is read only where something must be judged.

    ``collected_at`` is the last look that saw it so, whether or not anything was read anew.
    """

    resource_type: str
    type_version: int
    native_id: str
    region: str
    place: str
    digest: str
    collected_at: datetime
    operations: tuple[str, ...]

    def of(self, content: Mapping[str, Any], volatile: Mapping[str, Any] | None = None) -> Evidence:
        """The evidence with its content, and with its row of volatile facts where there is one."""
        return Evidence(
            self.resource_type,
            self.type_version,
            self.native_id,
            self.region,
            content,
            self.collected_at,
            self.operations,
            volatile=volatile,
        )


@dataclass(frozen=True, slots=True)
class Held:
    """A resource that is listed as before and whose details were not due to be read again: its evidence stands.

    ``volatile`` are the volatile facts that the listing shows anew; those of details stand as they were. ``calls`` listed it.
    """

    resource_type: str
    native_id: str
    region: str
    digest: str
    volatile: Mapping[str, Any] = field(default_factory=dict)
    calls: tuple[Call, ...] = field(default=(), repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Written:
    """Who last wrote to a resource, by its own account, and when a look began to see it. It stands beside the evidence.

    ``manager`` is a name that the writer chose, and proves nobody.
    """

    resource_type: str
    native_id: str
    manager: str
    operation: str
    at: datetime
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A resource that the scope leaves out, and by which rule. It is collected all the same, and not judged."""

    resource_type: str
    native_id: str
    region: str
    reason: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """Who asked and whom: the caller's ARN, a host that is not the provider's own, the clock around the looking, the scope."""

    caller: str
    endpoint: str
    started_at: datetime
    finished_at: datetime
    scope_version: int = 0


@dataclass(frozen=True, slots=True)
class CallRecord:
    """Calls written down, and by type and native id the numbers of those that a resource's evidence rests on."""

    written: Evidence
    numbers: Mapping[tuple[str, str], tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Collection:
    """What one unit brought home: evidence per resource, coverage per type, and how many calls it took."""

    place: str
    evidence: tuple[Evidence, ...]
    coverage: tuple[Coverage, ...]
    provenance: Provenance
    calls: Mapping[str, int] = field(default_factory=dict)
    held: tuple[Held, ...] = ()
    excluded: tuple[Exclusion, ...] = ()
    records: tuple[CallRecord, ...] = ()
    written: tuple[Written, ...] = ()
