"""What a look at a cluster left out, and who last changed what was seen.

Only adds: the release before runs on it unchanged.
"""

from __future__ import annotations

from alembic import context, op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

ATTRIBUTION = """
CREATE TABLE attribution (
    tenant_id uuid NOT NULL,
    resource_id uuid NOT NULL,
    manager text NOT NULL,
    operation text NOT NULL,
    written_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    run_id uuid NOT NULL,
    PRIMARY KEY (tenant_id, resource_id, written_at, manager, operation),
    FOREIGN KEY(tenant_id, resource_id) REFERENCES resource (tenant_id, resource_id)
);
ALTER TABLE attribution ENABLE ROW LEVEL SECURITY;
ALTER TABLE attribution FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON attribution
    USING      (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));
GRANT SELECT, INSERT ON attribution TO {app};
"""


def upgrade() -> None:
    """Add both; what was seen before was listed whole, and tells nobody's name."""
    op.execute("ALTER TABLE coverage_span ADD COLUMN within text[] DEFAULT '{}' NOT NULL")
    op.execute(ATTRIBUTION.format(app=context.config.attributes["roles"].app))
