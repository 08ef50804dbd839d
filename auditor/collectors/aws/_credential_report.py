"""The IAM credential report: one table of every password and key, made once for all users, up to four hours old."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, assert_never

from auditor.domain.reading import Reading, Seen, Unseen
from auditor.domain.resource_type import Read
from auditor.proof.canonical import instant

NO_MOMENT = frozenset({"", "N/A", "no_information", "not_supported"})
SLOTS = (1, 2)
COLUMNS = (
    "user",
    "arn",
    "password_enabled",
    "password_last_used",
    "password_last_changed",
    "mfa_active",
    *(f"access_key_{slot}_{column}" for slot in SLOTS for column in ("active", "last_rotated", "last_used_date")),
)
USES = ("password_last_used", *(f"access_key_{slot}_last_used_date" for slot in SLOTS))
"""The columns that move whenever somebody signs in."""


@dataclass(frozen=True, slots=True)
class AccessKey:
    """An active access key: since when its secret is in use."""

    slot: int
    rotated_at: Reading[datetime]


@dataclass(frozen=True, slots=True)
class Credential:
    """An enabled password or active key, and since when nobody used it; a fresh one counts from its making."""

    kind: str
    idle_since: Reading[datetime]


def report(**match: str) -> Read:
    """The read that picks one row of the report."""
    return Read(
        "iam:get_credential_report",
        prepare="iam:generate_credential_report",
        items="Rows",
        match=match,
        keep=COLUMNS,
    )


def row(rows: Reading[Any]) -> Reading[Mapping[str, str]]:
    """The one row; somebody younger than the report has none, and that says nothing about them."""
    match rows:
        case Seen(value):
            return Seen(value[0]) if value else Unseen("not in the credential report, which may be four hours old")
        case Unseen():
            return rows
        case _:
            assert_never(rows)


def last_used(line: Mapping[str, str]) -> datetime | None:
    """The latest use of the password or of a key; ``None`` if the report knows of none."""
    uses = (_moment(line.get(column)) for column in USES)
    return max((at for at in uses if at is not None), default=None)


def active_keys(line: Mapping[str, str]) -> tuple[AccessKey, ...]:
    """The keys that work."""
    return tuple(
        AccessKey(slot, _known(_moment(line.get(f"access_key_{slot}_last_rotated"))))
        for slot in SLOTS
        if _yes(line.get(f"access_key_{slot}_active"))
    )


def credentials(line: Mapping[str, str]) -> tuple[Credential, ...]:
    """Everything a user can sign in with, each with its last sign of life."""
    found = []
    if has_password(line):
        at = _moment(line.get("password_last_used")) or _moment(line.get("password_last_changed"))
        found.append(Credential("password", _known(at)))
    for key in active_keys(line):
        used = _moment(line.get(f"access_key_{key.slot}_last_used_date"))
        found.append(Credential(f"access key {key.slot}", key.rotated_at if used is None else Seen(used)))
    return tuple(found)


def has_password(line: Mapping[str, str]) -> bool:
    """Whether the console lets the user in with a password."""
    return _yes(line.get("password_enabled"))


def has_mfa(line: Mapping[str, str]) -> bool:
    """Whether a second factor is registered."""
    return _yes(line.get("mfa_active"))


def _yes(text: str | None) -> bool:
    return (text or "").lower() == "true"


def _moment(text: str | None) -> datetime | None:
    return None if text is None or text in NO_MOMENT else instant(text)


def _known(at: datetime | None) -> Reading[datetime]:
    return Unseen("the credential report gives no date") if at is None else Seen(at)
