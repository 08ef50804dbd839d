"""What is looked at: sources with their scopes, runs and units, what is left out, and whether we may look."""

from __future__ import annotations

import sqlalchemy as sa

from auditor.store.columns import (
    FOREVER_SQL,
    at,
    flag,
    id_,
    json,
    key,
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
    words("answered_by", null=True),
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
stand_in = sa.func.coalesce(source.c.answered_by, source.c.endpoint_url, "").label("stand_in")
"""The host that answers for a source instead of the provider: as heard, else as it was configured; else empty."""
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
