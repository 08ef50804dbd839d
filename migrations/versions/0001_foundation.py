"""The foundation: every table of the first release, its policies, and the few functions over what belongs to nobody.

Role names come from the provisioner. Tenant tables are closed by row-level security, forced upon their owner too; the global
ones are closed by having no grant at all.
"""

from __future__ import annotations

from alembic import context, op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE canary (
    queue text NOT NULL,
    heard_at timestamptz NOT NULL,
    PRIMARY KEY (queue)
);

CREATE TABLE evidence (
    tenant_id uuid NOT NULL,
    evidence_id uuid NOT NULL,
    digest text NOT NULL,
    address text NOT NULL,
    resource_type text NOT NULL,
    type_version integer NOT NULL,
    bytes integer NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, evidence_id),
    UNIQUE (tenant_id, digest)
);

CREATE TABLE identity (
    identity_id uuid NOT NULL,
    email text NOT NULL,
    name text NOT NULL,
    password_hash text NOT NULL,
    created_at timestamptz NOT NULL,
    disabled_at timestamptz,
    PRIMARY KEY (identity_id),
    UNIQUE (email)
);

CREATE TABLE outbox (
    tenant_id uuid NOT NULL,
    event_id uuid NOT NULL,
    type text NOT NULL,
    at timestamptz NOT NULL,
    data jsonb DEFAULT '{}'::jsonb NOT NULL,
    run_id uuid,
    PRIMARY KEY (tenant_id, event_id)
);
CREATE INDEX outbox_by_time ON outbox (tenant_id, at);

CREATE TABLE sign_in_failure (
    key text NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX sign_in_recent ON sign_in_failure (key, at);

CREATE TABLE tenant (
    tenant_id uuid NOT NULL,
    slug text NOT NULL,
    name text NOT NULL,
    demo boolean DEFAULT false NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id),
    UNIQUE (slug)
);

CREATE TABLE work (
    tenant_id uuid NOT NULL,
    queue text NOT NULL,
    id uuid NOT NULL,
    due_at timestamptz NOT NULL,
    lease_until timestamptz,
    fence bigint DEFAULT 0 NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    PRIMARY KEY (queue, id),
    CHECK (queue IN ('collect', 'assess', 'notify'))
) WITH (fillfactor = 70);
CREATE INDEX work_due ON work (queue, due_at);

CREATE TABLE api_token (
    token_hash text NOT NULL,
    tenant_id uuid NOT NULL,
    identity_id uuid NOT NULL,
    name text NOT NULL,
    created_at timestamptz NOT NULL,
    last_used_at timestamptz,
    expires_at timestamptz,
    revoked_at timestamptz,
    PRIMARY KEY (token_hash),
    FOREIGN KEY(identity_id) REFERENCES identity (identity_id),
    FOREIGN KEY(tenant_id) REFERENCES tenant (tenant_id)
);

CREATE TABLE membership (
    tenant_id uuid NOT NULL,
    identity_id uuid NOT NULL,
    role text NOT NULL,
    from_at timestamptz NOT NULL,
    to_at timestamptz,
    PRIMARY KEY (tenant_id, identity_id, from_at),
    FOREIGN KEY(tenant_id) REFERENCES tenant (tenant_id),
    FOREIGN KEY(identity_id) REFERENCES identity (identity_id),
    CHECK (to_at IS NULL OR to_at > from_at)
);

CREATE TABLE session (
    token_hash text NOT NULL,
    identity_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    PRIMARY KEY (token_hash),
    FOREIGN KEY(identity_id) REFERENCES identity (identity_id),
    FOREIGN KEY(tenant_id) REFERENCES tenant (tenant_id)
);

CREATE TABLE source (
    tenant_id uuid NOT NULL,
    source_id uuid NOT NULL,
    kind text NOT NULL,
    account text NOT NULL,
    name text NOT NULL,
    partition text DEFAULT 'aws' NOT NULL,
    role_arn text,
    external_id text,
    profile text,
    endpoint_url text,
    regions text[] NOT NULL,
    every_seconds integer NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, source_id),
    UNIQUE (tenant_id, kind, account),
    FOREIGN KEY(tenant_id) REFERENCES tenant (tenant_id)
);

CREATE TABLE user_action (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    data jsonb DEFAULT '{}'::jsonb NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY(tenant_id) REFERENCES tenant (tenant_id)
);
CREATE INDEX user_action_by_time ON user_action (tenant_id, at);

