from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from auditor.domain.errors import TenancyError
from auditor.store.database import Database
from auditor.store.identity import Identities
from auditor.store.memory import MemoryObjects
from auditor.store.tenant_store import PostgresStore
from tests.fixtures.database import NOW

HOUR = timedelta(hours=1)


@pytest.fixture
def identities(app_database: Database) -> Identities:
    return Identities(app_database)


@pytest.fixture
def store(app_database: Database) -> PostgresStore:
    return PostgresStore(app_database, MemoryObjects())


def organisation(identities: Identities, *, demo: bool = False) -> UUID:
    tenant = uuid4()
    identities.add_tenant(tenant, slug=f"org-{tenant}", name="Clinic", demo=demo, now=NOW)
    return tenant


def somebody(identities: Identities) -> tuple[UUID, str]:
    email = f"Sam.{uuid4().hex[:8]}@Example.com"
    return identities.add_user(uuid4(), email=email, name="Sam", password_hash="$argon2id$x", now=NOW), email


def test_a_person_is_found_by_mail_in_any_spelling(identities: Identities) -> None:
    id_, email = somebody(identities)
    found = identities.person(email.upper())
    assert found is not None
    assert (found.id, found.email, found.password_hash) == (id_, email.lower(), "$argon2id$x")
    assert identities.person("nobody@example.com") is None


def test_a_known_mail_keeps_its_password(identities: Identities) -> None:
    id_, email = somebody(identities)
    assert identities.add_user(uuid4(), email=email, name="Other", password_hash="planted", now=NOW) == id_
    found = identities.person(email)
    assert found is not None
    assert (found.name, found.password_hash) == ("Sam", "$argon2id$x")
    identities.set_password(id_, "$argon2id$y")
    changed = identities.person(email)
    assert changed is not None
    assert changed.password_hash == "$argon2id$y"


def test_a_slug_is_taken_once(identities: Identities) -> None:
    tenant = organisation(identities, demo=True)
    found = identities.tenant(f"org-{tenant}")
    assert found is not None
    assert (found.id, found.demo) == (tenant, True)
    with pytest.raises(TenancyError):
        identities.add_tenant(uuid4(), slug=f"org-{tenant}", name="Other", now=NOW)


def test_a_session_names_person_tenant_and_role(identities: Identities, store: PostgresStore) -> None:
    tenant, (id_, email) = organisation(identities), somebody(identities)
    with pytest.raises(TenancyError, match="no membership"):
        identities.open_session("0" * 64, identity=id_, tenant=tenant, now=NOW, expires_at=NOW + 12 * HOUR)
    with store.open(tenant) as rows:
        rows.add_member(id_, "officer", now=NOW)
    token = uuid4().hex
    identities.open_session(token, identity=id_, tenant=tenant, now=NOW, expires_at=NOW + 12 * HOUR)
    session = identities.session(token, now=NOW + HOUR / 2, idle_for=3_600)
    assert session is not None
    assert (session.identity, session.email, session.tenant.id, session.role) == (id_, email.lower(), tenant, "officer")
    assert [(t.id, role) for t, role in identities.tenants_of(id_, now=NOW)] == [(tenant, "officer")]


def test_a_session_ends_by_idling_by_age_by_revocation_and_with_the_role(
    identities: Identities, store: PostgresStore
) -> None:
    tenant, (id_, _) = organisation(identities), somebody(identities)
    with store.open(tenant) as rows:
        rows.add_member(id_, "viewer", now=NOW)

    def fresh() -> str:
        token = uuid4().hex
        identities.open_session(token, identity=id_, tenant=tenant, now=NOW, expires_at=NOW + 3 * HOUR)
        return token

    idle = fresh()
    assert identities.session(idle, now=NOW + HOUR, idle_for=3_600) is None
    busy = fresh()
    for minutes in (50, 100, 150):
        assert identities.session(busy, now=NOW + timedelta(minutes=minutes), idle_for=3_600) is not None
    assert identities.session(busy, now=NOW + 3 * HOUR, idle_for=3_600) is None
    revoked = fresh()
    identities.revoke_session(revoked, now=NOW)
    assert identities.session(revoked, now=NOW, idle_for=3_600) is None
    last = fresh()
    with store.open(tenant) as rows:
        rows.end_membership(id_, now=NOW + timedelta(minutes=5))
    assert identities.session(last, now=NOW + timedelta(minutes=4), idle_for=3_600) is not None
    assert identities.session(last, now=NOW + timedelta(minutes=5), idle_for=3_600) is None


def test_a_new_role_replaces_the_old_one_from_then_on(identities: Identities, store: PostgresStore) -> None:
    tenant, (id_, _) = organisation(identities), somebody(identities)
    for hours, role in enumerate(("viewer", "officer")):
        with store.open(tenant) as rows:
            rows.add_member(id_, role, now=NOW + hours * HOUR)
    assert [role for _, role in identities.tenants_of(id_, now=NOW)] == ["viewer"]
    assert [role for _, role in identities.tenants_of(id_, now=NOW + HOUR)] == ["officer"]


def test_failures_are_counted_by_key_and_forgiven(identities: Identities) -> None:
    key = f"ip:{uuid4()}"
    for minutes in (0, 1, 20):
        identities.note_failure(key, now=NOW + timedelta(minutes=minutes))
    assert identities.failures(key, since=NOW + timedelta(minutes=5)) == 1
    assert identities.failures(key, since=NOW - HOUR) == 3
    assert identities.failures("ip:other", since=NOW - HOUR) == 0
    identities.forgive(key)
    assert identities.failures(key, since=NOW - HOUR) == 0
