"""IAM Access Analyzer: whether access from outside is looked for in a region, and what it found that nobody settled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from auditor.collectors.aws._dated import dated
from auditor.collectors.aws._ec2 import parts
from auditor.collectors.aws._listed import listed
from auditor.domain.reading import Reading, Readings, Seen, Unseen
from auditor.domain.resource_type import DerivedType, Joined, Listing, Read, ResourceType

EXTERNAL = frozenset({"ACCOUNT", "ORGANIZATION"})
"""Kinds that look for access from outside; the others look for unused or internal access."""


@dataclass(frozen=True, slots=True)
class Outsider:
    """Access from outside that an analyzer found and nobody archived."""

    id: str
    resource: str | None
    created_at: Reading[datetime]


@dataclass(frozen=True, slots=True)
class Analyzer:
    """An analyzer and its active findings, which are asked for only of those that look for outsiders."""

    name: str
    external: bool
    active: bool
    findings: Reading[tuple[Outsider | Unseen, ...]]


@dataclass(frozen=True, slots=True)
class Watch:
    """One analyzer of a region in short."""

    external: bool
    active: bool


@dataclass(frozen=True, slots=True)
class Analysis:
    """A region and its analyzers."""

    name: str
    analyzers: tuple[Watch | Unseen, ...]


def _external(seen: Readings) -> bool:
    return listed(seen["type"]) in EXTERNAL


analyzer = ResourceType(
    "aws.accessanalyzer.analyzer",
    version=1,
    title="IAM Access Analyzer",
    listing=Listing(
        "accessanalyzer:list_analyzers", items="analyzers", id="arn", keep=("arn", "name", "type", "status")
    ),
    details={
        "findings": Read(
            "accessanalyzer:list_findings_v2",
            analyzerArn="{arn}",
            filter={"status": {"eq": ["ACTIVE"]}},
            when=_external,
            items="findings",
            keep=("id", "resource", "createdAt"),
        ),
    },
)

analysis = DerivedType(
    "aws.accessanalyzer.analysis",
    version=1,
    title="Region and its access analyzers",
    over="region",
    inputs=(analyzer,),
)


@analyzer.document
def describe_analyzer(seen: Readings) -> Analyzer:
    """The analyzer with its findings, oldest first."""
    return Analyzer(
        name=listed(seen["name"]),
        external=_external(seen),
        active=listed(seen["status"]) == "ACTIVE",
        findings=_findings(seen),
    )


@analysis.document
def describe_analysis(joined: Joined) -> Analysis:
    """The region with all that analyses it."""
    found = joined.of(analyzer).documents()
    short = (one if isinstance(one, Unseen) else Watch(one.external, one.active) for one in found)
    return Analysis(name=joined.region, analyzers=tuple(short))


def _findings(seen: Readings) -> Reading[tuple[Outsider | Unseen, ...]]:
    match seen["findings"]:
        case Unseen() as hidden:
            return hidden
        case answer:
            told, missing = parts(answer)
    oldest = sorted(told, key=lambda one: (str(one.get("createdAt")), one["id"]))
    found = tuple(Outsider(one["id"], one.get("resource"), dated(one.get("createdAt"))) for one in oldest)
    return Seen(found if missing is None else (*found, missing))
