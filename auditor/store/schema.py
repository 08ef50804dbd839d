"""The tables, once: names and columns that the store's files and its reads speak in.

The migrations make them, with the policies that keep tenants apart; a test holds both against each other. Every tenant table
begins with ``tenant_id``, and so does every key; ``GLOBAL`` names the few that belong to nobody and that the application role
may not touch.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from auditor.store.columns import (
    FOREVER_SQL,
    at,
    flag,
    id_,
    json,
    key,
    metadata,
    number,
    refers,
    tenants,
    unique,
    words,
)

# -- what is looked at
source = tenants(
    "source",
    id_("source_id"),
    words("kind"),
    words("account"),
    words("name"),
    words("partition", default="aws"),
    words("role_arn", null=True),
    words("external_id", null=True),
    words("profile", null=True),
    words("endpoint_url", null=True),
    sa.Column("regions", sa.ARRAY(sa.Text), nullable=False),
    number("every_seconds"),
    at("created_at"),
    json("manners"),
    json("access"),
    sa.Column("secret_sealed", sa.LargeBinary, nullable=True),
    flag("pinned"),
    at("disconnected_at", null=True),
    words("disconnected_by", null=True),
    words("disconnect_reason", null=True),
    key("source_id"),
    unique("kind", "account"),
    refers("tenant"),
)
scope = tenants(
    "scope",
    id_("source_id"),
    number("version"),
    json("rule"),
    at("valid_from"),
    words("changed_by"),
    words("reason"),
    key("source_id", "version"),
    refers("source", "source_id"),
)
resource = tenants(
    "resource",
    id_("resource_id"),
    id_("source_id"),
    words("type"),
    words("native_id"),
    words("region"),
    words("name", null=True),
    key("resource_id"),
    unique("source_id", "type", "native_id"),
    refers("source", "source_id"),
)

# -- passes and their pieces
run = tenants(
    "run",
    id_("run_id"),
    id_("source_id"),
    at("slot"),
    number("scope_version"),
    words("state", default="running"),
    flag("baseline"),
    at("started_at"),
    at("finished_at", null=True),
    json("counts"),
    number("units_left"),
    number("fence", default="0", big=True),
    at("cancelled_at", null=True),
    words("cancelled_by", null=True),
    words("cancel_reason", null=True),
    key("run_id"),
    unique("source_id", "slot"),
    refers("source", "source_id"),
    sa.Index("run_by_start", "tenant_id", "source_id", "started_at"),
)
unit = tenants(
    "unit",
    id_("unit_id"),
    id_("run_id"),
    id_("source_id"),
    words("place"),
    words("state", default="due"),
    number("fence", default="0", big=True),
    number("attempts", default="0"),
    json("counts"),
    at("started_at", null=True),
    at("finished_at", null=True),
    words("reason", null=True),
    words("part", default=""),
    sa.Column("services", sa.ARRAY(sa.Text), nullable=False, server_default=sa.text("'{}'::text[]")),
    json("calls"),
    key("unit_id"),
    unique("run_id", "place", "part"),
    refers("run", "run_id"),
)

# -- what was seen
evidence = tenants(
    "evidence",
    id_("evidence_id"),
    words("digest"),
    words("address"),
    words("resource_type"),
    number("type_version"),
    number("bytes"),
    at("created_at"),
    key("evidence_id"),
    unique("digest"),
)
evidence_span = tenants(
    "evidence_span",
    id_("resource_id"),
    id_("evidence_id"),
    words("place"),
    sa.Column("operations", sa.ARRAY(sa.Text), nullable=False),
    words("caller"),
    words("endpoint"),
    id_("run_id"),
    at("valid_from"),
    at("last_at"),
    at("valid_to", default=FOREVER_SQL),
    words("listed_digest", default=""),
    key("resource_id", "valid_from"),
    refers("resource", "resource_id"),
    refers("evidence", "evidence_id"),
    sa.Index(
        "evidence_span_open",
        "tenant_id",
        "resource_id",
        unique=True,
        postgresql_where=sa.text(f"valid_to = {FOREVER_SQL}"),
    ),
)
coverage_span = tenants(
    "coverage_span",
    id_("source_id"),
    words("place"),
    words("resource_type"),
    words("state"),
    words("detail", default=""),
    words("action", default=""),
    number("listed", default="0"),
    json("denied_details", default="[]"),
    at("valid_from"),
    at("last_at"),
    at("valid_to", default=FOREVER_SQL),
    id_("run_id"),
    number("rota", default="1"),
    key("source_id", "place", "resource_type", "valid_from"),
    refers("source", "source_id"),
)

# -- what keeps it
tenant_key = tenants(
    "tenant_key",
    number("version"),
    sa.Column("wrapped", sa.LargeBinary, nullable=True),
    words("kind"),
    at("created_at"),
    at("destroyed_at", null=True),
    key("version"),
    refers("tenant"),
)
object_key = tenants(
    "object_key",
    words("address"),
    words("digest"),
    number("key_version"),
    sa.Column("wrapped", sa.LargeBinary, nullable=True),
    sa.Column("salt", sa.LargeBinary, nullable=True),
    at("locked_until", null=True),
    flag("held"),
    at("created_at"),
    at("stored_at", null=True),
    at("destroyed_at", null=True),
    at("deleted_at", null=True),
    key("address"),
    sa.ForeignKeyConstraint(["tenant_id", "key_version"], ["tenant_key.tenant_id", "tenant_key.version"]),
    sa.Index("object_key_living", "tenant_id", "digest", unique=True, postgresql_where=sa.text("destroyed_at IS NULL")),
    sa.Index("object_key_by_digest", "tenant_id", "digest"),
)
legal_hold = tenants(
    "legal_hold",
    id_("hold_id"),
    id_("source_id", null=True),
    id_("resource_id", null=True),
    words("reason"),
    words("placed_by"),
    at("placed_at"),
    words("released_by", null=True),
    at("released_at", null=True),
    key("hold_id"),
    refers("tenant"),
    refers("source", "source_id"),
    refers("resource", "resource_id"),
)

# -- what was judged
finding = tenants(
    "finding",
    id_("finding_id"),
    id_("source_id"),
    words("check_id"),
    words("control_id"),
    id_("resource_id"),
    words("resource_type"),
    words("region"),
    words("place"),
    words("state"),
    words("severity"),
    words("tier"),
    words("reason"),
    at("since"),
    at("turns_at", null=True),
    number("span_seq"),
    id_("last_run_id"),
    words("document_digest", default=""),
    words("judged_digest", default=""),
    words("evaluator"),
    flag("about_place"),
    flag("open"),
    words("evidence_digest", default=""),
    key("finding_id"),
    unique("check_id", "resource_id"),
    refers("source", "source_id"),
    refers("resource", "resource_id"),
    sa.Index("finding_by_place", "tenant_id", "source_id", "place", "resource_type"),
    sa.Index("finding_by_resource", "tenant_id", "resource_id"),
    sa.Index(
        "finding_not_passing", "tenant_id", "check_id", "resource_id", postgresql_where=sa.text("state <> 'pass'")
    ),
)
finding_span = tenants(
    "finding_span",
    id_("finding_id"),
    number("seq"),
    words("state"),
    words("prev_state", null=True),
    words("severity"),
    words("reason"),
    words("because", null=True),
    json("observed", null=True),
    words("evidence_digest", null=True),
    words("document_digest", null=True),
    sa.Column("document_version", sa.Integer, nullable=True),
    words("judged_digest", null=True),
    words("published_digest", null=True),
    words("evaluator"),
    words("cause"),
    id_("run_id"),
    at("judged_as_of", null=True),
    at("valid_from"),
    at("valid_to", default=FOREVER_SQL),
    at("recorded_at"),
    at("closed_recorded_at", null=True),
    id_("opened_event"),
    id_("closed_event", null=True),
    key("finding_id", "valid_from"),
    unique("finding_id", "seq"),
    refers("finding", "finding_id"),
    sa.Index(
        "finding_span_drift",
        "tenant_id",
        "valid_from",
        "finding_id",
        postgresql_include=["state", "prev_state"],
        postgresql_where=sa.text("prev_state IS NOT NULL OR state = 'fail'"),
    ),
    sa.Index("finding_span_closed", "tenant_id", "valid_to", postgresql_where=sa.text(f"valid_to < {FOREVER_SQL}")),
)
daily_rollup = tenants(
    "daily_rollup",
    sa.Column("day", sa.Date, nullable=False),
    id_("source_id"),
    words("check_id"),
    words("control_id"),
    words("state"),
    number("n"),
    key("day", "source_id", "check_id", "state"),
    refers("source", "source_id"),
)

join_state = tenants(
    "join_state",
    id_("source_id"),
    words("resource_type"),
    words("inputs_digest"),
    words("evaluator"),
    key("source_id", "resource_type"),
    refers("source", "source_id"),
)

# -- what proves it
ledger_log = tenants(
    "ledger_log",
    words("origin"),
    number("size", default="0", big=True),
    sa.Column("frontier", sa.LargeBinary, nullable=False),
    number("signed_size", default="0", big=True),
    sa.Column("signed_root", sa.LargeBinary, nullable=True),
    key(),
    refers("tenant"),
)
ledger_pending = tenants(
    "ledger_pending",
    sa.Column("id", sa.BigInteger, sa.Identity(always=True)),
    sa.Column("entry", sa.LargeBinary, nullable=False),
    id_("event_id", null=True),
    at("created_at"),
    key("id"),
    refers("tenant"),
)
ledger_entry = tenants(
    "ledger_entry",
    number("idx", big=True),
    sa.Column("leaf_hash", sa.LargeBinary, nullable=False),
    sa.Column("entry", sa.LargeBinary, nullable=False),
    id_("event_id", null=True),
    key("idx"),
    refers("ledger_log"),
    sa.Index(
        "ledger_entry_by_event", "tenant_id", "event_id", unique=True, postgresql_where=sa.text("event_id IS NOT NULL")
    ),
)
ledger_tile = tenants(
    "ledger_tile",
    number("level"),
    number("n", big=True),
    sa.Column("hashes", sa.LargeBinary, nullable=False),
    key("level", "n"),
    refers("ledger_log"),
)
ledger_checkpoint = tenants(
    "ledger_checkpoint",
    number("size", big=True),
    words("note"),
    sa.Column("tsa_token", sa.LargeBinary, nullable=True),
    at("anchored_at", null=True),
    key("size"),
    refers("ledger_log"),
)
ledger_salt = tenants(
    "ledger_salt",
    words("subject"),
    sa.Column("salt", sa.LargeBinary, nullable=False),
    key("subject"),
    refers("tenant"),
)
place_digest = tenants(
    "place_digest",
    id_("source_id"),
    words("place"),
    number("findings", default="0"),
    words("digest", null=True),
    key("source_id", "place"),
    refers("source", "source_id"),
)
run_manifest = tenants(
    "run_manifest",
    id_("run_id"),
    sa.Column("facts", JSONB(none_as_null=True), nullable=False),
    key("run_id"),
    refers("run", "run_id"),
)

# -- what is left out, and whether we may look
exclusion = tenants(
    "exclusion",
    id_("source_id"),
    id_("resource_id"),
    words("place"),
    words("reason"),
    number("scope_version"),
    at("valid_from"),
    at("valid_to", default=FOREVER_SQL),
    key("resource_id", "valid_from"),
    refers("source", "source_id"),
    refers("resource", "resource_id"),
    sa.Index(
        "exclusion_open",
        "tenant_id",
        "resource_id",
        unique=True,
        postgresql_where=sa.text(f"valid_to = {FOREVER_SQL}"),
    ),
)
left_out = tenants(
    "left_out",
    words("kind"),
    words("native_id"),
    words("reason"),
    words("decided_by"),
    at("valid_from"),
    at("valid_to", default=FOREVER_SQL),
    key("kind", "native_id", "valid_from"),
    refers("tenant"),
)
preflight = tenants(
    "preflight",
    id_("preflight_id"),
    id_("source_id"),
    at("requested_at"),
    words("requested_by"),
    at("finished_at", null=True),
    json("result", null=True),
    words("error", null=True),
    key("preflight_id"),
    refers("source", "source_id"),
    sa.Index("preflight_by_time", "tenant_id", "source_id", "requested_at"),
)

# -- what is told
webhook = tenants(
    "webhook",
    id_("webhook_id"),
    words("url"),
    sa.Column("secret_sealed", sa.LargeBinary, nullable=False),
    sa.Column("previous_sealed", sa.LargeBinary, nullable=True),
    at("previous_until", null=True),
    at("created_at"),
    at("disabled_at", null=True),
    words("disabled_reason", null=True),
    words("created_by"),
    key("webhook_id"),
    refers("tenant"),
)
outbox = tenants(
    "outbox",
    id_("event_id"),
    words("type"),
    at("at"),
    json("data"),
    id_("run_id", null=True),
    key("event_id"),
    sa.Index("outbox_by_time", "tenant_id", "at"),
)
delivery = tenants(
    "delivery",
    id_("delivery_id"),
    id_("webhook_id"),
    id_("event_id"),
    words("state", default="due"),
    number("attempts", default="0"),
    at("next_attempt_at", null=True),
    sa.Column("last_status", sa.Integer, nullable=True),
    words("last_error", null=True),
    at("delivered_at", null=True),
    key("delivery_id"),
    unique("webhook_id", "event_id"),
    refers("webhook", "webhook_id"),
    refers("outbox", "event_id"),
)
delivery_attempt = tenants(
    "delivery_attempt",
    id_("delivery_id"),
    number("n"),
    at("at"),
    sa.Column("status", sa.Integer, nullable=True),
    words("error", null=True),
    number("took_ms"),
    words("response_head", default=""),
    key("delivery_id", "n"),
    refers("delivery", "delivery_id"),
)

# -- who acts
membership = tenants(
    "membership",
    id_("identity_id"),
    words("role"),
    at("from_at"),
    at("to_at", null=True),
    key("identity_id", "from_at"),
    refers("tenant"),
    sa.ForeignKeyConstraint(["identity_id"], ["identity.identity_id"]),
)
user_action = tenants(
    "user_action",
    id_("id"),
    at("at"),
    words("actor"),
    words("action"),
    words("subject"),
    json("data"),
    key("id"),
    refers("tenant"),
    sa.Index("user_action_by_time", "tenant_id", "at"),
)

# -- what is due: ids and times only, crossed by the claims role
work = tenants(
    "work",
    words("queue"),
    id_("id"),
    at("due_at"),
    at("lease_until", null=True),
    number("fence", default="0", big=True),
    number("attempts", default="0"),
    sa.PrimaryKeyConstraint("queue", "id"),
    sa.Index("work_due", "queue", "due_at"),
)
schedule = tenants(
    "schedule",
    id_("source_id"),
    at("due_at"),
    number("every_seconds"),
    at("lease_until", null=True),
    key("source_id"),
    refers("source", "source_id"),
    sa.Index("schedule_due", "due_at"),
)

# -- what is handed over
definition = tenants(
    "definition",
    words("check_id"),
    words("judged_digest"),
    words("published_digest"),
    number("language"),
    sa.Column("body", JSONB(none_as_null=True), nullable=False),
    at("first_seen_at"),
    key("check_id", "judged_digest", "published_digest"),
    refers("tenant"),
)
document = tenants(
    "document",
    words("digest"),
    words("evidence_digest"),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    at("kept_at"),
    key("digest", "evidence_digest"),
    refers("tenant"),
)
bundle = tenants(
    "bundle",
    id_("bundle_id"),
    at("asked_at"),
    words("asked_by"),
    sa.Column("asked", JSONB(none_as_null=True), nullable=False),
    words("state", default="asked"),
    words("step", default=""),
    number("progress", default="0"),
    sa.Column("head_size", sa.BigInteger, nullable=True),
    words("digest", null=True),
    sa.Column("bytes", sa.BigInteger, nullable=True),
    words("address", null=True),
    at("finished_at", null=True),
    words("error", null=True),
    key("bundle_id"),
    refers("tenant"),
    sa.Index("bundle_by_time", "tenant_id", "asked_at"),
)
bundle_taken = tenants(
    "bundle_taken",
    id_("taken_id"),
    id_("bundle_id"),
    at("at"),
    words("taken_by"),
    key("taken_id"),
    refers("bundle", "bundle_id"),
    sa.Index("bundle_taken_by_bundle", "tenant_id", "bundle_id"),
)
sign_request = tenants(
    "sign_request",
    id_("bundle_id"),
    at("asked_at"),
    words("sha256"),
    words("sha512"),
    number("head_size", big=True),
    words("period_from"),
    words("period_to"),
    at("answered_at", null=True),
    words("note", null=True),
    words("sshsig", null=True),
    words("verifier_key", null=True),
    words("refused", null=True),
    key("bundle_id", "sha256"),
    refers("bundle", "bundle_id"),
)

# -- nobody's: reached through functions only
tenant = sa.Table(
    "tenant",
    metadata,
    sa.Column("tenant_id", sa.Uuid, primary_key=True),
    sa.Column("slug", sa.Text, nullable=False, unique=True),
    words("name"),
    flag("demo"),
    at("created_at"),
)
identity = sa.Table(
    "identity",
    metadata,
    sa.Column("identity_id", sa.Uuid, primary_key=True),
    sa.Column("email", sa.Text, nullable=False, unique=True),
    words("name"),
    words("password_hash"),
    at("created_at"),
    at("disabled_at", null=True),
)
session = sa.Table(
    "session",
    metadata,
    sa.Column("token_hash", sa.Text, primary_key=True),
    id_("identity_id"),
    id_("tenant_id"),
    at("created_at"),
    at("last_seen_at"),
    at("expires_at"),
    at("revoked_at", null=True),
    sa.ForeignKeyConstraint(["identity_id"], ["identity.identity_id"]),
    sa.ForeignKeyConstraint(["tenant_id"], ["tenant.tenant_id"]),
)
api_token = sa.Table(
    "api_token",
    metadata,
    sa.Column("token_hash", sa.Text, primary_key=True),
    id_("tenant_id"),
    id_("identity_id"),
    words("name"),
    at("created_at"),
    at("last_used_at", null=True),
    at("expires_at", null=True),
    at("revoked_at", null=True),
    sa.ForeignKeyConstraint(["identity_id"], ["identity.identity_id"]),
    sa.ForeignKeyConstraint(["tenant_id"], ["tenant.tenant_id"]),
)
sign_in_failure = sa.Table("sign_in_failure", metadata, words("key"), at("at"), sa.Index("sign_in_recent", "key", "at"))

canary = sa.Table("canary", metadata, sa.Column("queue", sa.Text, primary_key=True), at("heard_at"))

GLOBAL = frozenset({"tenant", "identity", "session", "api_token", "sign_in_failure", "canary"})
"""Tables without row-level security, on which the application role has no grant."""
