"""The statements behind a bundle. Their order is the files' order: text is compared by bytes, whatever the server's locale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from auditor.domain.bundle import Asked

SOURCES = """
SELECT s.source_id, s.kind, s.account, s.name, s.partition, s.endpoint_url, coalesce(nullif(coalesce(s.answered_by, s.endpoint_url), ''), (
        SELECT min(e.endpoint COLLATE "C") FROM evidence_span e JOIN resource r ON r.tenant_id = e.tenant_id AND r.resource_id = e.resource_id
        WHERE r.source_id = s.source_id AND e.endpoint <> '' AND e.valid_from < :known_to AND e.valid_to > :begins
    ), '') AS stand_in, s.every_seconds, s.created_at, s.disconnected_at,
    coalesce(d.due_at, s.created_at) AS grid,
    (SELECT c.rule FROM scope c WHERE c.tenant_id = s.tenant_id AND c.source_id = s.source_id AND c.valid_from < :known_to
     ORDER BY c.version DESC LIMIT 1) AS rule
FROM source s LEFT JOIN schedule d ON d.tenant_id = s.tenant_id AND d.source_id = s.source_id
WHERE s.created_at < :known_to AND (s.disconnected_at IS NULL OR s.disconnected_at > :begins)
ORDER BY s.source_id
"""
SCOPES = """
SELECT c.source_id, c.version, c.valid_from, c.rule, c.changed_by, c.reason FROM scope c
WHERE c.valid_from < :known_to AND c.version >= coalesce((
    SELECT max(b.version) FROM scope b
    WHERE b.tenant_id = c.tenant_id AND b.source_id = c.source_id AND b.valid_from <= :begins), 0)
ORDER BY c.source_id, c.version
"""
INVENTORY = """
SELECT r.source_id, e.place, r.type AS resource_type, count(*) AS n FROM evidence_span e
JOIN resource r ON r.tenant_id = e.tenant_id AND r.resource_id = e.resource_id
WHERE e.valid_from <= :as_of AND e.valid_to > :as_of AND r.type NOT LIKE '%+volatile'
GROUP BY r.source_id, e.place, r.type ORDER BY r.source_id, e.place COLLATE "C", r.type COLLATE "C"
"""
LEFT_OUT = """
SELECT kind, native_id, decided_by, reason, valid_from FROM left_out WHERE valid_from <= :as_of AND valid_to > :as_of
ORDER BY kind COLLATE "C", native_id COLLATE "C"
"""
COVERAGE = """
SELECT source_id, place, resource_type, state, detail, action, listed, denied_details, rota, within, valid_from, last_at, valid_to
FROM coverage_span WHERE valid_from < :as_of AND valid_to > :begins
ORDER BY source_id, place COLLATE "C", resource_type COLLATE "C", valid_from
"""
RUNS = """
SELECT r.run_id, r.source_id, r.slot, r.state, r.baseline, r.finished_at, m.facts, e.idx, s.salt FROM run r
LEFT JOIN run_manifest m ON m.tenant_id = r.tenant_id AND m.run_id = r.run_id
LEFT JOIN ledger_entry e ON e.tenant_id = r.tenant_id AND e.event_id = r.run_id AND e.idx < :size
LEFT JOIN ledger_salt s ON s.tenant_id = r.tenant_id AND s.subject = CAST(r.run_id AS text)
WHERE (r.slot >= :begins AND r.slot < :known_to AND r.started_at < :known_to) OR e.idx >= :start
ORDER BY r.source_id, r.slot
"""
FINDINGS = """
SELECT f.finding_id, f.source_id, f.check_id, f.control_id, f.resource_type, f.region, f.place, r.native_id, r.name,
    s.seq, s.state, s.prev_state, s.cause, s.reason, s.because, s.observed, s.severity, s.evidence_digest, s.document_digest,
    s.document_version, s.judged_digest, s.published_digest, s.evaluator, s.run_id, s.judged_as_of, s.valid_from, s.valid_to,
    s.recorded_at, s.opened_event, e.idx, l.salt
FROM finding f
JOIN resource r ON r.tenant_id = f.tenant_id AND r.resource_id = f.resource_id
JOIN finding_span s ON s.tenant_id = f.tenant_id AND s.finding_id = f.finding_id
JOIN ledger_entry e ON e.tenant_id = s.tenant_id AND e.event_id = s.opened_event AND e.idx < :size
JOIN ledger_salt l ON l.tenant_id = s.tenant_id AND l.subject = CAST(s.opened_event AS text)
WHERE (CAST(:checks AS text[]) IS NULL OR f.check_id = ANY (:checks))
    AND (CAST(:sources AS uuid[]) IS NULL OR f.source_id = ANY (:sources))
    AND (CAST(:resources AS text[]) IS NULL OR r.native_id = ANY (:resources))
