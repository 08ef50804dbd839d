from __future__ import annotations

import uuid

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from auditor.domain.errors import ConfigurationError
from auditor.store import schema  # noqa: F401  (fills the metadata)
from auditor.store.columns import metadata
from auditor.store.database import engine
from auditor.store.provision import Roles, ensure_database, ensure_roles, migrate, role_url
from tests.fixtures.database import Provisioned, Server


def test_tables_are_as_the_code_believes_them(provisioned: Provisioned) -> None:
    pool = engine(provisioned.owner_url, connections=1)
    with pool.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = [each for each in compare_metadata(context, metadata) if "alembic_version" not in str(each)]
    pool.dispose()
    assert differences == []


def test_migrating_again_changes_nothing(provisioned: Provisioned) -> None:
    migrate(provisioned.owner_url, provisioned.roles)
    pool = engine(provisioned.owner_url, connections=1)
    with pool.connect() as connection:
        versions = connection.scalars(text("SELECT version_num FROM alembic_version")).all()
    pool.dispose()
    assert len(versions) == 1


def test_everything_belongs_to_an_owner_without_powers(provisioned: Provisioned) -> None:
    pool = engine(provisioned.owner_url, connections=1)
    with pool.connect() as connection:
        owners = connection.scalars(text("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'")).all()
        powers = connection.execute(
            text("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
        ).one()
    pool.dispose()
    assert owners == [provisioned.roles.owner]
    assert tuple(powers) == (False, False)


def test_another_role_than_the_owner_may_not_migrate(provisioned: Provisioned) -> None:
    with pytest.raises(ConfigurationError, match="migrations run as"):
        migrate(provisioned.app_url, provisioned.roles)


def test_a_fresh_database_has_no_tables_before_the_first_step(postgres_server: Server, template: Provisioned) -> None:
    name = f"auditor_test_{uuid.uuid4().hex}"
    ensure_database(postgres_server.admin_url, name, template.roles)
    try:
        pool = engine(postgres_server.url(template.roles.owner, name), connections=1)
        with pool.connect() as connection:
            before = connection.scalar(text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"))
        pool.dispose()
        migrate(postgres_server.url(template.roles.owner, name), template.roles)
        pool = engine(postgres_server.url(template.roles.owner, name), connections=1)
        with pool.connect() as connection:
            after = connection.scalar(text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"))
        pool.dispose()
    finally:
        postgres_server.run(f'DROP DATABASE "{name}" WITH (FORCE)')
    assert (before, after) == (0, len(metadata.tables) + 1)


def test_a_provisioner_need_not_be_superuser(postgres_server: Server) -> None:
    unique = uuid.uuid4().hex[:10]
    admin, name, roles = f"admin_{unique}", f"auditor_test_{unique}", Roles.named(f"t{unique}")
    names, password = roles.all, uuid.uuid4().hex
    postgres_server.run(f"CREATE ROLE {admin} LOGIN CREATEDB CREATEROLE PASSWORD '{password}'")
    url = role_url(postgres_server.admin_url, role=admin, password=password, database="postgres")
    try:
        ensure_roles(url, roles, dict.fromkeys(names, password))
        ensure_database(url, name, roles)
        migrate(role_url(url, role=roles.owner, password=password, database=name), roles)
    finally:
        postgres_server.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        postgres_server.run(*(f"DROP ROLE IF EXISTS {role}" for role in (*names, admin)))


def test_provisioning_twice_is_provisioning_once(template: Provisioned) -> None:
    ensure_roles(template.server.admin_url, template.roles)
    ensure_database(template.server.admin_url, template.name, template.roles)


def test_a_role_that_bypasses_the_policies_is_refused(postgres_server: Server) -> None:
    roles = Roles.named(f"t{uuid.uuid4().hex[:10]}")
    postgres_server.run(f'CREATE ROLE "{roles.app}" LOGIN BYPASSRLS')
    try:
        with pytest.raises(ConfigurationError, match="bypasses row-level security"):
            ensure_roles(postgres_server.admin_url, roles)
    finally:
        postgres_server.run(f'DROP ROLE "{roles.app}"', f'DROP ROLE IF EXISTS "{roles.owner}"')


@pytest.mark.parametrize("name", ["Auditor", "app; DROP", "1st", "a-b", ""])
def test_a_name_that_would_need_quoting_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="no role name"):
        Roles(app=name)
