"""A bundle's contents as one tenant's rows, so that the pages read an opened bundle as they read books of our own.

Enters: what a bundle tells, in ``domain.told`` values that are asked for one by one. Leaves: rows, a batch at a time. Nothing
that is not told is made up: who may sign in, webhooks, tests of permissions and the ledger stay empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice, pairwise
from typing import Any, NamedTuple, Protocol, TypeVar
from uuid import UUID

from sqlalchemy.exc import DataError, IntegrityError

from auditor.domain import told
from auditor.domain.control import Library
from auditor.domain.errors import ExportError
from auditor.domain.finding import FOREVER
from auditor.domain.opened import DIFFERENCES, Difference, difference
from auditor.proof.judge import published_digest
from auditor.store import schema
from auditor.store.ids import resource_id
from auditor.store.redrawing import Redrawing

AT_ONCE = 500
NOWHERE = UUID(int=0)
"""Where a run would be named and the bundle names none."""
GRID = datetime.fromisoformat("2020-01-01T00:00:00+00:00")
_ONE_BY_ONE = re.compile(
    r"((?:excluded by|not among the) (?:id|tag)s?\b.*) \(scope version (\d{1,9})\)", re.ASCII | re.DOTALL
)
_THERE = "ON CONFLICT DO NOTHING"
_T = TypeVar("_T")


class Telling(Protocol):
    """What a bundle tells; ``exports.opening.BundleFolder`` is one."""

    def audit(self) -> told.AuditTold:
        """What it is about."""

    def sources(self) -> Sequence[told.SourceTold]:
        """The sources, once per stretch of their schedule."""

    def left_out(self) -> Sequence[told.LeftOutTold]:
        """What is not connected on purpose."""

    def scope_changes(self) -> Iterable[told.ScopeTold]:
        """The scopes."""

    def changes(self) -> Iterable[told.ChangeTold]:
        """Who changed what."""

    def coverage(self) -> Iterable[told.CoverageTold]:
        """How far the looking reached."""

    def runs(self) -> Iterable[told.RunTold]:
        """What ran."""

    def findings(self) -> Iterable[told.FindingTold]:
        """The findings."""

    def index(self) -> Iterable[tuple[told.EvidenceTold, int]]:
        """The evidence, with the size of each content."""

    def definitions(self) -> Iterable[tuple[str, str, told.DefinitionTold]]:
        """The definitions that judged, each with its check and the digest of what decides."""


@dataclass(slots=True)
class BroughtIn:
    """Which checks have findings, and how the definitions that these rest on at the end differ from the library's."""

    checks: set[str] = field(default_factory=set)
    differences: dict[str, Difference] = field(default_factory=dict)

    def add(self, check: str, found: Difference | None) -> None:
        """A check with a finding; of several differences the gravest is told."""
        self.checks.add(check)
        if found is not None:
            self.differences[check] = min(found, self.differences.get(check, found), key=DIFFERENCES.index)


class Text(NamedTuple):
    """A definition in one text: the tier it speaks of, and how the library's differs from it."""

    tier: str
    difference: Difference | None