ORDER BY f.source_id, f.place COLLATE "C", r.native_id COLLATE "C", f.check_id COLLATE "C", s.seq
"""
# What was noted so long before the head that it would be under it, had its clock been right.
HELD_BACK = """
SELECT f.check_id, r.native_id, s.recorded_at, count(*) OVER () AS n FROM finding f
JOIN resource r ON r.tenant_id = f.tenant_id AND r.resource_id = f.resource_id
JOIN finding_span s ON s.tenant_id = f.tenant_id AND s.finding_id = f.finding_id
JOIN ledger_salt l ON l.tenant_id = s.tenant_id AND l.subject = CAST(s.opened_event AS text)
LEFT JOIN ledger_entry e ON e.tenant_id = s.tenant_id AND e.event_id = s.opened_event
WHERE e.idx IS NULL AND s.recorded_at < :settled AND s.valid_to > :begins
    AND (CAST(:checks AS text[]) IS NULL OR f.check_id = ANY (:checks))
    AND (CAST(:sources AS uuid[]) IS NULL OR f.source_id = ANY (:sources))
    AND (CAST(:resources AS text[]) IS NULL OR r.native_id = ANY (:resources))
ORDER BY s.recorded_at, s.opened_event LIMIT 1
"""
DEFINITION = """
SELECT body FROM definition WHERE check_id = :check AND judged_digest = :judged AND published_digest = :published
"""
# A joined document was built when its evidence came to stand last before it was judged.
BUILDS = """
SELECT DISTINCT f.source_id, f.resource_type, b.valid_from AS at FROM finding f
JOIN resource r ON r.tenant_id = f.tenant_id AND r.resource_id = f.resource_id
JOIN finding_span s ON s.tenant_id = f.tenant_id AND s.finding_id = f.finding_id
JOIN ledger_entry e ON e.tenant_id = s.tenant_id AND e.event_id = s.opened_event AND e.idx < :size
JOIN evidence v ON v.tenant_id = s.tenant_id AND v.digest = s.evidence_digest
CROSS JOIN LATERAL (
    SELECT p.valid_from FROM evidence_span p
    WHERE p.tenant_id = f.tenant_id AND p.resource_id = f.resource_id AND p.evidence_id = v.evidence_id AND p.valid_from <= :as_of
    ORDER BY p.valid_from <= s.judged_as_of DESC, abs(extract(epoch FROM p.valid_from - s.judged_as_of)) LIMIT 1
) b
WHERE f.resource_type = ANY (:joined) AND (s.valid_to > :begins OR e.idx >= :start)
    AND (:partial OR b.valid_from < :begins OR b.valid_from >= :known_to)
    AND (CAST(:checks AS text[]) IS NULL OR f.check_id = ANY (:checks))
    AND (CAST(:sources AS uuid[]) IS NULL OR f.source_id = ANY (:sources))
    AND (CAST(:resources AS text[]) IS NULL OR r.native_id = ANY (:resources))
"""
COVERAGE_OF_JOINS = """
SELECT DISTINCT source_id, place COLLATE "C" AS place, resource_type COLLATE "C" AS resource_type, state, detail, action, listed,
    denied_details, rota, within, valid_from, last_at, valid_to
FROM coverage_span c
JOIN unnest(CAST(:sources AS uuid[]), CAST(:instants AS timestamptz[])) AS j (source, at)
    ON j.source = c.source_id AND c.valid_from <= j.at AND c.valid_to > j.at
WHERE c.valid_from >= :as_of OR c.valid_to <= :begins
ORDER BY source_id, place, resource_type, valid_from
"""
# One line per resource and content, however often it came back. The salt lies beside the key, and dies with it.
EVIDENCE = """
WITH seen AS (
    SELECT tenant_id, resource_id, evidence_id, min(valid_from) AS valid_from, max(last_at) AS last_at, max(valid_to) AS valid_to,
        array_agg(ARRAY[valid_from, valid_to] ORDER BY valid_from) AS stood
    FROM evidence_span WHERE valid_from <= :as_of GROUP BY tenant_id, resource_id, evidence_id
),
called AS MATERIALIZED (
    SELECT b.tenant_id, b.evidence_id, b.digest, coalesce(o.address, b.address) AS address FROM evidence b
    LEFT JOIN object_key o ON o.tenant_id = b.tenant_id AND o.digest = b.digest AND o.destroyed_at IS NULL
    WHERE b.resource_type = 'auditor.calls' AND (o.salt IS NOT NULL OR EXISTS (
        SELECT FROM ledger_salt t WHERE t.tenant_id = b.tenant_id AND t.subject = CAST(b.evidence_id AS text)))
)
SELECT v.evidence_id, v.digest, v.address, v.resource_type, v.type_version, r.source_id, r.native_id, r.region, n.valid_from,
    least(n.last_at, :as_of) AS last_at, n.valid_to, n.stood, s.place, s.operations, s.caller, s.endpoint, coalesce(k.salt, l.salt) AS salt,
    k.address AS lies_at, s.scope_version, s.calls, c.digest AS calls_digest, c.address AS calls_address,
    w.manager, w.operation, w.written_at
