"""What proves it: the log of each tenant, from waiting entries to signed heads."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from auditor.store.columns import (
    at,
    id_,
    key,
    number,
    refers,
    tenants,
    words,
)

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
    at("stamped_at", null=True),
    key("size"),
    refers("ledger_log"),
    sa.Index(
        "ledger_checkpoint_stamped",
        "tenant_id",
        "stamped_at",
        postgresql_where=sa.text("stamped_at IS NOT NULL"),
    ),
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