class BringingIn(Redrawing):
    """Writes what a bundle tells under its tenant, whose books are blank."""

    def bring_in(self, telling: Telling, library: Library) -> BroughtIn:
        """Everything, in one pass over each file.

        Raises:
            ExportError: Two files contradict each other, or a value is none that our tables can hold.
        """
        try:
            return self._bring_in(telling, library)
        except (DataError, IntegrityError) as error:
            said = str(error.orig).splitlines()[0]
            raise ExportError(
                f"the bundle's files do not fit together: {said}",
                advice="It verifies, but cannot be shown; try --pages",
            ) from error

    def _bring_in(self, telling: Telling, library: Library) -> BroughtIn:
        as_of = telling.audit().as_of
        self._keep_sources(telling, as_of)
        for runs in batches(one for one in telling.runs() if one.run is not None):
            self._insert(schema.run, [_run(one) for one in runs])
        for looks in batches(telling.coverage()):
            self._insert(schema.coverage_span, [_coverage(one) for one in looks])
        texts = self._keep_definitions(telling, library, as_of)
        brought = BroughtIn()
        for findings in batches(telling.findings()):
            self._keep_findings(findings, texts, library, brought)
        for index in batches(telling.index()):
            self._keep_evidence(index)
        self.redraw()
        return brought

    def _keep_sources(self, telling: Telling, as_of: datetime) -> None:
        gone = {one.subject: one for one in telling.changes() if one.kind == "source.disconnect"}
        stretches: dict[UUID, list[told.SourceTold]] = {}
        for one in telling.sources():
            stretches.setdefault(one.source, []).append(one)
        last = {id_: max(of, key=lambda one: one.connected) for id_, of in stretches.items()}
        scopes = list(telling.scope_changes())
        places = _regions(telling.coverage())
        silent = last.keys() - {one.source for one in scopes}
        if silent:
            raise ExportError(f"scope_changes.jsonl tells no rule of the source {min(map(str, silent))}")
        first = {id_: min(one.connected for one in of) for id_, of in stretches.items()}
        hosts = {one.source: one.host for one in telling.audit().not_a_real_provider}
        rows = [
            _source(one, first[id_], sorted(places.get(id_, set())), gone.get(str(id_)), hosts.get(id_, ""))
            for id_, one in last.items()
        ]
        self._insert(schema.source, rows)
        self._insert(
            schema.scope,
            [
                {
                    "source_id": one.source,
                    "version": one.version,
                    "rule": _rule(one.rule),
                    "valid_from": one.valid_from,
                    "changed_by": one.changed_by,
                    "reason": one.reason,
                }
                for one in scopes
            ],
        )
        due = [one for one in last.values() if one.disconnected is None]
        self._insert(
            schema.schedule,
            [
                {"source_id": one.source, "due_at": next_slot(one, as_of), "every_seconds": one.every_seconds}
                for one in due
            ],
        )
        self._insert(
            schema.left_out,
            [
                {
                    "kind": one.kind,
                    "native_id": one.id,
                    "reason": one.reason,
                    "decided_by": one.by,
                    "valid_from": one.valid_from,
                    "valid_to": FOREVER,
                }
                for one in telling.left_out()
            ],
        )

    def _keep_definitions(
        self, telling: Telling, library: Library, as_of: datetime
    ) -> dict[tuple[str | None, str | None], Text]:
        """The definitions in every text, by the digests of both: as many as there are checks, so they are held."""
        found: dict[tuple[str | None, str | None], Text] = {}
        rows = []
        for check, judged, one in telling.definitions():
            for body in one.published:
                published = published_digest(body)
                differs = difference(library.check.get(check), judged, published, body)
                found[judged, published] = Text(str(body.get("tier", "core")), differs)
                rows.append(
                    {
                        "check_id": check,
                        "judged_digest": judged,
                        "published_digest": published,
                        "language": one.language,
                        "body": body,
                        "first_seen_at": as_of,
                    }
                )
        self._insert(schema.definition, rows)
        return found

    def _keep_findings(
        self,
        findings: Sequence[told.FindingTold],
        texts: Mapping[tuple[str | None, str | None], Text],
        library: Library,
        brought: BroughtIn,
    ) -> None:
        ids = {one.finding: self._resource(one.source, one.resource_type, one.resource) for one in findings}
        resources = {
            ids[one.finding]: _resource(
                ids[one.finding], one.source, one.resource_type, one.resource, one.region, one.name
            )
            for one in findings
        }
        self._insert(schema.resource, list(resources.values()), _THERE)
        rows, spans, excluded = [], [], []
        for one in findings:
            judged = next((span for span in reversed(one.spans) if span.judged_digest is not None), None)
            text = None if judged is None else texts.get((judged.judged_digest, judged.published_digest))
            brought.add(one.check, text and text.difference)
            ours = library.check.get(one.check)
            tier = text.tier if text else ours.tier if ours else "core"
            rows.append(_finding(one, ids[one.finding], judged, tier))
            spans += [_span(one.finding, span, after) for span, after in pairwise((*one.spans, None)) if span]
            left = _ONE_BY_ONE.fullmatch(one.spans[-1].reason) if one.spans[-1].state == "excluded" else None
            if left is not None:
                excluded.append(_exclusion(one, ids[one.finding], left[1], int(left[2])))
        self._insert(schema.finding, rows)
        self._insert(schema.finding_span, spans)
        self._insert(schema.exclusion, excluded, _THERE)

    def _keep_evidence(self, index: Sequence[tuple[told.EvidenceTold, int]]) -> None:
        resources, contents, spans = {}, {}, []
        for one, size in index:
            id_ = self._resource(one.source, one.type, one.resource)
            resources[id_] = _resource(id_, one.source, one.type, one.resource, one.region, one.resource)
            contents[one.evidence] = {
                "evidence_id": one.evidence,
                "digest": one.digest,
                "address": "",
                "resource_type": one.type,
                "type_version": one.type_version,
                "bytes": size,
                "created_at": one.collected_at,
            }
            spans += [_evidence_span(one, id_, since, until) for since, until in stood(one)]
        self._insert(schema.resource, list(resources.values()), _THERE)
        self._insert(schema.evidence, list(contents.values()), _THERE)
        self._insert(schema.evidence_span, spans, _THERE)

    def _resource(self, source: UUID, resource_type: str, native_id: str) -> UUID:
        return resource_id(self._tenant, source, resource_type, native_id)


def batches(found: Iterable[_T]) -> Iterator[list[_T]]:
    """Some at a time."""
    waiting = iter(found)
    while some := list(islice(waiting, AT_ONCE)):
        yield some


