"""When a head of the ledger was stamped, so that a day has one time stamp; and the objects that issued bundles are kept in.

Only adds: the release before runs on it unchanged.
"""

from __future__ import annotations

from alembic import context, op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

STAMPS = """
ALTER TABLE ledger_checkpoint ADD COLUMN stamped_at timestamptz;
CREATE INDEX ledger_checkpoint_stamped ON ledger_checkpoint (tenant_id, stamped_at) WHERE stamped_at IS NOT NULL;

CREATE OR REPLACE FUNCTION ledger_head_kept() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF (NEW.tenant_id, NEW.size, NEW.note) IS DISTINCT FROM (OLD.tenant_id, OLD.size, OLD.note)
        OR (OLD.tsa_token IS NOT NULL AND NEW.tsa_token IS DISTINCT FROM OLD.tsa_token)
        OR (OLD.stamped_at IS NOT NULL AND NEW.stamped_at IS DISTINCT FROM OLD.stamped_at)
        OR (OLD.anchored_at IS NOT NULL AND NEW.anchored_at IS DISTINCT FROM OLD.anchored_at) THEN
        RAISE EXCEPTION 'the ledger is append-only: a signed head stays as it is' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
"""

PARTS = """
CREATE TABLE bundle_part (
    tenant_id uuid NOT NULL,
    bundle_id uuid NOT NULL,
    number integer NOT NULL,
    digest text NOT NULL,
    PRIMARY KEY (tenant_id, bundle_id, number),
    FOREIGN KEY(tenant_id, bundle_id) REFERENCES bundle (tenant_id, bundle_id),
    CHECK (number >= 0 AND digest ~ '^[0-9a-f]{64}$')
);
CREATE INDEX bundle_part_by_digest ON bundle_part (tenant_id, digest);
"""

POLICY = """
ALTER TABLE bundle_part ENABLE ROW LEVEL SECURITY;
ALTER TABLE bundle_part FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON bundle_part
    USING      (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));
GRANT SELECT, INSERT ON bundle_part TO {app};
GRANT UPDATE (stamped_at) ON ledger_checkpoint TO {ledger};
"""


def upgrade() -> None:
    """Add the column and guard it like the others, add the table, close it, and let each role do its part."""
    roles = context.config.attributes["roles"]
    op.execute(STAMPS)
    op.execute(PARTS)
    op.execute(POLICY.format(app=roles.app, ledger=roles.ledger))
