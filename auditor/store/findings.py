"""Findings: the thread's current row, its spans, and the events that leave with them, written in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from auditor.domain.events import Event
from auditor.domain.finding import Current, Refresh, Turn
from auditor.domain.source import JOIN, Unit
from auditor.store import schema
from auditor.store.ids import finding_id, resource_id
from auditor.store.manifests import ManifestRows
from auditor.store.outbox import OutboxRows

_CURRENT = """
SELECT * FROM finding
WHERE source_id = :source AND resource_type = ANY (:types) AND (CAST(:place AS text) IS NULL OR place = :place)
"""
_NAMES = "SELECT resource_id, native_id FROM resource WHERE resource_id = ANY (:ids)"
# The span that closes is named by number: had another writer moved the thread on, nothing would match and all is undone.
_CLOSE = """
UPDATE finding_span s SET valid_to = t.at, closed_recorded_at = :now, closed_event = t.event
FROM unnest(CAST(:findings AS uuid[]), CAST(:seqs AS int[]), CAST(:ats AS timestamptz[]), CAST(:events AS uuid[]))
    AS t (finding, seq, at, event)
WHERE s.tenant_id = :tenant AND s.finding_id = t.finding AND s.seq = t.seq - 1 AND s.valid_to = :forever
RETURNING s.finding_id
"""
_AS_JUDGED = "ON CONFLICT (tenant_id, finding_id) DO UPDATE SET " + ", ".join(
    f"{name} = excluded.{name}"
    for name in schema.finding.c.keys()  # noqa: SIM118  (a collection of columns is no dictionary)
    if name not in {"tenant_id", "finding_id", "source_id", "check_id", "resource_id"}
)
_UNJUDGED = """
UPDATE finding SET state = :state, reason = :reason, severity = :severity, since = :since, turns_at = NULL,
    span_seq = :seq, last_run_id = :run, place = :place, open = false
WHERE tenant_id = :tenant_id AND finding_id = :finding
"""
_TOUCH = """
UPDATE finding SET reason = :reason, turns_at = :turns_at, document_digest = :document_digest, judged_digest = :judged_digest,
    evidence_digest = :evidence_digest, evaluator = :evaluator
