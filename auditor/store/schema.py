"""The tables, once: names and columns that the store's files and its reads speak in.

The migrations make them, with the policies that keep tenants apart; a test holds both against each other. Every tenant table
begins with ``tenant_id``, and so does every key; ``GLOBAL`` names the few that belong to nobody and that the application role
may not touch.
"""

from __future__ import annotations

import sqlalchemy as sa

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
    key("unit_id"),
    unique("run_id", "place"),
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
    key("source_id", "place", "resource_type", "valid_from"),
    refers("source", "source_id"),
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