FROM seen n
JOIN evidence_span s ON s.tenant_id = n.tenant_id AND s.resource_id = n.resource_id AND s.valid_from = n.valid_from
JOIN evidence v ON v.tenant_id = n.tenant_id AND v.evidence_id = n.evidence_id
JOIN resource r ON r.tenant_id = n.tenant_id AND r.resource_id = n.resource_id
LEFT JOIN object_key k ON k.tenant_id = n.tenant_id AND k.digest = v.digest AND k.destroyed_at IS NULL
LEFT JOIN ledger_salt l ON l.tenant_id = n.tenant_id AND l.subject = CAST(v.evidence_id AS text)
LEFT JOIN called c ON c.tenant_id = s.tenant_id AND c.evidence_id = s.calls_id
LEFT JOIN LATERAL (
    SELECT a.manager, a.operation, a.written_at FROM attribution a
    WHERE a.tenant_id = n.tenant_id AND a.resource_id = n.resource_id AND a.seen_at <= n.last_at AND a.seen_at <= :as_of
    ORDER BY a.seen_at DESC, a.written_at DESC LIMIT 1
) w ON true
WHERE (coalesce(k.salt, l.salt) IS NULL) = :gone
ORDER BY r.source_id, r.type COLLATE "C", r.native_id COLLATE "C", v.digest
"""
CALLS = """
SELECT v.evidence_id, v.digest, coalesce(k.salt, l.salt) AS salt FROM evidence v
LEFT JOIN object_key k ON k.tenant_id = v.tenant_id AND k.digest = v.digest AND k.destroyed_at IS NULL
LEFT JOIN ledger_salt l ON l.tenant_id = v.tenant_id AND l.subject = CAST(v.evidence_id AS text)
WHERE v.digest = ANY (:digests) ORDER BY v.digest
"""
DOCUMENTS = """
SELECT digest, evidence_digest, sealed FROM document WHERE digest = ANY (:digests)
"""
ENTRIES = "SELECT idx, entry FROM ledger_entry WHERE event_id = ANY (:subjects) AND idx < :size"
ADDRESSES = """
SELECT v.evidence_id, coalesce(k.address, v.address) AS address FROM evidence v
LEFT JOIN object_key k ON k.tenant_id = v.tenant_id AND k.digest = v.digest AND k.destroyed_at IS NULL
WHERE v.evidence_id = ANY (:subjects)
"""
KNOWN = "SELECT event_id FROM ledger_entry WHERE event_id = ANY (:events) AND idx < :size"
FINDINGS_OF = """
SELECT count(*) AS spans, count(DISTINCT s.finding_id) AS findings,
    count(DISTINCT s.evidence_digest) AS evidence, array_agg(DISTINCT r.native_id) FILTER (
    WHERE r.native_id = ANY (CAST(:resources AS text[]))) AS told
FROM finding_span s
JOIN finding f ON f.tenant_id = s.tenant_id AND f.finding_id = s.finding_id
JOIN resource r ON r.tenant_id = f.tenant_id AND r.resource_id = f.resource_id
WHERE s.valid_from < :ends AND s.valid_to > :begins AND (CAST(:checks AS text[]) IS NULL OR f.check_id = ANY (:checks))
    AND (CAST(:sources AS uuid[]) IS NULL OR f.source_id = ANY (:sources))
    AND (CAST(:resources AS text[]) IS NULL OR r.native_id = ANY (:resources))
"""
EVIDENCE_OF = "SELECT count(DISTINCT evidence_id) FROM evidence_span WHERE valid_from < :ends AND valid_to > :begins"


def narrowed(asked: Asked, controls: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """What a part is narrowed to, as its statements take it; checks by control."""
    checks = sorted({check for control in asked.controls for check in controls.get(control, ())})
    return {
        "checks": checks if asked.controls else None,
        "sources": [UUID(one) for one in asked.sources] or None,
        "resources": list(asked.resources) or None,
    }