CREATE TABLE webhook (
    tenant_id uuid NOT NULL,
    webhook_id uuid NOT NULL,
    url text NOT NULL,
    secret_sealed bytea NOT NULL,
    previous_sealed bytea,
    previous_until timestamptz,
    created_at timestamptz NOT NULL,
    disabled_at timestamptz,
    disabled_reason text,
    created_by text NOT NULL,
    PRIMARY KEY (tenant_id, webhook_id),
    FOREIGN KEY(tenant_id) REFERENCES tenant (tenant_id),
    CHECK ((previous_sealed IS NULL) = (previous_until IS NULL))
);

CREATE TABLE coverage_span (
    tenant_id uuid NOT NULL,
    source_id uuid NOT NULL,
    place text NOT NULL,
    resource_type text NOT NULL,
    state text NOT NULL,
    detail text DEFAULT '' NOT NULL,
    action text DEFAULT '' NOT NULL,
    listed integer DEFAULT 0 NOT NULL,
    denied_details jsonb DEFAULT '[]'::jsonb NOT NULL,
    valid_from timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    valid_to timestamptz DEFAULT '9999-12-31 00:00:00+00'::timestamptz NOT NULL,
    run_id uuid NOT NULL,
    PRIMARY KEY (tenant_id, source_id, place, resource_type, valid_from),
    FOREIGN KEY(tenant_id, source_id) REFERENCES source (tenant_id, source_id),
    CHECK (valid_to >= last_at),
    CHECK (state IN ('ok', 'denied', 'throttled', 'error', 'unsupported'))
) WITH (fillfactor = 85);

CREATE TABLE daily_rollup (
    tenant_id uuid NOT NULL,
    day date NOT NULL,
    source_id uuid NOT NULL,
    check_id text NOT NULL,
    control_id text NOT NULL,
    state text NOT NULL,
    n integer NOT NULL,
    PRIMARY KEY (tenant_id, day, source_id, check_id, state),
    FOREIGN KEY(tenant_id, source_id) REFERENCES source (tenant_id, source_id)
);

CREATE TABLE delivery (
    tenant_id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    webhook_id uuid NOT NULL,
    event_id uuid NOT NULL,
    state text DEFAULT 'due' NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    next_attempt_at timestamptz,
    last_status integer,
    last_error text,
    delivered_at timestamptz,
    PRIMARY KEY (tenant_id, delivery_id),
    UNIQUE (tenant_id, webhook_id, event_id),
    FOREIGN KEY(tenant_id, webhook_id) REFERENCES webhook (tenant_id, webhook_id),
    FOREIGN KEY(tenant_id, event_id) REFERENCES outbox (tenant_id, event_id),
    CHECK (state IN ('due', 'delivered', 'failed'))
);

CREATE TABLE resource (
    tenant_id uuid NOT NULL,
    resource_id uuid NOT NULL,
    source_id uuid NOT NULL,
    type text NOT NULL,
    native_id text NOT NULL,
    region text NOT NULL,
    name text,
    PRIMARY KEY (tenant_id, resource_id),
    UNIQUE (tenant_id, source_id, type, native_id),
    FOREIGN KEY(tenant_id, source_id) REFERENCES source (tenant_id, source_id)
);

CREATE TABLE run (
    tenant_id uuid NOT NULL,
    run_id uuid NOT NULL,
    source_id uuid NOT NULL,
    slot timestamptz NOT NULL,
    scope_version integer NOT NULL,
    state text DEFAULT 'running' NOT NULL,
    baseline boolean DEFAULT false NOT NULL,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    counts jsonb DEFAULT '{}'::jsonb NOT NULL,
    units_left integer NOT NULL,
    fence bigint DEFAULT 0 NOT NULL,
    PRIMARY KEY (tenant_id, run_id),
    UNIQUE (tenant_id, source_id, slot),
    FOREIGN KEY(tenant_id, source_id) REFERENCES source (tenant_id, source_id),
    CHECK (state IN ('running', 'done', 'partial')),
    CHECK (units_left >= 0)
);
CREATE INDEX run_by_start ON run (tenant_id, source_id, started_at);

CREATE TABLE schedule (
    tenant_id uuid NOT NULL,
    source_id uuid NOT NULL,
    due_at timestamptz NOT NULL,
    every_seconds integer NOT NULL,
    lease_until timestamptz,
    PRIMARY KEY (tenant_id, source_id),
    FOREIGN KEY(tenant_id, source_id) REFERENCES source (tenant_id, source_id),
    CHECK (every_seconds > 0)
) WITH (fillfactor = 70);
CREATE INDEX schedule_due ON schedule (due_at);

