"""The tables, once: names and columns that the store's files and its reads speak in.

The migrations make them, with the policies that keep tenants apart; a test holds both against each other. Every tenant table
begins with ``tenant_id``, and so does every key; ``GLOBAL`` names the few that belong to nobody and that the application role
may not touch.
"""

from __future__ import annotations

from auditor.store.columns import metadata
from auditor.store.schema.due import schedule, work
from auditor.store.schema.estate import exclusion, left_out, preflight, resource, run, scope, source, stand_in, unit
from auditor.store.schema.handed import bundle, bundle_part, bundle_taken, definition, document, sign_request
from auditor.store.schema.judged import daily_rollup, finding, finding_span, join_state, volatile_judged
from auditor.store.schema.ledger import (
    ledger_checkpoint,
    ledger_entry,
    ledger_log,
    ledger_pending,
    ledger_salt,
    ledger_tile,
    place_digest,
    run_manifest,
)
from auditor.store.schema.people import (
    api_token,
    canary,
    identity,
    membership,
    session,
    sign_in_failure,
    tenant,
    user_action,
)
from auditor.store.schema.seen import (
    attribution,
    coverage_span,
    evidence,
    evidence_span,
    legal_hold,
    object_key,
    tenant_key,
)
from auditor.store.schema.told import delivery, delivery_attempt, outbox, webhook
from auditor.store.schema.watching import dirty, watched

GLOBAL = frozenset({"tenant", "identity", "session", "api_token", "sign_in_failure", "canary"})
"""Tables without row-level security, on which the application role has no grant."""

__all__ = [
    "GLOBAL",
    "api_token",
    "attribution",
    "bundle",
    "bundle_part",
    "bundle_taken",
    "canary",
    "coverage_span",
    "daily_rollup",
    "definition",
    "delivery",
    "delivery_attempt",
    "dirty",
    "document",
    "evidence",
    "evidence_span",
    "exclusion",
    "finding",
    "finding_span",
    "identity",
    "join_state",
    "ledger_checkpoint",
    "ledger_entry",
    "ledger_log",
    "ledger_pending",
    "ledger_salt",
    "ledger_tile",
    "left_out",
    "legal_hold",
    "membership",
    "metadata",
    "object_key",
    "outbox",
    "place_digest",
    "preflight",
    "resource",
    "run",
    "run_manifest",
    "schedule",
    "scope",
    "session",
    "sign_in_failure",
    "sign_request",
    "source",
    "stand_in",
    "tenant",
    "tenant_key",
    "unit",
    "user_action",
    "volatile_judged",
    "watched",
    "webhook",
    "work",
]
