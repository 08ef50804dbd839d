"""The ledger: what was noted, the log it went into, and the heads that were signed. Nothing that was appended ever changes.

Only adds tables: the release before runs on it unchanged, but what it writes is not noted.
"""

from __future__ import annotations

from alembic import context, op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE ledger_log (
    tenant_id uuid NOT NULL,
    origin text NOT NULL,
    size bigint DEFAULT 0 NOT NULL,
    frontier bytea NOT NULL,
    signed_size bigint DEFAULT 0 NOT NULL,
    signed_root bytea,
    PRIMARY KEY (tenant_id),
    FOREIGN KEY(tenant_id) REFERENCES tenant (tenant_id),
    CHECK (signed_size <= size)
);

CREATE TABLE ledger_pending (
    tenant_id uuid NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    entry bytea NOT NULL,
    event_id uuid,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY(tenant_id) REFERENCES tenant (tenant_id)
);

CREATE TABLE ledger_entry (
    tenant_id uuid NOT NULL,
    idx bigint NOT NULL,
    leaf_hash bytea NOT NULL,
    entry bytea NOT NULL,
    event_id uuid,
    PRIMARY KEY (tenant_id, idx),
    FOREIGN KEY(tenant_id) REFERENCES ledger_log (tenant_id),
    CHECK (idx >= 0 AND octet_length(leaf_hash) = 32)
);
CREATE UNIQUE INDEX ledger_entry_by_event ON ledger_entry (tenant_id, event_id) WHERE event_id IS NOT NULL;

CREATE TABLE ledger_tile (
    tenant_id uuid NOT NULL,
    level integer NOT NULL,
    n bigint NOT NULL,
    hashes bytea NOT NULL,
    PRIMARY KEY (tenant_id, level, n),
    FOREIGN KEY(tenant_id) REFERENCES ledger_log (tenant_id),
    CHECK (octet_length(hashes) = 8192)
);

CREATE TABLE ledger_checkpoint (
    tenant_id uuid NOT NULL,
    size bigint NOT NULL,
    note text NOT NULL,
    tsa_token bytea,
    anchored_at timestamptz,
    PRIMARY KEY (tenant_id, size),
    FOREIGN KEY(tenant_id) REFERENCES ledger_log (tenant_id)
);

CREATE TABLE ledger_salt (
    tenant_id uuid NOT NULL,
    subject text NOT NULL,
    salt bytea NOT NULL,
    PRIMARY KEY (tenant_id, subject),
    FOREIGN KEY(tenant_id) REFERENCES tenant (tenant_id),
    CHECK (octet_length(salt) = 16)
);

CREATE TABLE place_digest (
    tenant_id uuid NOT NULL,
    source_id uuid NOT NULL,
    place text NOT NULL,
    findings integer DEFAULT 0 NOT NULL,
    digest text,
    PRIMARY KEY (tenant_id, source_id, place),
    FOREIGN KEY(tenant_id, source_id) REFERENCES source (tenant_id, source_id)
);

CREATE TABLE run_manifest (
    tenant_id uuid NOT NULL,
    run_id uuid NOT NULL,
    facts jsonb NOT NULL,
    PRIMARY KEY (tenant_id, run_id),
    FOREIGN KEY(tenant_id, run_id) REFERENCES run (tenant_id, run_id)
);
"""

# The owner of the tables is bound too: to change what was appended, somebody must first take a trigger away.
GUARDS = """
CREATE FUNCTION ledger_refuses() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only: % on % is refused', TG_OP, TG_TABLE_NAME USING ERRCODE = 'check_violation';
END $$;

CREATE FUNCTION ledger_head_kept() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF (NEW.tenant_id, NEW.size, NEW.note) IS DISTINCT FROM (OLD.tenant_id, OLD.size, OLD.note)
        OR (OLD.tsa_token IS NOT NULL AND NEW.tsa_token IS DISTINCT FROM OLD.tsa_token)
        OR (OLD.anchored_at IS NOT NULL AND NEW.anchored_at IS DISTINCT FROM OLD.anchored_at) THEN
        RAISE EXCEPTION 'the ledger is append-only: a signed head stays as it is' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION ledger_grows() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.size < OLD.size OR NEW.signed_size < OLD.signed_size OR NEW.origin <> OLD.origin THEN
        RAISE EXCEPTION 'the ledger only grows' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER ledger_entry_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entry
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuses();
CREATE TRIGGER ledger_tile_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_tile
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuses();
CREATE TRIGGER ledger_checkpoint_kept BEFORE DELETE OR TRUNCATE ON ledger_checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuses();
CREATE TRIGGER ledger_head_kept BEFORE UPDATE ON ledger_checkpoint FOR EACH ROW EXECUTE FUNCTION ledger_head_kept();
CREATE TRIGGER ledger_grows BEFORE UPDATE ON ledger_log FOR EACH ROW EXECUTE FUNCTION ledger_grows();
CREATE TRIGGER ledger_log_kept BEFORE DELETE OR TRUNCATE ON ledger_log
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuses();
"""

POLICY = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON {table}
    USING      (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));
"""

# Whoever writes the books may note and read; whoever appends may do nothing else. It sees the entries of every tenant that
# wait, which name nobody, and which logs there are.
ROLES = """
CREATE POLICY integrated ON ledger_pending FOR SELECT TO {ledger} USING (true);
CREATE POLICY integrated ON ledger_log FOR SELECT TO {ledger} USING (true);
GRANT INSERT ON ledger_pending TO {app};
GRANT SELECT ON ledger_log, ledger_entry, ledger_tile, ledger_checkpoint TO {app};
GRANT SELECT, INSERT ON ledger_salt, run_manifest TO {app};
GRANT SELECT, INSERT, UPDATE ON place_digest TO {app};
GRANT SELECT, DELETE ON ledger_pending TO {ledger};
GRANT SELECT, INSERT ON ledger_entry, ledger_tile, ledger_checkpoint TO {ledger};
GRANT UPDATE (tsa_token, anchored_at) ON ledger_checkpoint TO {ledger};
GRANT SELECT, INSERT, UPDATE (size, frontier, signed_size, signed_root) ON ledger_log TO {ledger};
"""

TENANTS = (
    "ledger_log",
    "ledger_pending",
    "ledger_entry",
    "ledger_tile",
    "ledger_checkpoint",
    "ledger_salt",
    "place_digest",
    "run_manifest",
)


def upgrade() -> None:
    """Add the tables, close them, and let each role do its part."""
    roles = context.config.attributes["roles"]
    op.execute(TABLES)
    op.execute(GUARDS)
    for table in TENANTS:
        op.execute(POLICY.format(table=table))
    op.execute(ROLES.format(app=roles.app, ledger=roles.ledger))