CREATE TABLE scope (
    tenant_id uuid NOT NULL,
    source_id uuid NOT NULL,
    version integer NOT NULL,
    rule jsonb DEFAULT '{}'::jsonb NOT NULL,
    valid_from timestamptz NOT NULL,
    changed_by text NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (tenant_id, source_id, version),
    FOREIGN KEY(tenant_id, source_id) REFERENCES source (tenant_id, source_id)
);

CREATE TABLE delivery_attempt (
    tenant_id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    n integer NOT NULL,
    at timestamptz NOT NULL,
    status integer,
    error text,
    took_ms integer NOT NULL,
    response_head text DEFAULT '' NOT NULL,
    PRIMARY KEY (tenant_id, delivery_id, n),
    FOREIGN KEY(tenant_id, delivery_id) REFERENCES delivery (tenant_id, delivery_id)
);

CREATE TABLE evidence_span (
    tenant_id uuid NOT NULL,
    resource_id uuid NOT NULL,
    evidence_id uuid NOT NULL,
    place text NOT NULL,
    operations text[] NOT NULL,
    caller text NOT NULL,
    endpoint text NOT NULL,
    run_id uuid NOT NULL,
    valid_from timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    valid_to timestamptz DEFAULT '9999-12-31 00:00:00+00'::timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, resource_id, valid_from),
    FOREIGN KEY(tenant_id, resource_id) REFERENCES resource (tenant_id, resource_id),
    FOREIGN KEY(tenant_id, evidence_id) REFERENCES evidence (tenant_id, evidence_id),
    CHECK (valid_to > valid_from)
) WITH (fillfactor = 85);
CREATE UNIQUE INDEX evidence_span_open ON evidence_span (tenant_id, resource_id) WHERE valid_to = '9999-12-31 00:00:00+00'::timestamptz;

CREATE TABLE finding (
    tenant_id uuid NOT NULL,
    finding_id uuid NOT NULL,
    source_id uuid NOT NULL,
    check_id text NOT NULL,
    control_id text NOT NULL,
    resource_id uuid NOT NULL,
    resource_type text NOT NULL,
    region text NOT NULL,
    place text NOT NULL,
    state text NOT NULL,
    severity text NOT NULL,
    tier text NOT NULL,
    reason text NOT NULL,
    since timestamptz NOT NULL,
    turns_at timestamptz,
    span_seq integer NOT NULL,
    last_run_id uuid NOT NULL,
    document_digest text DEFAULT '' NOT NULL,
    judged_digest text DEFAULT '' NOT NULL,
    evaluator text NOT NULL,
    about_place boolean DEFAULT false NOT NULL,
    open boolean DEFAULT false NOT NULL,
    PRIMARY KEY (tenant_id, finding_id),
    UNIQUE (tenant_id, check_id, resource_id),
    FOREIGN KEY(tenant_id, source_id) REFERENCES source (tenant_id, source_id),
    FOREIGN KEY(tenant_id, resource_id) REFERENCES resource (tenant_id, resource_id),
    CHECK (state IN ('pass', 'fail', 'not_applicable', 'unknown', 'absent'))
) WITH (fillfactor = 85);
CREATE INDEX finding_by_place ON finding (tenant_id, source_id, place, resource_type);
CREATE INDEX finding_by_resource ON finding (tenant_id, resource_id);
CREATE INDEX finding_not_passing ON finding (tenant_id, check_id, resource_id) WHERE state <> 'pass';

CREATE TABLE unit (
    tenant_id uuid NOT NULL,
    unit_id uuid NOT NULL,
    run_id uuid NOT NULL,
    source_id uuid NOT NULL,
    place text NOT NULL,
    state text DEFAULT 'due' NOT NULL,
    fence bigint DEFAULT 0 NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    counts jsonb DEFAULT '{}'::jsonb NOT NULL,
    started_at timestamptz,
    finished_at timestamptz,
    reason text,
    PRIMARY KEY (tenant_id, unit_id),
    UNIQUE (tenant_id, run_id, place),
    FOREIGN KEY(tenant_id, run_id) REFERENCES run (tenant_id, run_id),
    CHECK (state IN ('due', 'leased', 'done', 'given_up'))
);

