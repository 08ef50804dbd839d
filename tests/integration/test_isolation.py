from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from auditor.domain.scope import Scope
from auditor.store.database import Database, connect, engine
from auditor.store.identity import Identities
from auditor.store.memory import MemoryObjects
from auditor.store.schema import GLOBAL
from auditor.store.tenant_store import PostgresStore
from tests.fixtures.database import NOW, Provisioned
from tests.fixtures.world import a_source

OUTSIDE = GLOBAL | {"alembic_version"}


@pytest.fixture(scope="module")
def tenants(app_database: Database) -> tuple[UUID, UUID]:
    """Two organisations with a planned source each."""
    mine, theirs = uuid4(), uuid4()
    store, identities = PostgresStore(app_database, MemoryObjects()), Identities(app_database)
    for tenant in (mine, theirs):
        identities.add_tenant(tenant, slug=str(tenant), name="T", now=NOW)
        source = a_source(tenant)
        with store.open(tenant) as rows:
            rows.add_source(source, Scope(), regions=["eu-central-1"], every=86_400, now=NOW)
            rows.plan(source.id, slot=NOW, now=NOW, regions=["eu-central-1"])
    return mine, theirs


@pytest.fixture(scope="module")
def tables(provisioned: Provisioned) -> Iterator[frozenset[str]]:
    """Every table there is, as the catalog says: a new one cannot be forgotten."""
    pool = engine(provisioned.admin_url, connections=1)
    with pool.connect() as connection:
        yield frozenset(connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")))
    pool.dispose()


def count(database: Database, table: str, tenant: UUID | None) -> int:
    with database.plain() if tenant is None else database.under(tenant) as connection:
        return int(connection.scalar(text(f"SELECT count(*) FROM {table}")) or 0)


@pytest.mark.parametrize("table", ["source", "scope", "run", "unit", "work", "schedule"])
def test_each_tenant_sees_its_own_rows_and_nobody_sees_any_without_one(
    app_database: Database, tenants: tuple[UUID, UUID], table: str
) -> None:
    mine, theirs = tenants
    assert count(app_database, table, mine) > 0
    assert count(app_database, table, mine) == count(app_database, table, theirs)
    assert count(app_database, table, uuid4()) == 0
    assert count(app_database, table, None) == 0
    with app_database.under(mine) as connection:
        foreign = connection.scalar(text(f"SELECT count(*) FROM {table} WHERE tenant_id = :other"), {"other": theirs})
    assert foreign == 0


def test_a_pooled_connection_forgets_its_tenant_when_the_transaction_ends(
    provisioned: Provisioned, tenants: tuple[UUID, UUID]
) -> None:
    single = connect(provisioned.app_url, connections=1)
    try:
        with single.under(tenants[0]) as connection:
            first = connection.scalar(text("SELECT pg_backend_pid()"))
            assert connection.scalar(text("SELECT count(*) FROM source")) == 1
        with single.plain() as connection:
            assert connection.scalar(text("SELECT pg_backend_pid()")) == first
            assert connection.scalar(text("SELECT count(*) FROM source")) == 0
    finally:
        single.close()


def test_a_row_for_another_tenant_is_refused(app_database: Database, tenants: tuple[UUID, UUID]) -> None:
    mine, theirs = tenants
    insert = text("INSERT INTO work (tenant_id, queue, id, due_at) VALUES (:tenant, 'collect', :id, now())")
    with pytest.raises(ProgrammingError, match="row-level security"), app_database.under(mine) as connection:
        connection.execute(insert, {"tenant": theirs, "id": uuid4()})
    with app_database.under(mine) as connection:
        moved = connection.execute(text("UPDATE work SET due_at = now() WHERE tenant_id = :tenant"), {"tenant": theirs})
        assert moved.rowcount == 0


def test_every_table_is_closed_to_other_tenants_even_for_its_owner(
    provisioned: Provisioned, tables: frozenset[str]
) -> None:
    pool = engine(provisioned.admin_url, connections=1)
    with pool.connect() as connection:
        forced = connection.scalars(
            text("SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relrowsecurity AND relforcerowsecurity")
        ).all()
        policies = connection.execute(
            text(
                "SELECT tablename, roles::text[] AS roles, qual, with_check FROM pg_policies WHERE schemaname = 'public'"
            )
        ).all()
        keyed = connection.scalars(
            text(
                "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public'"
                " AND column_name = 'tenant_id' AND is_nullable = 'NO'"
            )
        ).all()
    pool.dispose()
    assert set(forced) == tables - OUTSIDE
    assert tables - OUTSIDE <= set(keyed)
    ours = {row.tablename for row in policies if row.roles == ["public"]}
    assert ours == tables - OUTSIDE
    assert all("app.tenant" in row.qual and row.qual == row.with_check for row in policies if row.roles == ["public"])
    wide = {(row.tablename, *row.roles) for row in policies if row.roles != ["public"]}
    roles = provisioned.roles
    assert wide == {
        ("work", roles.claims),
        ("schedule", roles.claims),
        ("membership", roles.owner),
        ("ledger_pending", roles.ledger),
        ("ledger_log", roles.ledger),
        ("sign_request", roles.ledger),
    }


def test_the_application_has_no_grant_on_what_belongs_to_nobody(
    provisioned: Provisioned, app_database: Database, tables: frozenset[str]
) -> None:
    for table in sorted(OUTSIDE & tables):
        with pytest.raises(ProgrammingError, match="permission denied"), app_database.plain() as connection:
            connection.execute(text(f"SELECT 1 FROM {table}"))


def test_history_cannot_be_deleted_by_the_application(app_database: Database, tenants: tuple[UUID, UUID]) -> None:
    for table in ("finding_span", "evidence", "evidence_span", "coverage_span", "user_action", "run", "scope"):
        with pytest.raises(ProgrammingError, match="permission denied"), app_database.under(tenants[0]) as connection:
            connection.execute(text(f"DELETE FROM {table}"))


def test_the_claims_role_sees_ids_and_times_of_all_and_nothing_else(
    claims_database: Database, tenants: tuple[UUID, UUID], tables: frozenset[str]
) -> None:
    with claims_database.plain() as connection:
        assert set(connection.scalars(text("SELECT DISTINCT tenant_id FROM work"))) == set(tenants)
    for table in sorted(tables - {"work", "schedule", "canary"}):
        with pytest.raises(ProgrammingError, match="permission denied"), claims_database.plain() as connection:
            connection.execute(text(f"SELECT 1 FROM {table}"))
    for statement in ("DELETE FROM work", "UPDATE work SET tenant_id = tenant_id", "UPDATE work SET due_at = due_at"):
        with pytest.raises(ProgrammingError, match="permission denied"), claims_database.plain() as connection:
            connection.execute(text(statement))


def test_no_role_of_ours_has_powers_or_is_a_member_of_anything(provisioned: Provisioned) -> None:
    roles = provisioned.roles
    names = list(roles.all)
    pool = engine(provisioned.admin_url, connections=1)
    with pool.connect() as connection:
        powers = connection.execute(
            text(
                "SELECT rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb AS any,"
                " oid IN (SELECT member FROM pg_auth_members) AS member FROM pg_roles WHERE rolname = ANY (:names)"
            ),
            {"names": names},
        ).all()
    pool.dispose()
    assert [tuple(row) for row in powers] == [(False, False)] * 4


def test_functions_over_identities_have_a_fixed_path_and_are_not_for_everybody(provisioned: Provisioned) -> None:
    pool = engine(provisioned.admin_url, connections=1)
    with pool.connect() as connection:
        functions = connection.execute(
            text(
                "SELECT proname, prosecdef, proconfig, has_function_privilege(:claims, oid, 'EXECUTE') AS claims,"
                " has_function_privilege(:app, oid, 'EXECUTE') AS app"
                " FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prolang <> 13 AND prosecdef"
            ),
            {"claims": provisioned.roles.claims, "app": provisioned.roles.app},
        ).all()
    pool.dispose()
    assert len(functions) > 10
    for function in functions:
        assert function.proconfig == ["search_path=public, pg_temp"], function.proname
        assert (function.app, function.claims) == (True, False), function.proname
