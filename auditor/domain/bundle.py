"""A bundle as people ask for it and as the books know it: what it is about, how far it is, what it became."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias
from uuid import UUID

from auditor.domain.errors import ConfigurationError
from auditor.proof.canonical import instant, stamp

BundleState: TypeAlias = Literal["asked", "building", "signing", "done", "failed"]
AuditKind: TypeAlias = Literal["type_1", "type_2", "assessment"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a bundle is asked for: frameworks, a period ``[begins, ends)``, and what it is narrowed to, if it is.

    Narrowed to controls, sources or single resources it is a part: what it tells is proved, that nothing was left out is not.
    """

    frameworks: tuple[str, ...]
    begins: datetime
    ends: datetime
    controls: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    kind: AuditKind = "type_2"
    resources: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.begins >= self.ends:
            raise ConfigurationError("the period ends before it begins", advice="--to is the first day not in it")

    @property
    def partial(self) -> dict[str, list[str]] | None:
        """What a part is about; none if it is the whole."""
        told = {
            "controls": sorted(self.controls),
            "sources": sorted(self.sources),
            "resources": sorted(self.resources),
        }
        kept = {name: of for name, of in told.items() if of}
        return kept or None

    def as_json(self) -> dict[str, Any]:
        """Plain JSON, as the books keep it."""
        return {
            "frameworks": list(self.frameworks),
            "period": {"from": stamp(self.begins), "to": stamp(self.ends)},
            "controls": list(self.controls),
            "sources": list(self.sources),
            "resources": list(self.resources),
            "kind": self.kind,
        }

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> Asked:
        """What ``as_json`` wrote."""
        return cls(
            tuple(told["frameworks"]),
            instant(told["period"]["from"]),
            instant(told["period"]["to"]),
            tuple(told["controls"]),
            tuple(told["sources"]),
            told["kind"],
            tuple(told.get("resources", ())),  # asked for before there were samples
        )


@dataclass(frozen=True, slots=True)
class Taken:
    """That somebody took a bundle away."""

    at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle in the books. ``digest`` is its identity, ``bytes`` the size of its ZIP, ``parts`` the objects it is kept in.

    ``purged_at`` is when one of these was erased, which nothing brings back; the rest of the row stays.
    """

    id: UUID
    asked: Asked
    asked_at: datetime
    asked_by: str
    state: BundleState
    step: str
    progress: int
    head_size: int | None = None
    digest: str | None = None
    bytes: int | None = None
    finished_at: datetime | None = None
    error: str | None = None
    parts: tuple[str, ...] = ()
    purged_at: datetime | None = None
    taken: Sequence[Taken] = ()


@dataclass(frozen=True, slots=True)
class Signed:
    """The log's key over a bundle: the note over its seal, the form that ``ssh-keygen`` reads, and the key's public half.

    ``retired`` are the public halves of the keys that signed before it, the oldest first.
    """

    note: str
    ssh: str
    key: str
    retired: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SealRequest:
    """What is to be signed: digests of a manifest, the head the bundle reaches to, and its period as text."""

    tenant: UUID
    bundle: UUID
    sha256: str
    sha512: str
    head_size: int
    period: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Written:
    """A tree up to its manifest: what is to be signed."""

    sha256: str
    sha512: str
    head_size: int
    period: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Issued:
    """A bundle that is whole: the objects that its ZIP is kept in, in their order, and how large it is."""

    parts: tuple[str, ...]
    size: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a bundle will hold, counted, and about how large it will be; ``head_at`` is how far it could speak now.

    ``without`` are the resources asked for of which it will tell no finding.
    """

    findings: int
    spans: int
    evidence: int
    entries: int
    head_at: datetime | None
    without: tuple[str, ...] = ()

    @property
    def about_bytes(self) -> int:
        """The ZIP's size, by measured bytes per line after compression."""
        return 60_000 + 330 * self.findings + 180 * self.spans + 700 * self.evidence + 90 * self.entries


def stood(line: Mapping[str, Any], at: datetime) -> bool:
    """Whether what a line of the evidence index names stood at an instant."""
    return any(
        instant(since) <= at and (until is None or at < instant(until))
        for since, until in line.get("stood", ((line["collected_at"], None),))
    )