def next_slot(source: told.SourceTold, as_of: datetime) -> datetime:
    """The first slot of a source's schedule after an instant."""
    every, grid = timedelta(seconds=source.every_seconds), source.grid or GRID
    return grid + ((as_of - grid) // every + 1) * every


def stood(one: told.EvidenceTold) -> Sequence[tuple[datetime, datetime | None]]:
    """When a content stood; where that is not told, as long as it was seen unchanged."""
    return one.stood or ((one.collected_at, one.last_at + timedelta(microseconds=1)),)


def _regions(looks: Iterable[told.CoverageTold]) -> dict[UUID, set[str]]:
    """The regions that each source was looked at in: a bundle names no others."""
    found: dict[UUID, set[str]] = {}
    for one in looks:
        if one.place not in {"global", "join"}:
            found.setdefault(one.source, set()).add(one.place)
    return found


def _source(
    one: told.SourceTold, connected: datetime, regions: Sequence[str], gone: told.ChangeTold | None, stand_in: str
) -> dict[str, Any]:
    ended = one.disconnected is not None
    return {
        "source_id": one.source,
        "kind": one.kind,
        "account": one.account,
        "name": one.name,
        "partition": one.partition,
        "endpoint_url": one.endpoint or None,
        "answered_by": stand_in,
        "regions": list(regions),
        "every_seconds": one.every_seconds,
        "created_at": connected,
        "manners": {},
        "access": {},
        "pinned": False,
        "disconnected_at": one.disconnected,
        "disconnected_by": (gone.by if gone else "somebody the bundle does not name") if ended else None,
        "disconnect_reason": (gone.reason if gone else "not told") if ended else None,
    }


def _rule(rule: told.RuleTold) -> dict[str, Any]:
    return rule.model_dump(mode="json", exclude_defaults=True)


def _run(one: told.RunTold) -> dict[str, Any]:
    return {
        "run_id": one.run,
        "source_id": one.source,
        "slot": one.slot,
        "scope_version": one.scope_version or 1,
        "state": one.state,
        "baseline": one.baseline,
        "started_at": one.started_at or one.slot,
        "finished_at": one.finished_at,
        "counts": one.counts,
        "units_left": 0,
        "fence": 0,
    }


def _coverage(one: told.CoverageTold) -> dict[str, Any]:
    return {**one.model_dump(exclude={"source"}), "source_id": one.source, "run_id": NOWHERE}


def _resource(id_: UUID, source: UUID, kind: str, native_id: str, region: str, name: str) -> dict[str, Any]:
    return {
        "resource_id": id_,
        "source_id": source,
        "type": kind,
        "native_id": native_id,
        "region": region,
        "name": None if name == native_id else name,
    }


def _finding(one: told.FindingTold, resource: UUID, judged: told.SpanTold | None, tier: str) -> dict[str, Any]:
    """The current row: the last span, and what was judged last if that judged nothing."""
    last = one.spans[-1]
    return {
        "finding_id": one.finding,
        "source_id": one.source,
        "check_id": one.check,
        "control_id": one.control,
        "resource_id": resource,
        "resource_type": one.resource_type,
        "region": one.region,
        "place": one.place,
        "state": last.state,
        "severity": last.severity,
        "tier": tier,
        "reason": last.reason,
        "since": last.valid_from,
        "span_seq": last.seq,
        "last_run_id": last.run,
        "document_digest": (judged and judged.document_digest) or "",
        "judged_digest": (judged and judged.judged_digest) or "",
        "evaluator": last.evaluator,
        "about_place": judged is not None and judged.about_place,
        "open": is_open(one.spans),
        "evidence_digest": (judged and judged.evidence_digest) or "",
    }


def is_open(spans: Sequence[told.SpanTold]) -> bool:
    """Whether a finding deviates, or did when it was last seen: what cannot be seen ends nothing."""
    found = spans[0].prev_state == "fail"
    for one in spans:
        found = one.state == "fail" or (found and one.state == "unknown")
    return found


def _span(finding: UUID, one: told.SpanTold, after: told.SpanTold | None) -> dict[str, Any]:
    facts = one.model_dump(exclude={"run", "about_place"})
    closed = None if after is None else after.recorded_at
    return {**facts, "finding_id": finding, "run_id": one.run, "closed_recorded_at": closed}


def _exclusion(one: told.FindingTold, resource: UUID, reason: str, version: int) -> dict[str, Any]:
    return {
        "source_id": one.source,
        "resource_id": resource,
        "place": one.place,
        "reason": reason,
        "scope_version": version,
        "valid_from": one.spans[-1].valid_from,
        "valid_to": FOREVER,
    }


def _evidence_span(one: told.EvidenceTold, resource: UUID, since: datetime, until: datetime | None) -> dict[str, Any]:
    return {
        "resource_id": resource,
        "evidence_id": one.evidence,
        "place": one.place,
        "operations": list(one.operations),
        "caller": one.caller,
        "endpoint": one.endpoint,
        "run_id": NOWHERE,
        "valid_from": since,
        "last_at": max(since, min(one.last_at, until or one.last_at)),
        "valid_to": until or FOREVER,
        "listed_digest": "",
    }
