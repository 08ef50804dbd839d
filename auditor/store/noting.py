"""Noting: what happens is written down for the ledger in the transaction in which it happens, and appended afterwards.

An entry names nobody: people stand in it under a pseudonym that a salt protects, contents as a salted commitment.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from auditor.domain.source import public_id
from auditor.proof.canonical import digest
from auditor.proof.entry import SALT_BYTES, Entry, commitment, make
from auditor.store import schema
from auditor.store.facts import action_digest
from auditor.store.scoped import Scoped

SYSTEM = "system"
"""Who acts when nobody does."""
_OURSELVES = frozenset({"auditor", "system"})
_ACTORS = "actors"
_PENDING = """
INSERT INTO ledger_pending (tenant_id, entry, event_id, created_at)
SELECT :tenant, r.entry, r.event, r.at FROM unnest(CAST(:entries AS bytea[]), CAST(:events AS uuid[]), CAST(:ats AS timestamptz[]))
    WITH ORDINALITY AS r (entry, event, at, n) ORDER BY r.n
"""
_SALT = """
INSERT INTO ledger_salt (tenant_id, subject, salt)
SELECT :tenant, r.subject, r.salt FROM unnest(CAST(:subjects AS text[]), CAST(:salts AS bytea[])) AS r (subject, salt)
ORDER BY r.subject
ON CONFLICT DO NOTHING RETURNING subject, salt
"""
_BY_ACTION = {
    "scope": "config.change",
    "source": "config.change",
    "webhook": "config.change",
    "inventory": "config.change",
    "bundle": "bundle.export",
    "evidence": "erasure",
}


@dataclass(frozen=True, slots=True)
class Note:
    """Something to be noted. ``event`` is its natural key, if it has one: the ledger has each event once.

    Without a ``salt`` one is made and kept under the subject, and a subject that has one already is not noted again.
    """

    type: str
    subject: str
    digest: str
    at: datetime
    actor: str = SYSTEM
    salt: bytes | None = None
    event: UUID | None = None


class LedgerRows(Scoped):
    """What the ledger is to hold."""

    def note(
        self,
        type: str,  # noqa: A002  (the entry's own word)
        subject: str,
        payload_digest: str,
        *,
        at: datetime,
        actor: str = SYSTEM,
        salt: bytes | None = None,
        event: UUID | None = None,
    ) -> None:
        """Note one thing; it is appended if and only if this transaction commits.

        Raises:
            EntryError: An unknown type, an id that is not one, a digest that is none.
        """
        self.note_all([Note(type, subject, payload_digest, at, actor, salt, event)])

    def note_all(self, notes: Sequence[Note]) -> None:
        """Note many things in their order, with two statements. Raises as ``note`` does."""
        if not notes:
            return
        salts = self._salted([one.subject for one in notes if one.salt is None])
        kept: list[tuple[bytes, UUID | None, datetime]] = []
        for one in notes:
            salt = one.salt if one.salt is not None else salts.pop(one.subject, None)
            if salt is not None:
                entry = Entry(one.type, one.at, one.actor, one.subject, commitment(salt, one.digest))
                kept.append((make(entry), one.event, one.at))
        if kept:
            entries, events, ats = zip(*kept, strict=True)
            self._run(_PENDING, entries=list(entries), events=list(events), ats=list(ats))

    def note_definitions(self, judged: Iterable[tuple[str, str, str]], *, at: datetime) -> None:
        """Note each definition that this tenant is judged by for the first time: check, judged and published digest.

        Its salt follows from its name, since a definition is no secret: two who judge by it first write the same entry.
        """
        subjects = {f"{one[0]}@{one[2]}": one for one in judged}
        events = {public_id(self._tenant, "control.version", subject): subject for subject in subjects}
        if events:
            known = "SELECT event_id FROM ledger_entry WHERE event_id = ANY (:events)"
            for event in self._run(known, events=list(events)).scalars():
                del events[event]
        notes = []
        for event, subject in events.items():
            said = dict(zip(("check", "judged_digest", "published_digest"), subjects[subject], strict=True))
            notes.append(Note("control.version", subject, digest(said), at, salt=event.bytes, event=event))
        self.note_all(notes)

    def act(self, by: str, action: str, subject: str, data: Mapping[str, Any] | None = None, *, now: datetime) -> None:
        """Write down what somebody did, and note it; nothing takes it away again."""
        id_ = uuid4()
        row = {"id": id_, "at": now, "actor": by, "action": action, "subject": subject, "data": dict(data or {})}
        self._insert(schema.user_action, [row])
        self.note(entry_type(action), str(id_), action_digest(row), at=now, actor=self._pseudonym(by), event=id_)

    def heartbeat(self, *, now: datetime) -> None:
        """Note that nothing else need have happened: once an hour, whoever asks and however often."""
        hour = now.replace(minute=0, second=0, microsecond=0)
        id_ = public_id(self._tenant, "heartbeat", hour.isoformat())
        self.note("heartbeat", str(id_), hashlib.sha256(b"").hexdigest(), at=now, event=id_)

    def _salted(self, subjects: Sequence[str]) -> dict[str, bytes]:
        """New salts, kept, of those subjects that had none."""
        if not subjects:
            return {}
        once = list(dict.fromkeys(subjects))
        random = secrets.token_bytes(SALT_BYTES * len(once))
        salts = [random[at : at + SALT_BYTES] for at in range(0, len(random), SALT_BYTES)]
        return {row.subject: bytes(row.salt) for row in self._run(_SALT, subjects=once, salts=salts)}

    def _pseudonym(self, by: str) -> str:
        """Who acts, as an entry may say it: an id as it is, a name only under the tenant's salt."""
        if by in _OURSELVES:
            return SYSTEM
        try:
            return str(UUID(by))
        except ValueError:
            pass
        self._salted([_ACTORS])
        salt = bytes(self._run("SELECT salt FROM ledger_salt WHERE subject = :one", one=_ACTORS).scalar_one())
        return f"p-{hashlib.sha256(salt + by.encode()).hexdigest()[:32]}"


def entry_type(action: str) -> str:
    """The type of entry under which an act stands."""
    return _BY_ACTION.get(action.partition(".")[0], "user.action")