WHERE tenant_id = :tenant_id AND finding_id = :finding
"""


class FindingRows(OutboxRows, ManifestRows):
    """Verdicts remembered."""

    def current(
        self, source: UUID, *, place: str | None, resource_types: Iterable[str]
    ) -> dict[tuple[str, str], Current]:
        """Findings as they stand, by check and resource: of one place, or (``join``, which tracks derived types) of all."""
        rows = self._run(_CURRENT, source=source, place=place, types=sorted(set(resource_types))).all()
        # Asked apart: before there are statistics, a join of the two compares each with each.
        names = {row.resource_id: row.native_id for row in self._run(_NAMES, ids=[row.resource_id for row in rows])}
        return {(row.check_id, names[row.resource_id]): _current(row, names[row.resource_id]) for row in rows}

    def apply(self, unit: Unit, turns: Sequence[Turn], events: Sequence[Event], *, now: datetime) -> None:
        """Spans closed and opened, current rows, and outbox rows with a delivery per webhook: all or none.

        Raises:
            StaleFenceError: The unit is no longer ours.
            RuntimeError: A turn names a span before it that is not open: the tracker looked at another state than this.
        """
        self._hold(unit)
        ids = [finding_id(self._tenant, unit.source, turn.check, turn.resource) for turn in turns]
        self._keep_resources_of(unit, turns)
        if turns:
            self.mark_turned(unit.source, [turn.place for turn in turns], ids, alone=unit.place == JOIN)
        self._close_spans(turns, ids, now=now)
        rows = [_row(unit, turn, id_, self._tenant, self._evaluator) for turn, id_ in zip(turns, ids, strict=True)]
        self._insert(schema.finding, [row for row in rows if row is not None], _AS_JUDGED)
        self._many(
            _UNJUDGED,
            [_unjudged(unit, turn, id_) for turn, id_ in zip(turns, ids, strict=True) if _keeps_judgement(turn)],
        )
        spans = [_span(unit, turn, id_, self._evaluator, now) for turn, id_ in zip(turns, ids, strict=True)]
        self._insert(schema.finding_span, spans)
        self.note_turns(unit.source, turns, spans)
        self.note_definitions(
            {(one.check, one.judged_digest, one.published_digest) for turn in turns if (one := turn.verdict)}, at=now
        )
        self.announce(events, now=now, run=unit.run)

    def touch(self, source: UUID, refreshed: Sequence[Refresh]) -> None:
        """What is known anew of findings whose state held; written without a span."""
        rows = [
            {
                "finding": finding_id(self._tenant, source, one.check, one.resource),
                "reason": one.reason,
                "turns_at": one.turns_at,
                "document_digest": one.document_digest,
                "judged_digest": one.judged_digest,
                "evidence_digest": one.evidence_digest,
                "evaluator": self._evaluator,
            }
            for one in refreshed
        ]
        self._many(_TOUCH, rows)

    def _keep_resources_of(self, unit: Unit, turns: Sequence[Turn]) -> None:
        rows = {
            resource_id(self._tenant, unit.source, turn.resource_type, turn.resource): {
                "source_id": unit.source,
                "type": turn.resource_type,
                "native_id": turn.resource,
                "region": turn.region,
            }
            for turn in turns
        }
        named = [{"resource_id": id_, **row} for id_, row in rows.items()]
        self._insert(schema.resource, conflict="ON CONFLICT DO NOTHING", rows=named)

    def _close_spans(self, turns: Sequence[Turn], ids: Sequence[UUID], *, now: datetime) -> None:
        later = [(turn, id_) for turn, id_ in zip(turns, ids, strict=True) if turn.previous is not None]
        closed = self._run(
            _CLOSE,
            now=now,
            findings=[id_ for _, id_ in later],
            seqs=[turn.seq for turn, _ in later],
            ats=[turn.valid_from for turn, _ in later],
            events=[turn.event_id for turn, _ in later],
        ).all()
        if len(closed) != len(later):
            raise RuntimeError(f"{len(later)} turns follow an open span, {len(closed)} are open")


def _current(row: Row[Any], native_id: str) -> Current:
    return Current(
        check=row.check_id,
        resource=native_id,
        resource_type=row.resource_type,
        region=row.region,
        place=row.place,
        state=row.state,
        reason=row.reason,
        span_seq=row.span_seq,
        since=row.since,
        judged_digest=row.judged_digest,
        document_digest=row.document_digest,
        evaluator=row.evaluator,
        turns_at=row.turns_at,
        open=row.open,
        evidence_digest=row.evidence_digest,
    )


def _keeps_judgement(turn: Turn) -> bool:
    """Whether a turn says nothing new but its state: the resource is gone, or excluded after it was judged."""
    return turn.verdict is None and turn.previous is not None


def _row(unit: Unit, turn: Turn, id_: UUID, tenant: UUID, evaluator: str) -> dict[str, Any] | None:
    """The current row of a judged finding; one whose resource is gone or excluded keeps what was judged last, if it was."""
    verdict = turn.verdict
    if _keeps_judgement(turn):
        return None
    return {
        "finding_id": id_,
        "source_id": unit.source,
        "check_id": turn.check,
        "control_id": verdict.control if verdict else turn.control,
        "resource_id": resource_id(tenant, unit.source, turn.resource_type, turn.resource),
        "resource_type": turn.resource_type,
        "region": turn.region,
        "place": turn.place,
        "state": turn.state,
        "severity": turn.severity,
        "tier": verdict.tier if verdict else turn.tier,
        "reason": turn.reason,
        "since": turn.valid_from,
        "turns_at": verdict and verdict.turns_at,
        "span_seq": turn.seq,
        "last_run_id": unit.run,
        "document_digest": verdict.document_digest if verdict else "",
        "judged_digest": verdict.judged_digest if verdict else "",
        "evidence_digest": verdict.evidence if verdict else "",
        "evaluator": evaluator,
        "about_place": verdict is not None and verdict.about_place,
        "open": turn.open,
    }


def _unjudged(unit: Unit, turn: Turn, id_: UUID) -> dict[str, Any]:
    return {
        "finding": id_,
        "state": turn.state,
        "reason": turn.reason,
        "severity": turn.severity,
        "since": turn.valid_from,
        "seq": turn.seq,
        "run": unit.run,
        "place": turn.place,
    }


def _span(unit: Unit, turn: Turn, id_: UUID, evaluator: str, now: datetime) -> dict[str, Any]:
    verdict = turn.verdict
    return {
        "finding_id": id_,
        "seq": turn.seq,
        "state": turn.state,
        "prev_state": turn.previous,
        "severity": turn.severity,
        "reason": turn.reason,
        "because": verdict and verdict.because,
        "observed": verdict and [list(pair) for pair in verdict.observed],
        "evidence_digest": verdict and verdict.evidence,
        "document_digest": verdict and (None if verdict.about_place else verdict.document_digest),
        "document_version": verdict and verdict.document_version,
        "judged_digest": verdict and verdict.judged_digest,
        "published_digest": verdict and verdict.published_digest,
        "evaluator": evaluator,
        "cause": turn.cause,
        "run_id": unit.run,
        "judged_as_of": verdict and verdict.judged_as_of,
        "valid_from": turn.valid_from,
        "recorded_at": now,
        "opened_event": turn.event_id,
    }
