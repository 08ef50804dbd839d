"""What was seen, and what keeps it: evidence, coverage, keys and holds."""

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
attribution = tenants(
    "attribution",
    id_("resource_id"),
    words("manager"),
    words("operation"),
    at("written_at"),
    at("seen_at"),
    id_("run_id"),
    key("resource_id", "written_at", "manager", "operation"),
    refers("resource", "resource_id"),
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
    sa.Column("within", sa.ARRAY(sa.Text), nullable=False, server_default="{}"),
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
