"""Watching: what a watch marked for another look, how far each watch has come, and runs that look at no more than that.

Only adds tables, columns and words: the release before runs on it unchanged. Who watches a source, and when marks are due, are rows
of ``work`` like all that is leased.
"""

from __future__ import annotations

from alembic import context, op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE dirty (
    tenant_id uuid NOT NULL,
    source_id uuid NOT NULL,
    resource_type text NOT NULL,
    native_id text NOT NULL,
    first_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, source_id, resource_type, native_id),
    FOREIGN KEY(tenant_id, source_id) REFERENCES source (tenant_id, source_id)
);

CREATE TABLE watched (
    tenant_id uuid NOT NULL,
    source_id uuid NOT NULL,
    stream text NOT NULL,
    version text NOT NULL,
    state text DEFAULT 'waiting' NOT NULL,
    detail text DEFAULT '' NOT NULL,
    since timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, source_id, stream),
    FOREIGN KEY(tenant_id, source_id) REFERENCES source (tenant_id, source_id),
    CHECK (state IN ('waiting', 'watching', 'refused', 'failing', 'expired'))
);

ALTER TABLE work DROP CONSTRAINT work_queue_check, ADD CONSTRAINT work_queue_check CHECK (queue IN (
    'collect', 'assess', 'notify', 'preflight', 'upkeep', 'checkpoint', 'export', 'watch', 'refresh'));
ALTER TABLE run ADD COLUMN refresh boolean DEFAULT false NOT NULL;
ALTER TABLE unit ADD COLUMN asked jsonb DEFAULT '{}'::jsonb NOT NULL;
"""

POLICY = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON {table}
    USING      (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));
GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {app};
"""


def upgrade() -> None:
    """Add both tables, close them, and let the two new kinds of work be leased."""
    roles = context.config.attributes["roles"]
    op.execute(TABLES)
    for table in ("dirty", "watched"):
        op.execute(POLICY.format(table=table, app=roles.app))
