"""Who acts: memberships and acts, and the tables that are nobody's and reached through functions only."""

from __future__ import annotations

import sqlalchemy as sa

from auditor.store.columns import (
    at,
    flag,
    id_,
    json,
    key,
    metadata,
    refers,
    tenants,
    words,
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
