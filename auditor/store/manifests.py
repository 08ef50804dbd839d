"""Run manifests: what stood at each place when a run ended, as one digest a place, noted with the run.

A place that nothing turned at since keeps its digest. Turns mark their places under a lock that they share; the one who notes
takes it alone, so that the ledger has exactly those turns before the manifest that the manifest tells of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from auditor.domain.finding import Turn
from auditor.proof.spans import PlaceDigest, Standing, event_type, run_digest, span_digest
from auditor.store import schema
from auditor.store.facts import finding_facts, run_facts, span_facts
from auditor.store.noting import LedgerRows, Note

_MARK = """
INSERT INTO place_digest (tenant_id, source_id, place)
SELECT :tenant, :source, place FROM (
    SELECT unnest(CAST(:places AS text[])) AS place UNION SELECT place FROM finding WHERE finding_id = ANY (:findings)
) AS turned ORDER BY place
ON CONFLICT (tenant_id, source_id, place) DO UPDATE SET digest = NULL WHERE place_digest.digest IS NOT NULL
"""
# Also what has findings and was never marked: they were tracked before there was a ledger.
_STALE = """
SELECT place FROM place_digest WHERE source_id = :source AND digest IS NULL
UNION SELECT DISTINCT f.place FROM finding f WHERE f.source_id = :source
    AND NOT EXISTS (SELECT FROM place_digest d WHERE d.source_id = f.source_id AND d.place = f.place)
"""
_STANDING = """
SELECT f.place, r.native_id, f.check_id, f.span_seq, f.state FROM finding f
JOIN resource r ON r.tenant_id = f.tenant_id AND r.resource_id = f.resource_id
WHERE f.source_id = :source AND f.place = ANY (:places) AND f.state <> 'absent'
ORDER BY f.place COLLATE "C", r.native_id COLLATE "C", f.check_id COLLATE "C"
"""
_KEEP = """
UPDATE place_digest d SET findings = r.findings, digest = r.digest
FROM unnest(CAST(:places AS text[]), CAST(:counts AS int[]), CAST(:digests AS text[])) AS r (place, findings, digest)
WHERE d.tenant_id = :tenant AND d.source_id = :source AND d.place = r.place
"""
_PLACES = """
SELECT place, findings, digest FROM place_digest WHERE source_id = :source AND findings > 0 ORDER BY place COLLATE "C"
"""


class ManifestRows(LedgerRows):
    """What stood when runs ended."""

    def mark_turned(
        self, source: UUID, places: Sequence[str], findings: Sequence[UUID], *, alone: bool = False
    ) -> None:
        """Forget the digests of places at which something turns, before it does; ``findings`` may leave another place.

        Args:
            source: Whose places.
            places: Where turns happen.
            findings: What turns.
            alone: Take the lock alone at once: whoever ends the run in this transaction would else wait for others that
                wait for us.
        """
        self._stand(source, alone=alone)
        self._run(_MARK, source=source, places=sorted(set(places)), findings=list(findings))

    def note_turns(self, source: UUID, turns: Sequence[Turn], spans: Sequence[Mapping[str, Any]]) -> None:
        """Note spans that open, each from the row that was written for its turn."""
        notes = []
        for turn, row in zip(turns, spans, strict=True):
            facts = finding_facts(row["finding_id"], source, turn.check, turn.resource, turn.resource_type)
            kind, said = event_type(turn.previous, turn.state), span_digest(facts, span_facts(row))
            notes.append(Note(kind, str(turn.event_id), said, row["recorded_at"], event=turn.event_id))
        self.note_all(notes)

    def note_manifest(self, run: UUID, *, at: datetime) -> None:
        """Note how a run ended and what stood then, and keep both as they were noted."""
        row = dict(self._run("SELECT * FROM run WHERE run_id = :run", run=run).mappings().one())
        self._stand(row["source_id"], alone=True)
        facts = run_facts(row, self._places(row["source_id"]))
        self._insert(schema.run_manifest, [{"run_id": run, "facts": facts}], "ON CONFLICT DO NOTHING")
        self.note("run.manifest", str(run), run_digest(facts), at=at, event=run)

    def _places(self, source: UUID) -> list[dict[str, Any]]:
        stale = sorted(self._run(_STALE, source=source).scalars())
        if stale:
            found = {place: PlaceDigest() for place in stale}
            for row in self._run(_STANDING, source=source, places=stale):
                found[row.place].add(Standing(row.native_id, row.check_id, row.span_seq, row.state))
            self._run(_MARK, source=source, places=stale, findings=[])
            self._run(
                _KEEP,
                source=source,
                places=stale,
                counts=[found[place].findings for place in stale],
                digests=[found[place].hexdigest() for place in stale],
            )
        rows = self._run(_PLACES, source=source)
        return [{"place": row.place, "findings": row.findings, "digest": row.digest} for row in rows]

    def _stand(self, source: UUID, *, alone: bool) -> None:
        self._lock("stand", str(source), shared=not alone)
