"""Who may do what: denied unless granted, and every view says what it needs."""

from __future__ import annotations

from typing import get_args
from uuid import uuid4

import pytest
from argon2 import PasswordHasher

from auditor.trust.access import GRANTED, Permission, Role, granted, needs, permission_of, refuse_unmarked
from auditor.trust.passwords import Passwords
from auditor.trust.principals import principal

CHEAP = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


def view() -> str:
    return "seen"


def test_every_role_has_its_permissions_written_down() -> None:
    assert set(GRANTED) == set(get_args(Role))


def test_an_unknown_role_may_nothing() -> None:
    assert granted("root") == frozenset()
    assert not principal(uuid4(), uuid4(), "root").may("posture:read")


def test_an_auditor_reads_and_changes_nothing() -> None:
    auditor = principal(uuid4(), uuid4(), "auditor")
    assert auditor.may("findings:read")
    assert not any(permission.endswith(":manage") for permission in auditor.permissions)


def test_only_an_owner_manages_people() -> None:
    assert [role for role, permissions in GRANTED.items() if "people:manage" in permissions] == ["owner"]


def test_no_role_is_granted_a_permission_that_does_not_exist() -> None:
    assert frozenset().union(*GRANTED.values()) <= set(get_args(Permission))


def test_nobody_is_granted_public_because_public_asks_nobody() -> None:
    assert all("public" not in permissions for permissions in GRANTED.values())


def test_a_view_keeps_its_mark_and_its_work() -> None:
    def another() -> str:
        return "seen"

    marked = needs("coverage:read")(another)
    assert (permission_of(marked), marked()) == ("coverage:read", "seen")


def test_an_application_with_a_forgotten_view_does_not_start() -> None:
    with pytest.raises(RuntimeError, match="forgotten_one"):
        refuse_unmarked({"forgotten_one": view, "marked": needs("public")(lambda: "seen")})


def test_a_password_opens_its_own_hash_only() -> None:
    stored = CHEAP.hash("correct horse battery")
    assert stored.startswith("$argon2id$")
    assert CHEAP.verify(stored, "correct horse battery")
    assert not CHEAP.verify(stored, "correct horse batterz")


def test_nobody_can_sign_in_as_nobody() -> None:
    assert not CHEAP.verify(None, "nobody signs in with this")
    assert not CHEAP.verify("not a hash", "anything at all")


@pytest.mark.parametrize("password", ["short", "x" * 1025])
def test_passwords_of_absurd_length_are_refused(password: str) -> None:
    with pytest.raises(ValueError, match="12 to 1024"):
        CHEAP.hash(password)
    assert not CHEAP.verify(None, password)
