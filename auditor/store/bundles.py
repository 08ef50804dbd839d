"""Bundles in the books: asked for as a row, built by a worker, signed by whoever holds the key, and who took them away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Row, text

from auditor.domain.bundle import Asked, Bundle, SealRequest, Signed, Taken
from auditor.domain.errors import ExportError, StaleFenceError, TenancyError
from auditor.domain.ports import Claim
from auditor.proof.canonical import digest
from auditor.proof.expression import LANGUAGE
from auditor.store import schema
from auditor.store.database import Database
from auditor.store.noting import LedgerRows

_KEEP = """
INSERT INTO document (tenant_id, digest, evidence_digest, sealed, kept_at)
SELECT :tenant, r.digest, r.evidence, r.sealed, :now
FROM unnest(CAST(:digests AS text[]), CAST(:evidence AS text[]), CAST(:sealed AS bytea[])) AS r (digest, evidence, sealed)
ON CONFLICT DO NOTHING
"""
# A bundle is whole as long as each of its parts has a key: one that was put anew since counts.
_TOLD = """
b.*, ARRAY(SELECT p.digest FROM bundle_part p WHERE p.bundle_id = b.bundle_id ORDER BY p.number) AS parts, (
    SELECT max(k.destroyed_at) FROM bundle_part p JOIN object_key k ON k.digest = p.digest
    WHERE p.bundle_id = b.bundle_id AND NOT EXISTS (
        SELECT 1 FROM object_key l WHERE l.digest = p.digest AND l.destroyed_at IS NULL
    )
) AS purged_at
"""
_CLAIMED = f"""
SELECT {_TOLD} FROM work w JOIN bundle b ON b.tenant_id = w.tenant_id AND b.bundle_id = w.id
WHERE w.queue = 'export' AND w.id = :id AND w.fence = :fence AND w.lease_until IS NOT NULL FOR UPDATE OF w
"""  # noqa: S608  (one part of our own text in another)
_STEP = """
UPDATE bundle SET state = :state, step = :step, progress = :progress, head_size = coalesce(head_size, :size)
WHERE bundle_id = :id AND state <> 'done'
"""
_DONE = """
UPDATE bundle SET state = 'done', step = '', progress = 100, digest = :digest, bytes = :bytes,
    finished_at = :now, error = NULL
