"""Bundles: who asked for one, how far it is, who took it, what is to be signed; and every definition that ever judged.

Only adds tables: the release before runs on it unchanged.
"""

from __future__ import annotations

from alembic import context, op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE definition (
    tenant_id uuid NOT NULL,
    check_id text NOT NULL,
    judged_digest text NOT NULL,
    published_digest text NOT NULL,
    language integer NOT NULL,
    body jsonb NOT NULL,
    first_seen_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, check_id, judged_digest, published_digest),
    FOREIGN KEY(tenant_id) REFERENCES tenant (tenant_id)
);

CREATE TABLE document (
    tenant_id uuid NOT NULL,
    digest text NOT NULL,
    evidence_digest text NOT NULL,
    sealed bytea NOT NULL,
    kept_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, digest, evidence_digest),
    FOREIGN KEY(tenant_id) REFERENCES tenant (tenant_id)
);

CREATE TABLE bundle (
    tenant_id uuid NOT NULL,
    bundle_id uuid NOT NULL,
    asked_at timestamptz NOT NULL,
    asked_by text NOT NULL,
    asked jsonb NOT NULL,
    state text DEFAULT 'asked' NOT NULL,
    step text DEFAULT '' NOT NULL,
    progress integer DEFAULT 0 NOT NULL,
    head_size bigint,
    digest text,
    bytes bigint,
    address text,
    finished_at timestamptz,
    error text,
    PRIMARY KEY (tenant_id, bundle_id),
    FOREIGN KEY(tenant_id) REFERENCES tenant (tenant_id),
    CHECK (state IN ('asked', 'building', 'signing', 'done', 'failed')),
    CHECK (progress BETWEEN 0 AND 100)
);
CREATE INDEX bundle_by_time ON bundle (tenant_id, asked_at);

CREATE TABLE bundle_taken (
    tenant_id uuid NOT NULL,
    taken_id uuid NOT NULL,
    bundle_id uuid NOT NULL,
    at timestamptz NOT NULL,
    taken_by text NOT NULL,
    PRIMARY KEY (tenant_id, taken_id),
    FOREIGN KEY(tenant_id, bundle_id) REFERENCES bundle (tenant_id, bundle_id)
);
CREATE INDEX bundle_taken_by_bundle ON bundle_taken (tenant_id, bundle_id);

CREATE TABLE sign_request (
    tenant_id uuid NOT NULL,
    bundle_id uuid NOT NULL,
    asked_at timestamptz NOT NULL,
    sha256 text NOT NULL,
    sha512 text NOT NULL,
    head_size bigint NOT NULL,
    period_from text NOT NULL,
    period_to text NOT NULL,
    answered_at timestamptz,
    note text,
    sshsig text,
    verifier_key text,
    refused text,
    PRIMARY KEY (tenant_id, bundle_id, sha256),
    FOREIGN KEY(tenant_id, bundle_id) REFERENCES bundle (tenant_id, bundle_id),
    CHECK (sha256 ~ '^[0-9a-f]{64}$' AND sha512 ~ '^[0-9a-f]{128}$'),
    CHECK (answered_at IS NULL OR refused IS NOT NULL OR (note IS NOT NULL AND sshsig IS NOT NULL AND verifier_key IS NOT NULL))
);
"""

# What was issued stays issued: a bundle that is done is not made another, and a signature is not taken back.
GUARDS = """
CREATE FUNCTION bundle_kept() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF OLD.state = 'done' AND NEW IS DISTINCT FROM OLD THEN
        RAISE EXCEPTION 'a bundle that was issued stays as it is' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION signature_kept() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF OLD.answered_at IS NOT NULL THEN
        RAISE EXCEPTION 'what was answered stays answered' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER bundle_kept BEFORE UPDATE ON bundle FOR EACH ROW EXECUTE FUNCTION bundle_kept();
CREATE TRIGGER signature_kept BEFORE UPDATE ON sign_request FOR EACH ROW EXECUTE FUNCTION signature_kept();
"""

POLICY = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON {table}
    USING      (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));
GRANT SELECT, INSERT ON {table} TO {app};
"""

# Whoever holds the key sees what is to be signed, of every tenant, and may answer; digests and times name nobody.
SIGNING = """
CREATE POLICY signed ON sign_request FOR SELECT TO {ledger} USING (true);
GRANT SELECT, UPDATE (answered_at, note, sshsig, verifier_key, refused) ON sign_request TO {ledger};
GRANT UPDATE (state, step, progress, head_size, digest, bytes, address, finished_at, error) ON bundle TO {app};
"""


def upgrade() -> None:
    """Add the tables, close them, and let each role do its part."""
    roles = context.config.attributes["roles"]
    op.execute(TABLES)
    op.execute(GUARDS)
    for table in ("definition", "document", "bundle", "bundle_taken", "sign_request"):
        op.execute(POLICY.format(table=table, app=roles.app))
    op.execute(SIGNING.format(ledger=roles.ledger, app=roles.app))
