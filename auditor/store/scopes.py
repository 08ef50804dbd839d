"""A change of scope: the decision with who and why, the turns of every finding it takes out, and what is told about them.

All of it stands in one transaction, so nothing leaves silently. What comes back into scope is judged by the next run, and
turns then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from auditor.domain.errors import ConfigurationError
from auditor.domain.events import Event
from auditor.domain.finding import FOREVER, Turn
from auditor.domain.scope import Scope
from auditor.domain.scope_change import BY_TAG, NOT_TAGGED, ScopeChange, ScopePreview, out_of
from auditor.domain.source import GLOBAL, JOIN, public_id
from auditor.store import schema
from auditor.store.manifests import ManifestRows
from auditor.store.outbox import OutboxRows
from auditor.store.reads import scope as reads
from auditor.store.sources import SourceRows

_FINDINGS = """
SELECT finding_id, check_id, resource_id, resource_type, region, place, state, severity, span_seq, since, open
FROM finding WHERE finding_id = ANY (:ids)
"""
# The span that closes is named by number, as in ``findings``: had another writer moved the thread on, all is undone.
_CLOSE = """
UPDATE finding_span s SET valid_to = t.at, closed_recorded_at = :now, closed_event = t.event
FROM unnest(CAST(:findings AS uuid[]), CAST(:seqs AS int[]), CAST(:ats AS timestamptz[]), CAST(:events AS uuid[]))
    AS t (finding, seq, at, event)
WHERE s.tenant_id = :tenant AND s.finding_id = t.finding AND s.seq = t.seq AND s.valid_to = :forever
RETURNING s.finding_id
"""
# Without its digests the finding is judged anew when it comes back, however little changed meanwhile.
_TURN = """
UPDATE finding f SET state = 'excluded', reason = t.reason, since = t.at, turns_at = NULL, span_seq = f.span_seq + 1,
    open = false, evidence_digest = '', judged_digest = '', document_digest = ''