CREATE TABLE finding_span (
    tenant_id uuid NOT NULL,
    finding_id uuid NOT NULL,
    seq integer NOT NULL,
    state text NOT NULL,
    prev_state text,
    severity text NOT NULL,
    reason text NOT NULL,
    because text,
    observed jsonb,
    evidence_digest text,
    document_digest text,
    document_version integer,
    judged_digest text,
    published_digest text,
    evaluator text NOT NULL,
    cause text NOT NULL,
    run_id uuid NOT NULL,
    judged_as_of timestamptz,
    valid_from timestamptz NOT NULL,
    valid_to timestamptz DEFAULT '9999-12-31 00:00:00+00'::timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    closed_recorded_at timestamptz,
    opened_event uuid NOT NULL,
    closed_event uuid,
    PRIMARY KEY (tenant_id, finding_id, valid_from),
    UNIQUE (tenant_id, finding_id, seq),
    FOREIGN KEY(tenant_id, finding_id) REFERENCES finding (tenant_id, finding_id),
    CHECK (valid_to > valid_from),
    CHECK (state IN ('pass', 'fail', 'not_applicable', 'unknown', 'absent'))
);
CREATE INDEX finding_span_closed ON finding_span (tenant_id, valid_to) WHERE valid_to < '9999-12-31 00:00:00+00'::timestamptz;
CREATE INDEX finding_span_drift ON finding_span (tenant_id, valid_from, finding_id) INCLUDE (state, prev_state) WHERE prev_state IS NOT NULL OR state = 'fail';
"""

APPEND_ONLY = ("evidence", "scope", "delivery_attempt", "user_action")
KEPT = (
    "source", "resource", "run", "unit", "evidence_span", "coverage_span", "finding", "finding_span",
    "webhook", "outbox", "delivery", "membership",
)
PASSING = ("daily_rollup", "work", "schedule")

POLICY = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON {table}
    USING      (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));
"""

# The claims role sees ids and times of every tenant, and may move leases, nothing else.
CLAIMS = """
CREATE POLICY claimed ON work TO {claims} USING (true) WITH CHECK (true);
CREATE POLICY claimed ON schedule TO {claims} USING (true) WITH CHECK (true);
GRANT SELECT, UPDATE (lease_until, fence, attempts) ON work TO {claims};
GRANT SELECT, UPDATE (lease_until) ON schedule TO {claims};
GRANT SELECT, INSERT, UPDATE ON canary TO {claims};
"""

# Forced policies bind the owner too, and with it the functions below: only this one look across tenants is theirs.
SIGN_IN = """
CREATE POLICY sign_in ON membership FOR SELECT TO {owner} USING (true);
"""

