"""A real estate: scopes that exclude, runs that are cut, cancelled and paced, what is known from one run to the next.

Only adds columns, tables and allowed words: the release before runs on it unchanged.
"""

from __future__ import annotations

from alembic import context, op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = """
ALTER TABLE source ADD COLUMN manners jsonb DEFAULT '{}'::jsonb NOT NULL;
-- What was connected before stays with the regions it was connected with: looking further is a decision.
ALTER TABLE source ADD COLUMN pinned boolean DEFAULT true NOT NULL;
ALTER TABLE source ALTER COLUMN pinned SET DEFAULT false;
ALTER TABLE source ADD COLUMN disconnected_at timestamptz;
ALTER TABLE source ADD COLUMN disconnected_by text;
ALTER TABLE source ADD COLUMN disconnect_reason text;

ALTER TABLE run ADD COLUMN cancelled_at timestamptz;
ALTER TABLE run ADD COLUMN cancelled_by text;
ALTER TABLE run ADD COLUMN cancel_reason text;

ALTER TABLE unit ADD COLUMN part text DEFAULT '' NOT NULL;
ALTER TABLE unit ADD COLUMN services text[] DEFAULT '{}'::text[] NOT NULL;
ALTER TABLE unit ADD COLUMN calls jsonb DEFAULT '{}'::jsonb NOT NULL;
ALTER TABLE unit ADD CONSTRAINT unit_place_part_key UNIQUE (tenant_id, run_id, place, part);

ALTER TABLE evidence_span ADD COLUMN listed_digest text DEFAULT '' NOT NULL;
ALTER TABLE coverage_span ADD COLUMN rota integer DEFAULT 1 NOT NULL;
ALTER TABLE finding ADD COLUMN evidence_digest text DEFAULT '' NOT NULL;

CREATE TABLE join_state (
    tenant_id uuid NOT NULL,
    source_id uuid NOT NULL,
    resource_type text NOT NULL,
    inputs_digest text NOT NULL,
    evaluator text NOT NULL,
    PRIMARY KEY (tenant_id, source_id, resource_type),
    FOREIGN KEY(tenant_id, source_id) REFERENCES source (tenant_id, source_id)
);

CREATE TABLE exclusion (
    tenant_id uuid NOT NULL,
    source_id uuid NOT NULL,
    resource_id uuid NOT NULL,
    place text NOT NULL,
    reason text NOT NULL,
    scope_version integer NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_to timestamptz DEFAULT '9999-12-31 00:00:00+00'::timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, resource_id, valid_from),
    FOREIGN KEY(tenant_id, source_id) REFERENCES source (tenant_id, source_id),
    FOREIGN KEY(tenant_id, resource_id) REFERENCES resource (tenant_id, resource_id),
    CHECK (valid_to > valid_from)
);
CREATE UNIQUE INDEX exclusion_open ON exclusion (tenant_id, resource_id)
    WHERE valid_to = '9999-12-31 00:00:00+00'::timestamptz;

CREATE TABLE left_out (
    tenant_id uuid NOT NULL,
    kind text NOT NULL,
    native_id text NOT NULL,
    reason text NOT NULL,
    decided_by text NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_to timestamptz DEFAULT '9999-12-31 00:00:00+00'::timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, kind, native_id, valid_from),
    FOREIGN KEY(tenant_id) REFERENCES tenant (tenant_id),
    CHECK (kind IN ('aws', 'kubernetes')),
    CHECK (valid_to > valid_from)
);

CREATE TABLE preflight (
    tenant_id uuid NOT NULL,
    preflight_id uuid NOT NULL,
    source_id uuid NOT NULL,
    requested_at timestamptz NOT NULL,
    requested_by text NOT NULL,
    finished_at timestamptz,
    result jsonb,
    error text,
    PRIMARY KEY (tenant_id, preflight_id),
    FOREIGN KEY(tenant_id, source_id) REFERENCES source (tenant_id, source_id)
);
CREATE INDEX preflight_by_time ON preflight (tenant_id, source_id, requested_at);
"""

# Which words a column may hold: the constraints got their names from the database.
WORDS = (
    ("work", "work_queue_check", "queue IN ('collect', 'assess', 'notify', 'preflight', 'upkeep', 'checkpoint', 'export')"),
    ("run", "run_state_check", "state IN ('running', 'done', 'partial', 'cancelled')"),
    ("unit", "unit_state_check", "state IN ('due', 'leased', 'done', 'given_up', 'cancelled')"),
    ("finding", "finding_state_check", "state IN ('pass', 'fail', 'not_applicable', 'unknown', 'absent', 'excluded')"),
    (
        "finding_span",
        "finding_span_state_check",
        "state IN ('pass', 'fail', 'not_applicable', 'unknown', 'absent', 'excluded')",
    ),
)

POLICY = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON {table}
    USING      (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));
GRANT SELECT, INSERT, UPDATE ON {table} TO {app};
"""


def upgrade() -> None:
    """Add what is new, close the new tables, and allow the new words."""
    roles = context.config.attributes["roles"]
    op.execute(TABLES)
    op.execute("ALTER TABLE unit DROP CONSTRAINT unit_tenant_id_run_id_place_key")
    for table, constraint, rule in WORDS:
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {constraint}, ADD CONSTRAINT {constraint} CHECK ({rule})")
    for table in ("join_state", "exclusion", "left_out", "preflight"):
        op.execute(POLICY.format(table=table, app=roles.app))