FROM unnest(CAST(:findings AS uuid[]), CAST(:reasons AS text[]), CAST(:ats AS timestamptz[])) AS t (finding, reason, at)
WHERE f.tenant_id = :tenant AND f.finding_id = t.finding
"""
_SEEN = """
SELECT r.resource_id, r.native_id, e.place FROM resource r
JOIN evidence_span e ON e.tenant_id = r.tenant_id AND e.resource_id = r.resource_id AND e.valid_to = :forever
WHERE r.source_id = :source AND r.type NOT LIKE '%+volatile'
"""
_LET_BACK = """
UPDATE exclusion SET valid_to = greatest(:now, valid_from + interval '1 microsecond')
WHERE source_id = :source AND valid_to = :forever AND resource_id = ANY (:ids)
"""
_ENDING = """
UPDATE {table} SET valid_to = greatest(:now, valid_from + interval '1 microsecond')
WHERE {of} AND place = ANY (:places) AND valid_to = :forever
"""


class ScopeRows(SourceRows, OutboxRows, ManifestRows):
    """Which part of a source is audited, changed by people."""

    def preview_scope(self, source: UUID, scope: Scope) -> ScopePreview:
        """What a scope would do if it took the place of the one in force; nothing is written.

        Raises:
            TenancyError: There is no such source here.
        """
        self.source(source)
        return reads.preview(self._connection, source, scope)

    def change_scope(
        self,
        source: UUID,
        scope: Scope,
        *,
        by: str,
        reason: str,
        now: datetime,
        tell: Callable[[Turn], Event | None] = lambda _turn: None,
    ) -> ScopeChange:
        """Put a scope in force as the next version; findings that are out of it now turn to excluded at once.

        Tag rules are told by the next run, since only a run sees tags.

        Args:
            source: Whose scope.
            scope: The new rule; its version is given here.
            by: Who decides.
            reason: Why; shown wherever something is excluded.
            now: When.
            tell: The announcement of a finding that ends because it is out of scope, if there is one.

        Raises:
            TenancyError: There is no such source here.
            ConfigurationError: No reason, or the rule is the one in force.
        """
        want(reason, "A change of scope")
        self._lock("scope", str(source))
        looked_at, before = self.source(source), self.scope(source)
        after = replace(scope, version=before.version + 1)
        if after.as_rule() == before.as_rule():
            raise ConfigurationError("this is the scope in force", advice="Change a rule, or leave it as it is")
        self._hold_tracks(source)
        self._keep_scope(source, after, now=now, by=by, reason=reason)
        out = {
            one.finding: f"{why} (scope version {after.version})"
            for one in reads.standing(self._connection, source)
            if one.state != "excluded" and (why := out_of(after, before, one)) is not None
        }
        turns = self._turn_out(source, out, now=now)
        self._mark_resources(source, after, now=now)
        self._end_regions(source, before, after, now=now)
        # What is joined is built anew by the next run, or findings that come back would be held as excluded.
        self._run("UPDATE join_state SET inputs_digest = '' WHERE source_id = :source", source=source)
        told = {
            "source": str(source),
            "name": looked_at.name,
            "account": looked_at.account,
            "version": after.version,
            "by": by,
            "reason": reason,
            "before": before.as_rule(),
            "after": after.as_rule(),
            "excluded": len(turns),
            "excluded_failing": sum(turn.was_open for turn in turns),
        }
        event = Event(public_id(self._tenant, "scope", str(source), str(after.version)), "scope.changed", now, told)
        ended = [one for turn in turns if turn.resolves and (one := tell(turn)) is not None]
        self.announce([event, *ended], now=now)
        self.act(by, "scope.change", str(source), told, now=now)
        return ScopeChange(after, turns)

    def _hold_tracks(self, source: UUID) -> None:
        """No unit of this source tracks turns until we are done: each tracker takes the lock of its place."""
        places = sorted({GLOBAL, JOIN, *self.all_regions(source)})
        for place in places:
            self._lock("track", str(source), place)

    def _end_regions(self, source: UUID, before: Scope, after: Scope, *, now: datetime) -> None:
        """What stood in a region that nobody looks at any more is neither held nor joined; it is read anew if it returns."""
        gone = [one for one in self.all_regions(source) if before.has_region(one) and not after.has_region(one)]
        if gone:
            mine = "resource_id IN (SELECT resource_id FROM resource WHERE source_id = :source)"
            for table, of in (("evidence_span", mine), ("coverage_span", "source_id = :source")):
                self._run(_ENDING.format(table=table, of=of), source=source, places=gone, now=now)

    def _turn_out(self, source: UUID, out: dict[UUID, str], *, now: datetime) -> tuple[Turn, ...]:
        rows = self._run(_FINDINGS, ids=list(out)).all()
        names: dict[UUID, str] = {
            row.resource_id: row.native_id
            for row in self._run("SELECT resource_id, native_id FROM resource WHERE source_id = :source", source=source)
        }
        turns = tuple(self._turn(source, row, names[row.resource_id], out[row.finding_id], now) for row in rows)
        ids = [row.finding_id for row in rows]
        ats = [turn.valid_from for turn in turns]
        self.mark_turned(source, [turn.place for turn in turns], ids)
        closed = self._run(
            _CLOSE,
            now=now,
            findings=ids,
            seqs=[row.span_seq for row in rows],
            ats=ats,
            events=[turn.event_id for turn in turns],
        ).all()
        if len(closed) != len(turns):
            raise RuntimeError(f"{len(turns)} findings leave the scope, {len(closed)} of them have an open span")
        self._run(_TURN, findings=ids, reasons=[turn.reason for turn in turns], ats=ats)
        spans = [
            _span(turn, id_, self._decision(source, turn), self._evaluator, now)
            for turn, id_ in zip(turns, ids, strict=True)
        ]
        self._insert(schema.finding_span, spans)
        self.note_turns(source, turns, spans)
        return turns

    def _turn(self, source: UUID, row: Any, native_id: str, why: str, now: datetime) -> Turn:
        seq = row.span_seq + 1
        return Turn(
            check=row.check_id,
            resource=native_id,
            resource_type=row.resource_type,
            region=row.region,
            place=row.place,
            seq=seq,
            state="excluded",
            previous=row.state,
            cause="scope",
            reason=why,
            severity=row.severity,
            valid_from=max(now, row.since + timedelta(microseconds=1)),  # a span lasts
            verdict=None,
            event_id=public_id(self._tenant, "turn", str(source), row.check_id, native_id, str(seq)),
            was_open=row.open,
        )

    def _decision(self, source: UUID, turn: Turn) -> UUID:
        """What stands where a run would: no run made this turn."""
        return public_id(self._tenant, "decision", str(source), turn.reason)

    def _mark_resources(self, source: UUID, scope: Scope, *, now: datetime) -> None:
        """Exclusions by id or namespace, which need no run to be told; those by tag stay as the last run left them."""
        open_now: dict[UUID, str] = {
            row.resource_id: row.reason
            for row in self._run(
                "SELECT resource_id, reason FROM exclusion WHERE source_id = :source AND valid_to = :forever",
                source=source,
            )
        }
        back, out = [], []
        for row in self._run(_SEEN, source=source):
            why = scope.excludes(row.native_id, None)
            if why is None and not open_now.get(row.resource_id, BY_TAG).startswith((BY_TAG, NOT_TAGGED)):
                back.append(row.resource_id)
            if why is not None and row.resource_id not in open_now:
                out.append({"resource_id": row.resource_id, "place": row.place, "reason": why})
        if back:
            self._run(_LET_BACK, source=source, ids=back, now=now)
        same = {"source_id": source, "scope_version": scope.version, "valid_from": now, "valid_to": FOREVER}
        self._insert(schema.exclusion, [{**one, **same} for one in out], "ON CONFLICT DO NOTHING")


def want(reason: str, what: str) -> None:
    """A decision has a reason. Raises ``ConfigurationError`` if it has none."""
    if not reason.strip():
        raise ConfigurationError(f"{what} needs a reason", advice="Say why: it is shown wherever something is left out")


def _span(turn: Turn, id_: UUID, decision: UUID, evaluator: str, now: datetime) -> dict[str, Any]:
    return {
        "finding_id": id_,
        "seq": turn.seq,
        "state": turn.state,
        "prev_state": turn.previous,
        "severity": turn.severity,
        "reason": turn.reason,
        "evaluator": evaluator,
        "cause": turn.cause,
        "run_id": decision,
        "valid_from": turn.valid_from,
        "recorded_at": now,
        "opened_event": turn.event_id,
    }
