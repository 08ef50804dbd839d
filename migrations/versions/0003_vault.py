"""The vault: keys of tenants and objects, and legal holds. Erasing is destroying a key, so rows are never deleted.

Only adds tables: the release before runs on it unchanged, and what it put stays readable.
"""

from __future__ import annotations

from alembic import context, op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE tenant_key (
    tenant_id uuid NOT NULL,
    version integer NOT NULL,
    wrapped bytea,
    kind text NOT NULL,
    created_at timestamptz NOT NULL,
    destroyed_at timestamptz,
    PRIMARY KEY (tenant_id, version),
    FOREIGN KEY(tenant_id) REFERENCES tenant (tenant_id),
    CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL))
);

CREATE TABLE object_key (
    tenant_id uuid NOT NULL,
    address text NOT NULL,
    digest text NOT NULL,
    key_version integer NOT NULL,
    wrapped bytea,
    salt bytea,
    locked_until timestamptz,
    held boolean DEFAULT false NOT NULL,
    created_at timestamptz NOT NULL,
    stored_at timestamptz,
    destroyed_at timestamptz,
    deleted_at timestamptz,
    PRIMARY KEY (tenant_id, address),
    FOREIGN KEY(tenant_id, key_version) REFERENCES tenant_key (tenant_id, version),
    CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL)),
    CHECK ((salt IS NULL) = (destroyed_at IS NOT NULL)),
    CHECK (deleted_at IS NULL OR destroyed_at IS NOT NULL)
);
CREATE UNIQUE INDEX object_key_living ON object_key (tenant_id, digest) WHERE destroyed_at IS NULL;
CREATE INDEX object_key_by_digest ON object_key (tenant_id, digest);

CREATE TABLE legal_hold (
    tenant_id uuid NOT NULL,
    hold_id uuid NOT NULL,
    source_id uuid,
    resource_id uuid,
    reason text NOT NULL,
    placed_by text NOT NULL,
    placed_at timestamptz NOT NULL,
    released_by text,
    released_at timestamptz,
    PRIMARY KEY (tenant_id, hold_id),
    FOREIGN KEY(tenant_id) REFERENCES tenant (tenant_id),
    FOREIGN KEY(tenant_id, source_id) REFERENCES source (tenant_id, source_id),
    FOREIGN KEY(tenant_id, resource_id) REFERENCES resource (tenant_id, resource_id),
    CHECK (source_id IS NULL OR resource_id IS NULL),
    CHECK ((released_by IS NULL) = (released_at IS NULL))
);
"""

# What a key may go through, whoever asks: nothing destroyed comes back, no key is swapped, no lock gets shorter.
GUARDS = """
CREATE FUNCTION key_kept() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF OLD.destroyed_at IS NOT NULL AND NEW.destroyed_at IS DISTINCT FROM OLD.destroyed_at THEN
        RAISE EXCEPTION 'a destroyed key stays destroyed' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION object_kept() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.wrapped IS DISTINCT FROM OLD.wrapped AND NEW.wrapped IS NOT NULL THEN
        RAISE EXCEPTION 'the key of an object is never replaced' USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.salt IS DISTINCT FROM OLD.salt AND NEW.salt IS NOT NULL THEN
        RAISE EXCEPTION 'the salt of an object is never replaced' USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.locked_until IS NOT NULL AND (NEW.locked_until IS NULL OR NEW.locked_until < OLD.locked_until) THEN
        RAISE EXCEPTION 'a lock never gets shorter' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER tenant_key_kept BEFORE UPDATE ON tenant_key FOR EACH ROW EXECUTE FUNCTION key_kept();
CREATE TRIGGER object_key_kept BEFORE UPDATE ON object_key FOR EACH ROW EXECUTE FUNCTION key_kept();
CREATE TRIGGER object_kept BEFORE UPDATE ON object_key FOR EACH ROW EXECUTE FUNCTION object_kept();
"""

POLICY = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON {table}
    USING      (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));
GRANT SELECT, INSERT, UPDATE ({columns}) ON {table} TO {app};
"""

MAY_CHANGE = {
    "tenant_key": "wrapped, destroyed_at",
    "object_key": "wrapped, salt, locked_until, held, stored_at, destroyed_at, deleted_at",
    "legal_hold": "released_by, released_at",
}


def upgrade() -> None:
    """Add the tables, guard what may become of a row, and grant no more than that."""
    roles = context.config.attributes["roles"]
    op.execute(TABLES)
    op.execute(GUARDS)
    for table, columns in MAY_CHANGE.items():
        op.execute(POLICY.format(table=table, columns=columns, app=roles.app))
