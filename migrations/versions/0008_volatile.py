"""Which volatile facts each check judged last, so that a last use which moved is judged alone.

Only adds a table: the release before runs on it unchanged.
"""

from __future__ import annotations

from alembic import context, op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE volatile_judged (
    tenant_id uuid NOT NULL,
    source_id uuid NOT NULL,
    place text NOT NULL,
    check_id text NOT NULL,
    digest text NOT NULL,
    PRIMARY KEY (tenant_id, source_id, place, check_id),
    FOREIGN KEY(tenant_id, source_id) REFERENCES source (tenant_id, source_id)
);
"""

POLICY = """
ALTER TABLE volatile_judged ENABLE ROW LEVEL SECURITY;
ALTER TABLE volatile_judged FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON volatile_judged
    USING      (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));
GRANT SELECT, INSERT, UPDATE (digest) ON volatile_judged TO {app};
"""


def upgrade() -> None:
    """Add the table, close it, and let the application add to it and move it on."""
    op.execute(TABLES)
    op.execute(POLICY.format(app=context.config.attributes["roles"].app))
