"""What is handed over: definitions and documents as judged, bundles and who took them."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from auditor.store.columns import (
    at,
    id_,
    key,
    number,
    refers,
    tenants,
    words,
)

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
    words("address", null=True),  # where the first release kept the ZIP; nothing reads or writes it any more
    at("finished_at", null=True),
    words("error", null=True),
    key("bundle_id"),
    refers("tenant"),
    sa.Index("bundle_by_time", "tenant_id", "asked_at"),
)
bundle_part = tenants(
    "bundle_part",
    id_("bundle_id"),
    number("number"),
    words("digest"),
    key("bundle_id", "number"),
    refers("bundle", "bundle_id"),
    sa.Index("bundle_part_by_digest", "tenant_id", "digest"),
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
    sa.Column("retired", ARRAY(sa.Text), nullable=False, server_default=sa.text("'{}'::text[]")),
    words("refused", null=True),
    key("bundle_id", "sha256"),
    refers("bundle", "bundle_id"),
)