WHERE bundle_id = :id
"""
_LIVING = "SELECT count(DISTINCT digest) FROM object_key WHERE digest = ANY (:parts) AND destroyed_at IS NULL"
_FAILED = (
    "UPDATE bundle SET state = 'failed', error = :error, finished_at = :now WHERE bundle_id = :id AND state <> 'done'"
)
_LATER = "UPDATE work SET due_at = :at, lease_until = NULL WHERE queue = 'export' AND id = :id"
_NEWEST = f"SELECT {_TOLD} FROM bundle b ORDER BY asked_at DESC, bundle_id LIMIT :limit"  # noqa: S608  (likewise)
_ONE = f"SELECT {_TOLD} FROM bundle b WHERE bundle_id = :id"  # noqa: S608  (likewise)
_TAKEN = "SELECT bundle_id, at, taken_by FROM bundle_taken WHERE bundle_id = ANY (:ids) ORDER BY at, taken_id"
_WAITING = """
SELECT tenant_id, bundle_id, sha256, sha512, head_size, period_from, period_to FROM sign_request
WHERE answered_at IS NULL ORDER BY asked_at, bundle_id LIMIT 100
"""
_ORIGIN = """
SELECT l.origin FROM ledger_log l JOIN ledger_checkpoint c ON c.tenant_id = l.tenant_id WHERE c.size = :size
"""
_ANSWER = """
UPDATE sign_request SET answered_at = :now, note = :note, sshsig = :ssh, verifier_key = :key, retired = :retired, refused = :refused
WHERE bundle_id = :bundle AND sha256 = :sha256 AND answered_at IS NULL
"""


class BundleRows(LedgerRows):
    """Bundles, the definitions they tell, and their signatures."""

    def keep_definitions(
        self, definitions: Iterable[tuple[str, str, str, Mapping[str, Any]]], *, now: datetime
    ) -> None:
        """Keep definitions that this tenant has not met: check, judged digest, published digest, and the whole of it."""
        rows = [
            {
                "check_id": check,
                "judged_digest": judged,
                "published_digest": published,
                "language": LANGUAGE,
                "body": dict(body),
                "first_seen_at": now,
            }
            for check, judged, published, body in definitions
        ]
        self._insert(schema.definition, rows, "ON CONFLICT DO NOTHING")

    def keep_documents(self, documents: Mapping[tuple[str, str], bytes], *, now: datetime) -> None:
        """Keep what spans began with, sealed under its evidence's key; a later release may read that evidence otherwise.

        Raises:
            EvidenceError: The evidence was erased meanwhile.
        """
        if documents:
            names, evidence = zip(*documents, strict=True)
            sealed = self._objects.seal_beside(self._tenant, evidence, list(documents.values()))
            self._run(_KEEP, digests=list(names), evidence=list(evidence), sealed=sealed, now=now)

    def ask_bundle(
        self,
        id: UUID,  # noqa: A002  (the word people use)
        asked: Asked,
        *,
        by: str,
        now: datetime,
        lease_until: datetime | None = None,
    ) -> None:
        """Ask for a bundle; a worker takes it from the queue, unless whoever asks has it leased until then."""
        row = {"bundle_id": id, "asked_at": now, "asked_by": by, "asked": asked.as_json()}
        self._insert(schema.bundle, [row])
        due = {"queue": "export", "id": id, "due_at": now, "attempts": 0, "fence": 0, "lease_until": None}
        held = {"fence": 1, "lease_until": lease_until} if lease_until else {}
        self._insert(schema.work, [due | held])
        self.act(by, "bundle.ask", str(id), asked.as_json(), now=now)

    def claimed_bundle(self, claim: Claim) -> Bundle:
        """The bundle of a claim, its work locked.

        Raises:
            StaleFenceError: Somebody else has it, or it is done.
        """
        row = self._one(_CLAIMED, id=claim.id, fence=claim.fence)
        if row is None:
            raise StaleFenceError(f"bundle {claim.id} is no longer held under fence {claim.fence}")
        return _bundle(row, ())

    def note_step(self, id: UUID, state: str, step: str, progress: int, *, head_size: int | None = None) -> None:  # noqa: A002
        """Say how far it is; the head it reaches to is said once and stays."""
        self._run(_STEP, id=id, state=state, step=step, progress=progress, size=head_size)

    def ask_seal(self, request: SealRequest, *, now: datetime) -> None:
        """Ask for a signature over a manifest; asking again asks once."""
        row = {
            "bundle_id": request.bundle,
            "asked_at": now,
            "sha256": request.sha256,
            "sha512": request.sha512,
            "head_size": request.head_size,
            "period_from": request.period[0],
            "period_to": request.period[1],
        }
        self._insert(schema.sign_request, [row], "ON CONFLICT DO NOTHING")

    def seal(self, id: UUID, sha256: str) -> Signed | None:  # noqa: A002
        """The signature, once it was given.

        Raises:
            ExportError: It was refused.
        """
        row = self._one("SELECT * FROM sign_request WHERE bundle_id = :id AND sha256 = :sha256", id=id, sha256=sha256)
        if row is None or row.answered_at is None:
            return None
        if row.refused is not None:
            raise ExportError(f"the seal was refused: {row.refused}")
        return Signed(row.note, row.sshsig, row.verifier_key, tuple(row.retired))

    def export_later(self, claim: Claim, *, at: datetime) -> None:
        """Give the lease back until then. Raises ``StaleFenceError`` if it is not ours."""
        self.claimed_bundle(claim)
        self._run(_LATER, id=claim.id, at=at)

    def hold_export(self, claim: Claim, *, until: datetime) -> None:
        """Take a lease back that was given up a moment ago. Raises ``StaleFenceError`` if somebody else has it by now."""
        held = self._run(
            "UPDATE work SET lease_until = :until WHERE queue = 'export' AND id = :id AND fence = :fence",
            until=until,
            id=claim.id,
            fence=claim.fence,
        )
        if held.rowcount != 1:
            raise StaleFenceError(f"bundle {claim.id} is no longer held under fence {claim.fence}")

    def finish_bundle(self, claim: Claim, *, identity: str, size: int, parts: Sequence[str], now: datetime) -> None:
        """The bundle is there; from now on it stays as it is, and the ledger knows its identity.

        Raises:
            StaleFenceError: Somebody else has finished it meanwhile.
            ExportError: A part that lay there already was purged meanwhile: putting it again mends that.
        """
        self._lock("retention")
        told = self.claimed_bundle(claim)
        if self._run(_LIVING, parts=list(parts)).scalar_one() != len(set(parts)):
            raise ExportError("a part of the bundle was purged while it was packed", advice="A worker packs it again")
        self._run(_DONE, id=claim.id, digest=identity, bytes=size, now=now)
        rows = [{"bundle_id": claim.id, "number": number, "digest": digest} for number, digest in enumerate(parts)]
        self._insert(schema.bundle_part, rows)
        self._run("DELETE FROM work WHERE queue = 'export' AND id = :id", id=claim.id)
        said = digest({"bundle": str(claim.id), "manifest": identity, "asked": told.asked.as_json()})
        self.note("bundle.export", str(claim.id), said, at=now, event=claim.id)

    def fail_bundle(self, claim: Claim, error: str, *, now: datetime) -> None:
        """There will be no bundle, and why."""
        self.claimed_bundle(claim)
        self._run(_FAILED, id=claim.id, error=error, now=now)
        self._run("DELETE FROM work WHERE queue = 'export' AND id = :id", id=claim.id)

    def bundles(self, *, limit: int = 200) -> tuple[Bundle, ...]:
        """Every bundle asked for, the newest first, with who took it."""
        rows = self._run(_NEWEST, limit=limit).all()
        taken: dict[UUID, list[Taken]] = {}
        for row in self._run(_TAKEN, ids=[row.bundle_id for row in rows]):
            taken.setdefault(row.bundle_id, []).append(Taken(row.at, row.taken_by))
        return tuple(_bundle(row, tuple(taken.get(row.bundle_id, ()))) for row in rows)

    def bundle(self, id: UUID) -> Bundle:  # noqa: A002
        """One of them. Raises ``TenancyError`` if there is none of that id here."""
        row = self._one(_ONE, id=id)
        if row is None:
            raise TenancyError(f"no bundle {id}")
        return _bundle(row, tuple(Taken(one.at, one.taken_by) for one in self._run(_TAKEN, ids=[id])))

    def take_bundle(self, id: UUID, *, by: str, now: datetime) -> Bundle:  # noqa: A002
        """Write down that somebody takes it, before they do.

        Raises:
            TenancyError: There is none of that id here, it is not done, or it was purged.
        """
        told = self.bundle(id)
        if told.state != "done":
            raise TenancyError(f"bundle {id} is not done")
        if told.purged_at is not None:
            raise TenancyError(f"bundle {id} was purged on {told.purged_at:%Y-%m-%d}")
        self._insert(schema.bundle_taken, [{"taken_id": uuid4(), "bundle_id": id, "at": now, "taken_by": by}])
        self.act(by, "bundle.take", str(id), {"digest": told.digest}, now=now)
        return told


class PostgresSeals:
    """``pipeline.export.Seals`` over the ledger's role: what waits to be signed, of every tenant."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def waiting(self) -> tuple[SealRequest, ...]:
        """What was not answered yet, oldest first."""
        with self._database.plain() as connection:
            rows = connection.execute(text(_WAITING)).all()
        return tuple(
            SealRequest(
                row.tenant_id, row.bundle_id, row.sha256, row.sha512, row.head_size, (row.period_from, row.period_to)
            )
            for row in rows
        )

    def origin(self, request: SealRequest) -> str | None:
        """The name of the log, if a head of that size was signed; none if not."""
        with self._database.under(request.tenant) as connection:
            found = connection.execute(text(_ORIGIN), {"size": request.head_size}).scalar_one_or_none()
        return None if found is None else str(found)

    def answer(self, request: SealRequest, signed: Signed | None, *, refused: str | None, now: datetime) -> None:
        """Keep the signature, or why there is none; the first answer stays."""
        values = {
            "now": now,
            "note": signed and signed.note,
            "ssh": signed and signed.ssh,
            "key": signed and signed.key,
            "retired": list(signed.retired) if signed else [],
            "refused": refused,
            "bundle": request.bundle,
            "sha256": request.sha256,
        }
        with self._database.under(request.tenant) as connection:
            connection.execute(text(_ANSWER), values)


def _bundle(row: Row[Any], taken: tuple[Taken, ...]) -> Bundle:
    return Bundle(
        row.bundle_id,
        Asked.of_json(row.asked),
        row.asked_at,
        row.asked_by,
        row.state,
        row.step,
        row.progress,
        row.head_size,
        row.digest,
        row.bytes,
        row.finished_at,
        row.error,
        tuple(row.parts),
        row.purged_at,
        taken,
    )
