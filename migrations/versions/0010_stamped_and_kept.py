"""Time stamps over heads of the ledger: when one was kept, so that a day has one.

Only adds: the release before runs on it unchanged.
"""

from __future__ import annotations

from alembic import context, op

revision = "0010"
down_revision = "0006"
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


def upgrade() -> None:
    """Add the column, guard it like the others, and let the role that signs write it."""
    op.execute(STAMPS)
    op.execute(f"GRANT UPDATE (stamped_at) ON ledger_checkpoint TO {context.config.attributes['roles'].ledger}")
