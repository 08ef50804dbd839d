"""Calls: which record of calls the evidence of a resource rests on, under which scope, and who answered for a source.

Records lie where evidence lies, and are rows of its table. Only adds columns that may be empty: the release before runs on it unchanged.
"""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

COLUMNS = """
ALTER TABLE evidence_span ADD COLUMN calls_id uuid;
ALTER TABLE evidence_span ADD COLUMN calls integer[] DEFAULT '{}'::integer[] NOT NULL;
ALTER TABLE evidence_span ADD COLUMN scope_version integer;
ALTER TABLE evidence_span ADD FOREIGN KEY(tenant_id, calls_id) REFERENCES evidence (tenant_id, evidence_id);
-- Null is what was connected before anybody took notice: then its endpoint decides.
ALTER TABLE source ADD COLUMN answered_by text;
"""


def upgrade() -> None:
    """Add the columns; what was seen before has no record of its calls."""
    op.execute(COLUMNS)