FUNCTIONS = {
    "tenant_add(uuid, text, text, boolean, timestamptz)": """
CREATE FUNCTION tenant_add(new_id uuid, new_slug text, new_name text, is_demo boolean, now_at timestamptz) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO tenant (tenant_id, slug, name, demo, created_at) VALUES (new_id, new_slug, new_name, is_demo, now_at)
$$""",
    "tenant_by_slug(text)": """
CREATE FUNCTION tenant_by_slug(wanted text) RETURNS TABLE (tenant_id uuid, slug text, name text, demo boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT t.tenant_id, t.slug, t.name, t.demo FROM tenant t WHERE t.slug = wanted
$$""",
    "tenant_here()": """
CREATE FUNCTION tenant_here() RETURNS TABLE (tenant_id uuid, slug text, name text, demo boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT t.tenant_id, t.slug, t.name, t.demo FROM tenant t
    WHERE t.tenant_id = nullif(current_setting('app.tenant', true), '')::uuid
$$""",
    "identity_add(uuid, text, text, text, timestamptz)": """
CREATE FUNCTION identity_add(new_id uuid, new_email text, new_name text, new_hash text, now_at timestamptz) RETURNS uuid
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO identity (identity_id, email, name, password_hash, created_at)
    VALUES (new_id, lower(new_email), new_name, new_hash, now_at) ON CONFLICT (email) DO NOTHING;
    SELECT i.identity_id FROM identity i WHERE i.email = lower(new_email)
$$""",
    "identity_by_email(text)": """
CREATE FUNCTION identity_by_email(wanted text)
RETURNS TABLE (identity_id uuid, email text, name text, password_hash text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT i.identity_id, i.email, i.name, i.password_hash FROM identity i
    WHERE i.email = lower(wanted) AND i.disabled_at IS NULL
$$""",
    "identity_tenants(uuid, timestamptz)": """
CREATE FUNCTION identity_tenants(wanted uuid, as_of timestamptz)
RETURNS TABLE (tenant_id uuid, slug text, name text, demo boolean, role text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT t.tenant_id, t.slug, t.name, t.demo, m.role FROM membership m JOIN tenant t USING (tenant_id)
    WHERE m.identity_id = wanted AND m.from_at <= as_of AND (m.to_at IS NULL OR m.to_at > as_of) ORDER BY t.name
$$""",
    "identity_set_password(uuid, text)": """
CREATE FUNCTION identity_set_password(wanted uuid, new_hash text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE identity SET password_hash = new_hash WHERE identity_id = wanted
$$""",
    "session_open(text, uuid, uuid, timestamptz, timestamptz)": """
CREATE FUNCTION session_open(new_hash text, who uuid, whose uuid, now_at timestamptz, until_at timestamptz) RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH opened AS (
        INSERT INTO session (token_hash, identity_id, tenant_id, created_at, last_seen_at, expires_at)
        SELECT new_hash, who, whose, now_at, now_at, until_at
        WHERE EXISTS (SELECT FROM identity i WHERE i.identity_id = who AND i.disabled_at IS NULL)
          AND EXISTS (SELECT FROM membership m WHERE m.identity_id = who AND m.tenant_id = whose
                      AND m.from_at <= now_at AND (m.to_at IS NULL OR m.to_at > now_at))
        RETURNING 1)
    SELECT count(*)::integer FROM opened
$$""",
    "session_by_hash(text, timestamptz, double precision)": """
CREATE FUNCTION session_by_hash(wanted text, now_at timestamptz, idle_seconds double precision)
RETURNS TABLE (identity_id uuid, email text, name text, tenant_id uuid, slug text, tenant_name text, demo boolean,
               role text, created_at timestamptz, expires_at timestamptz)
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE session SET last_seen_at = now_at
    WHERE token_hash = wanted AND revoked_at IS NULL AND expires_at > now_at
      AND last_seen_at > now_at - make_interval(secs => idle_seconds)
      AND last_seen_at < now_at - interval '60 seconds';
    SELECT i.identity_id, i.email, i.name, t.tenant_id, t.slug, t.name, t.demo, m.role, s.created_at, s.expires_at
    FROM session s
    JOIN identity i ON i.identity_id = s.identity_id AND i.disabled_at IS NULL
    JOIN tenant t ON t.tenant_id = s.tenant_id
    JOIN membership m ON m.tenant_id = s.tenant_id AND m.identity_id = s.identity_id
        AND m.from_at <= now_at AND (m.to_at IS NULL OR m.to_at > now_at)
    WHERE s.token_hash = wanted AND s.revoked_at IS NULL AND s.expires_at > now_at
      AND s.last_seen_at > now_at - make_interval(secs => idle_seconds)
    ORDER BY m.from_at DESC LIMIT 1
$$""",
    "session_revoke(text, timestamptz)": """
CREATE FUNCTION session_revoke(wanted text, now_at timestamptz) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE session SET revoked_at = now_at WHERE token_hash = wanted AND revoked_at IS NULL
$$""",
    "sign_in_failed(text, timestamptz)": """
CREATE FUNCTION sign_in_failed(who text, now_at timestamptz) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DELETE FROM sign_in_failure WHERE at < now_at - interval '1 day';
    INSERT INTO sign_in_failure (key, at) VALUES (who, now_at)
$$""",
    "sign_in_failures(text, timestamptz)": """
CREATE FUNCTION sign_in_failures(who text, since_at timestamptz) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT count(*) FROM sign_in_failure WHERE key = who AND at > since_at
$$""",
    "sign_in_forgiven(text)": """
CREATE FUNCTION sign_in_forgiven(who text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DELETE FROM sign_in_failure WHERE key = who
$$""",
}


def upgrade() -> None:
    """Make the tables, close them, and grant each role the least it works with."""
    roles = context.config.attributes["roles"]
    op.execute(TABLES)
    for table in (*APPEND_ONLY, *KEPT, *PASSING):
        op.execute(POLICY.format(table=table))
    _grant("SELECT, INSERT", APPEND_ONLY, roles.app)
    _grant("SELECT, INSERT, UPDATE", KEPT, roles.app)
    _grant("SELECT, INSERT, UPDATE, DELETE", PASSING, roles.app)
    op.execute(CLAIMS.format(claims=roles.claims))
    op.execute(SIGN_IN.format(owner=roles.owner))
    for signature, body in FUNCTIONS.items():
        op.execute(body)
        op.execute(f"REVOKE ALL ON FUNCTION {signature} FROM PUBLIC; GRANT EXECUTE ON FUNCTION {signature} TO {roles.app}")


def _grant(rights: str, tables: tuple[str, ...], role: str) -> None:
    op.execute(f"GRANT {rights} ON {', '.join(tables)} TO {role}")
