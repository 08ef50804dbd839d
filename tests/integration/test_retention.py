"""How long evidence is kept, on real PostgreSQL: what may go, what may not, and that what is erased cannot be read."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from auditor.domain.bundle import Asked, Bundle
from auditor.domain.control import Library
from auditor.domain.errors import EvidenceError, ExportError, LockedError, TenancyError
from auditor.domain.finding import FOREVER
from auditor.domain.ports import Claim
from auditor.domain.retention import SIX_YEARS, Hold, Lock
from auditor.exports.issuing import Issuing
from auditor.pipeline.retention import Erasure, purge, seal, shred, shred_tenant, uphold
from auditor.proof.canonical import canonical
from auditor.store import schema
from auditor.store.database import Database
from auditor.store.identity import Identities
from auditor.store.keys import PostgresKeys
from auditor.store.objects.blobs import packed
from auditor.store.objects.local import LocalBlobs
from auditor.store.objects.vault import Vault, address_before
from auditor.store.tenant_store import PostgresStore
from auditor.trust.encryption import AesGcm, Keyring, LocalRoot

AT = datetime(2030, 1, 2, tzinfo=UTC)
DAY = timedelta(days=1)
YEAR = 365 * DAY
ROOT = bytes(range(32))


@dataclass
class World:
    """A tenant with one source; resources answer with contents over spans that the test names."""

    database: Database
    folder: Path
    locks: bool
    tenant: UUID = field(default_factory=uuid4)
    source: UUID = field(default_factory=uuid4)
    now: datetime = AT

    def __post_init__(self) -> None:
        Identities(self.database).add_tenant(self.tenant, slug=str(self.tenant), name="T", now=AT)
        self.blobs = LocalBlobs(self.folder, locks=self.locks)
        self.keys = PostgresKeys(self.database, [LocalRoot(ROOT)], AesGcm(), lambda: self.now)
        self.vault = Vault(self.blobs, self.keys, AesGcm(), clock=lambda: self.now, period=SIX_YEARS)
        self.store = PostgresStore(self.database, self.vault)
        told: dict[str, Any] = {
            "kind": "aws",
            "account": "1",
            "name": "one",
            "partition": "aws",
            "regions": [],
            "every_seconds": 60,
        }
        self._insert(schema.source, source_id=self.source, created_at=AT, **told)

    def seen(
        self,
        content: str,
        *,
        years: float = 0,
        until: float | None = None,
        resource: UUID | None = None,
        calls: UUID | None = None,
    ) -> str:
        """A resource showed this content from ``years`` on, until then or still; gives the digest."""
        digest, began = sha256(content.encode()).hexdigest(), AT + years * YEAR
        self.now = began
        address = self.vault.put(self.tenant, digest, content.encode())
        shown, evidence = resource or uuid4(), uuid4()
        self._insert(
            schema.resource,
            resource_id=shown,
            source_id=self.source,
            type="t",
            native_id=str(shown),
            region="r",
        )
        facts = {"resource_type": "t", "type_version": 1, "bytes": 1, "created_at": began}
        self._insert(schema.evidence, evidence_id=evidence, digest=digest, address=address, **facts)
        self._insert(
            schema.evidence_span,
            resource_id=shown,
            evidence_id=evidence,
            place="r",
            operations=[],
            caller="c",
            endpoint="",
            run_id=uuid4(),
            valid_from=began,
            last_at=began,
            valid_to=FOREVER if until is None else AT + until * YEAR,
            calls_id=calls,
        )
        return digest

    def called(self, content: str) -> tuple[str, UUID]:
        """A record of calls that nothing rests on yet; gives its digest and id."""
        digest, id_ = sha256(content.encode()).hexdigest(), uuid4()
        self.now = AT
        address = self.vault.put(self.tenant, digest, content.encode())
        facts = {"resource_type": "auditor.calls", "type_version": 1, "bytes": 1, "created_at": AT}
        self._insert(schema.evidence, evidence_id=id_, digest=digest, address=address, **facts)
        return digest, id_

    def purge(self, *, years: float, dry_run: bool = False) -> Erasure:
        self.now = AT + years * YEAR
        told: dict[str, Any] = {"period": SIX_YEARS, "now": self.now, "by": "ana"}
        return purge(self.store, self.blobs, self.tenant, dry_run=dry_run, **told)

    def issued(self, *zip_parts: bytes, years: float = 0) -> Bundle:
        """A bundle of these parts is issued at that time, as the worker does it."""
        id_, self.now = uuid4(), AT + years * YEAR
        asked = Asked(("soc2",), AT - DAY, AT)
        digests = [sha256(part).hexdigest() for part in zip_parts]
        for digest, part in zip(digests, zip_parts, strict=True):
            self.vault.put(self.tenant, digest, part)
        with self.store.open(self.tenant) as books:
            books.ask_bundle(id_, asked, by="ana", now=self.now, lease_until=self.now + DAY)
            size, claim = sum(map(len, zip_parts)), Claim(self.tenant, id_, "export", 1)
            books.finish_bundle(claim, identity="d" * 64, size=size, parts=digests, now=self.now)
        return self.bundle(id_)

    def bundle(self, id_: UUID) -> Bundle:
        with self.store.open(self.tenant) as books:
            return books.bundle(id_)

    def download(self, bundle: Bundle) -> bytes:
        def nothing(*_: Any) -> Any:
            raise AssertionError("what was issued is read as it lies")

        issuing = Issuing(nothing, self.folder, self.vault, Library((), ()), nothing)
        return b"".join(issuing.read(self.tenant, bundle))

    def hold(self, *, source: UUID | None = None, resource: UUID | None = None) -> UUID:
        hold = Hold(uuid4(), "matter 1", "ana", self.now, source, resource)
        with self.store.open(self.tenant) as books:
            books.place_hold(hold)
        return hold.id

    def uphold(self) -> tuple[int, int, int]:
        told = uphold(self.store, self.blobs, self.tenant, period=SIX_YEARS, now=self.now)
        return told.extended, told.held, told.released

    def read(self, digest: str) -> bytes:
        return self.vault.get(self.tenant, digest)

    def files(self) -> int:
        return len([path for path in self.folder.rglob("*") if path.is_file()])

    def acts(self) -> list[str]:
        with self.database.under(self.tenant) as connection:
            return list(connection.scalars(sa.text("SELECT action FROM user_action ORDER BY at")))

    def _insert(self, table: sa.Table, **values: object) -> None:
        with self.database.under(self.tenant) as connection:
            connection.execute(table.insert().values(tenant_id=self.tenant, **values))


@pytest.fixture
def world(app_database: Database, tmp_path: Path) -> World:
    return World(app_database, tmp_path / "objects", locks=False)


@pytest.fixture
def locked(app_database: Database, tmp_path: Path) -> World:
    return World(app_database, tmp_path / "objects", locks=True)


def test_six_years_count_from_when_it_was_last_in_effect_not_from_creation(world: World) -> None:
    short, long = world.seen("short", until=1), world.seen("long", until=3)
    assert world.purge(years=6.9).count == 0
    erased = world.purge(years=7.1)
    assert [one["digest"] for one in erased.certificate["objects"]] == [short]
    assert erased.grounds == {"due": 1, "retained": 1}
    with pytest.raises(EvidenceError, match="was erased on 2037"):
        world.read(short)
    assert world.read(long) == b"long"
    assert world.files() == 1


def test_what_is_still_in_effect_is_kept_however_old(world: World) -> None:
    digest = world.seen("still so")
    assert world.purge(years=30).grounds == {"in effect": 1}
    assert world.read(digest) == b"still so"


def test_what_a_finding_rested_on_counts_from_when_that_ended(world: World) -> None:
    digest = world.seen("judged", until=1)
    facts = dict.fromkeys(("severity", "reason", "evaluator", "cause"), "x")
    finding, resource = uuid4(), uuid4()
    world._insert(schema.resource, resource_id=resource, source_id=world.source, type="t", native_id="n", region="r")
    names = ("check_id", "control_id", "resource_type", "region", "place", "severity", "tier", "reason", "evaluator")
    world._insert(
        schema.finding,
        **dict.fromkeys(names, "x"),
        finding_id=finding,
        source_id=world.source,
        resource_id=resource,
        state="fail",
        since=AT,
        span_seq=1,
        last_run_id=uuid4(),
    )
    world._insert(
        schema.finding_span,
        **facts,
        finding_id=finding,
        seq=1,
        state="fail",
        evidence_digest=digest,
        run_id=uuid4(),
        valid_from=AT,
        valid_to=AT + 2 * YEAR,
        recorded_at=AT,
        opened_event=uuid4(),
    )
    assert world.purge(years=7.5).grounds == {"retained": 1}
    assert world.purge(years=8.1).count == 1


def test_a_record_of_calls_is_kept_as_long_as_the_last_of_what_rests_on_it(world: World) -> None:
    record, id_ = world.called("record")
    short, long = world.seen("short", until=1, calls=id_), world.seen("long", until=3, calls=id_)
    assert [one["digest"] for one in world.purge(years=7.1).certificate["objects"]] == [short]
    assert world.read(record) == b"record"
    assert world.purge(years=8.9).count == 0
    assert {one["digest"] for one in world.purge(years=9.1).certificate["objects"]} == {long, record}
    with pytest.raises(EvidenceError, match="was erased"):
        world.read(record)


def test_a_record_of_calls_behind_what_stands_is_in_effect_and_one_behind_nothing_goes(world: World) -> None:
    record, id_ = world.called("record")
    alone, _ = world.called("alone")
    world.seen("still so", calls=id_)
    erased = world.purge(years=30)
    assert [one["digest"] for one in erased.certificate["objects"]] == [alone]
    assert erased.grounds == {"in effect": 2, "due": 1}
    assert world.read(record) == b"record"


def test_a_hold_over_a_resource_covers_the_record_of_its_calls(world: World) -> None:
    resource = uuid4()
    record, id_ = world.called("record")
    digest = world.seen("x", until=1, resource=resource, calls=id_)
    world.hold(resource=resource)
    assert world.purge(years=9).grounds == {"on hold": 2}
    assert (world.read(record), world.read(digest)) == (b"record", b"x")


def test_a_dry_run_says_the_same_and_erases_nothing(world: World) -> None:
    digest = world.seen("x", until=1)
    told = world.purge(years=8, dry_run=True)
    assert (told.count, told.certificate["dry_run"], world.acts()) == (1, True, [])
    assert world.read(digest) == b"x"
    assert [one["digest"] for one in world.purge(years=8).certificate["objects"]] == [digest]


def test_the_certificate_says_what_why_when_and_by_whom_and_its_digest_is_recorded(world: World) -> None:
    digest = world.seen("x", until=1)
    told = world.purge(years=8)
    certificate = json.loads(canonical(told.certificate))
    assert certificate["by"] == "ana"
    assert certificate["at"] == "2037-12-31T00:00:00Z"
    assert "2192 days" in certificate["why"]
    assert certificate["objects"][0]["digest"] == digest
    assert certificate["objects"][0]["last_in_effect"].startswith("2031-01-02")
    assert sha256(canonical(told.certificate)).hexdigest() == told.digest
    with world.database.under(world.tenant) as connection:
        acts = connection.execute(sa.text("SELECT actor, action, data FROM user_action")).all()
    assert [tuple(act) for act in acts] == [("ana", "evidence.purge", {"certificate": told.digest})]


@pytest.mark.parametrize("over", ["everything", "source", "resource"])
def test_a_legal_hold_stops_the_purge_until_it_is_released(world: World, over: str) -> None:
    resource = uuid4()
    digest, other = world.seen("x", until=1, resource=resource), world.seen("y", until=1)
    covering: dict[str, dict[str, UUID]] = {
        "everything": {},
        "source": {"source": world.source},
        "resource": {"resource": resource},
    }
    hold = world.hold(**covering[over])
    erased = {one["digest"] for one in world.purge(years=9).certificate["objects"]}
    assert erased == ({other} if over == "resource" else set())
    assert world.read(digest) == b"x"
    with pytest.raises(LockedError, match="legal hold"):
        shred(world.store, world.blobs, world.tenant, digest, period=SIX_YEARS, now=world.now, by="ana", why="w")
    with pytest.raises(LockedError, match="legal hold"):
        shred_tenant(world.store, world.blobs, world.tenant, period=SIX_YEARS, now=world.now, by="ana", why="w")
    with world.store.open(world.tenant) as books:
        books.release_hold(hold, by="bo", now=world.now)
        assert books.holds() == ()
        assert [one.released_by for one in books.holds(all=True)] == ["bo"]
    assert digest in {one["digest"] for one in world.purge(years=9).certificate["objects"]}


def test_a_hold_over_what_is_not_there_is_refused_and_none_is_released_twice(world: World) -> None:
    for over in ({"source": uuid4()}, {"resource": uuid4()}):
        with pytest.raises(TenancyError):
            world.hold(**over)
    hold = world.hold()
    for expected in (1, 0):
        with world.store.open(world.tenant) as books:
            if expected:
                books.release_hold(hold, by="ana", now=AT)
                continue
            with pytest.raises(TenancyError, match="no legal hold"):
                books.release_hold(hold, by="ana", now=AT)


def test_a_shredded_object_under_a_lock_cannot_be_read_and_its_bytes_go_when_the_lock_ends(locked: World) -> None:
    digest, other = locked.seen("a name", until=1), locked.seen("other", until=1)
    salt = locked.keys.salts(locked.tenant, [digest])
    assert salt
    told: dict[str, Any] = {"period": SIX_YEARS, "now": AT + DAY, "by": "ana", "why": "a name in a tag"}
    erasure = shred(locked.store, locked.blobs, locked.tenant, digest, **told)
    assert len(erasure.locked) == 1
    assert locked.files() == 2
    with pytest.raises(EvidenceError, match="was erased"):
        locked.read(digest)
    assert locked.keys.salts(locked.tenant, [digest, other]).keys() == {other}
    with pytest.raises(EvidenceError, match="no object"):
        shred(locked.store, locked.blobs, locked.tenant, digest, **told)
    assert locked.purge(years=7.5).count == 1
    assert locked.files() == 0
    assert locked.acts() == ["evidence.shred", "evidence.purge"]


def test_a_shredded_content_stands_no_more_and_is_kept_anew_elsewhere_when_seen_again(world: World) -> None:
    digest = world.seen("a name")
    with world.database.under(world.tenant) as connection:
        before = connection.scalar(sa.text("SELECT address FROM object_key"))
    told: dict[str, Any] = {"period": SIX_YEARS, "now": AT + DAY, "by": "ana", "why": "w"}
    shred(world.store, world.blobs, world.tenant, digest, **told)
    with world.database.under(world.tenant) as connection:
        assert connection.scalars(sa.text("SELECT valid_to FROM evidence_span")).all() == [AT + DAY]
    assert world.vault.put(world.tenant, digest, b"a name") != before
    assert world.read(digest) == b"a name"


def test_a_shredded_tenant_can_be_read_by_nobody_and_keeps_nothing_more(world: World, app_database: Database) -> None:
    neighbour = World(app_database, world.folder.with_name("neighbour"), locks=False)
    theirs = neighbour.seen("theirs")
    digests = [world.seen("a"), world.seen("b")]
    ring = Keyring(None, world.keys.tenant_secret)
    assert world.keys.derived(world.tenant, "redacted value") != neighbour.keys.derived(
        neighbour.tenant, "redacted value"
    )
    sealed = ring.seal(world.tenant, "webhook secret", b"s")
    told: dict[str, Any] = {"period": SIX_YEARS, "now": AT + DAY, "by": "ana", "why": "contract ended"}
    erasure = shred_tenant(world.store, world.blobs, world.tenant, **told)
    assert (erasure.count, world.files()) == (2, 0)
    for digest in digests:
        with pytest.raises(EvidenceError, match="was erased"):
            world.read(digest)
    with pytest.raises(EvidenceError, match="keys of this tenant were destroyed"):
        world.vault.put(world.tenant, sha256(b"c").hexdigest(), b"c")
    with pytest.raises(EvidenceError, match="keys of this tenant were destroyed"):
        ring.open(world.tenant, "webhook secret", sealed)
    with pytest.raises(EvidenceError, match="keys of this tenant were destroyed"):
        world.keys.derived(world.tenant, "redacted value")
    assert neighbour.read(theirs) == b"theirs"
    assert world.acts() == ["evidence.shred_tenant"]


def test_another_process_that_knew_the_key_reads_nothing_after_the_shredding(world: World) -> None:
    digest = world.seen("x")
    keys = PostgresKeys(world.database, [LocalRoot(ROOT)], AesGcm(), lambda: AT)
    other = Vault(world.blobs, keys, AesGcm(), clock=lambda: AT, period=SIX_YEARS)
    assert other.get(world.tenant, digest) == b"x"
    shred_tenant(world.store, world.blobs, world.tenant, period=SIX_YEARS, now=AT, by="ana", why="w")
    with pytest.raises(EvidenceError, match="was erased"):
        other.get(world.tenant, digest)


def test_a_crash_between_key_and_bytes_leaves_bytes_that_the_next_purge_removes(world: World) -> None:
    world.seen("x", until=1)

    class Broken(LocalBlobs):
        def delete(self, address: str, now: datetime) -> None:
            raise OSError(5, "Input/output error")

    now = AT + 8 * YEAR
    with pytest.raises(OSError, match="Input"):
        purge(world.store, Broken(world.folder), world.tenant, period=SIX_YEARS, now=now, by="ana")
    assert (world.files(), world.acts()) == (1, ["evidence.purge"])
    again = world.purge(years=8.1)
    assert (again.count, world.files(), world.acts()) == (0, 0, ["evidence.purge"])


def test_what_the_first_release_kept_unsealed_is_sealed_and_its_bytes_removed(world: World) -> None:
    before = address_before(ROOT)
    data = b"kept by the first release"
    digest = sha256(data).hexdigest()
    old = before(world.tenant, digest)
    vault = Vault(world.blobs, world.keys, AesGcm(), clock=lambda: AT, period=SIX_YEARS, before=before)
    world.blobs.put_once(old, packed(data), None)
    facts = {"resource_type": "t", "type_version": 1, "bytes": 1, "created_at": AT}
    world._insert(schema.evidence, evidence_id=uuid4(), digest=digest, address=old, **facts)
    assert vault.get(world.tenant, digest) == data
    assert seal(world.store, vault, world.blobs, world.tenant, now=AT) == 1
    assert world.blobs.get(old) is None
    assert world.read(digest) == data
    world.blobs.put_once(old, packed(data), None)  # as a crash before the removal leaves it
    assert seal(world.store, vault, world.blobs, world.tenant, now=AT) == 0
    assert world.files() == 1


def test_sealing_that_broke_after_the_key_was_made_loses_nothing(world: World) -> None:
    before = address_before(ROOT)
    data = b"kept by the first release"
    digest = sha256(data).hexdigest()
    vault = Vault(world.blobs, world.keys, AesGcm(), clock=lambda: AT, period=SIX_YEARS, before=before)
    old = before(world.tenant, digest)
    world.blobs.put_once(old, packed(data), None)
    facts = {"resource_type": "t", "type_version": 1, "bytes": 1, "created_at": AT}
    world._insert(schema.evidence, evidence_id=uuid4(), digest=digest, address=old, **facts)
    world.keys.ensure(world.tenant, [digest])  # as a crash before the put leaves it
    assert vault.get(world.tenant, digest) == data
    assert seal(world.store, vault, world.blobs, world.tenant, now=AT) == 1
    assert world.blobs.get(old) is None
    assert world.read(digest) == data


def test_bytes_that_cannot_be_removed_now_do_not_cost_the_certificate(world: World) -> None:
    world.seen("x", until=1)

    class Unreachable(LocalBlobs):
        def delete(self, address: str, now: datetime) -> None:
            raise EvidenceError(f"cannot delete {address}: ReadTimeoutError")

    now = AT + 8 * YEAR
    told = purge(world.store, Unreachable(world.folder), world.tenant, period=SIX_YEARS, now=now, by="ana")
    assert (told.count, len(told.locked), world.files()) == (1, 1, 1)
    world.purge(years=8.1)
    assert world.files() == 0


def test_upholding_that_is_cut_short_goes_on_where_it_ended(locked: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auditor.pipeline.retention._AT_ONCE", 1)
    for content in ("a", "b", "c"):
        locked.seen(content)
    asked: list[str] = []

    class CutShort(LocalBlobs):
        def extend(self, address: str, until: datetime) -> datetime | None:
            asked.append(address)
            if len(asked) == 3:
                raise EvidenceError("cannot extend: ReadTimeoutError")
            return super().extend(address, until)

    locked.now = AT + 2 * YEAR
    broken = CutShort(locked.folder, locks=True)
    with pytest.raises(EvidenceError):
        uphold(locked.store, broken, locked.tenant, period=SIX_YEARS, now=locked.now)
    assert locked.uphold() == (1, 0, 0)


def test_upholding_lays_holds_on_objects_and_pushes_locks_of_what_is_in_effect(locked: World) -> None:
    resource = uuid4()
    steady, over = locked.seen("steady", resource=resource), locked.seen("over", until=0.1)
    assert locked.uphold() == (0, 0, 0)
    locked.now = AT + 2 * YEAR
    assert locked.uphold() == (1, 0, 0)
    assert locked.uphold() == (0, 0, 0)
    assert lock(locked, steady) == Lock(AT + 2 * YEAR + SIX_YEARS)
    assert lock(locked, over) == Lock(AT + SIX_YEARS)
    hold = locked.hold(resource=resource)
    assert locked.uphold() == (0, 1, 0)
    assert lock(locked, steady).held
    with locked.store.open(locked.tenant) as books:
        books.release_hold(hold, by="ana", now=locked.now)
    assert locked.uphold() == (0, 0, 1)
    assert not lock(locked, steady).held


def test_an_issued_bundle_is_kept_as_long_as_evidence_and_purged_with_a_certificate_that_names_it(world: World) -> None:
    bundle = world.issued(b"PK-one", b"PK-two", years=1)
    assert world.download(bundle) == b"PK-onePK-two"
    assert world.purge(years=6.9).grounds == {"retained": 2}
    assert world.purge(years=7.1, dry_run=True).count == 2
    assert world.bundle(bundle.id).purged_at is None
    erased = world.purge(years=7.1)
    assert [one["bundles"] for one in erased.certificate["objects"]] == [[str(bundle.id)]] * 2
    assert (world.files(), world.acts()[-1]) == (0, "evidence.purge")
    purged = world.bundle(bundle.id)
    assert (purged.purged_at, purged.digest) == (world.now, "d" * 64)
    with pytest.raises(ExportError, match="was erased"):
        world.download(purged)
    with pytest.raises(TenancyError, match="was purged"), world.store.open(world.tenant) as books:
        books.take_bundle(bundle.id, by="ana", now=world.now)


def test_what_two_bundles_share_is_kept_for_the_later_one(world: World) -> None:
    early, late = world.issued(b"PK", b"early"), world.issued(b"PK", b"late", years=2)
    assert world.purge(years=7).count == 1
    assert (world.bundle(early.id).purged_at, world.bundle(late.id).purged_at) == (world.now, None)
    assert world.download(late) == b"PKlate"


@pytest.mark.parametrize("over", ["everything", "a source"])
def test_any_hold_that_stands_keeps_every_bundle(world: World, over: str) -> None:
    bundle = world.issued(b"PK")
    hold = world.hold(source=world.source if over == "a source" else None)
    assert world.purge(years=9).grounds == {"on hold": 1}
    with world.store.open(world.tenant) as books:
        books.release_hold(hold, by="ana", now=world.now)
    assert world.purge(years=9).count == 1
    assert world.bundle(bundle.id).purged_at is not None


def test_an_issued_bundle_is_locked_where_objects_are_and_held_where_holds_stand(locked: World) -> None:
    bundle = locked.issued(b"PK")
    assert lock(locked, bundle.parts[0]) == Lock(AT + SIX_YEARS)
    locked.hold(source=locked.source)
    assert locked.uphold() == (0, 1, 0)
    assert lock(locked, bundle.parts[0]).held


def test_a_shredded_tenants_bundles_can_be_read_by_nobody(world: World) -> None:
    bundle = world.issued(b"PK")
    erasure = shred_tenant(world.store, world.blobs, world.tenant, period=SIX_YEARS, now=AT + DAY, by="ana", why="w")
    assert (erasure.count, world.files()) == (1, 0)
    with pytest.raises(ExportError, match="was erased"):
        world.download(bundle)
    assert world.bundle(bundle.id).purged_at == AT + DAY


def test_a_bundle_whose_part_is_purged_while_it_is_packed_is_not_called_done(world: World) -> None:
    world.issued(b"PK")
    part = sha256(b"PK").hexdigest()
    world.vault.put(world.tenant, part, b"PK")
    world.purge(years=9)
    id_ = uuid4()
    told: dict[str, Any] = {"identity": "e" * 64, "size": 2, "parts": [part], "now": world.now}
    with world.store.open(world.tenant) as books:
        books.ask_bundle(id_, Asked((), AT - DAY, AT), by="ana", now=world.now, lease_until=world.now + DAY)
    claim = Claim(world.tenant, id_, "export", 1)
    with pytest.raises(ExportError, match="purged while"), world.store.open(world.tenant) as books:
        books.finish_bundle(claim, **told)
    world.vault.put(world.tenant, part, b"PK")
    with world.store.open(world.tenant) as books:
        books.finish_bundle(claim, **told)
    assert world.download(world.bundle(id_)) == b"PK"


def lock(world: World, digest: str) -> Lock:
    with world.store.open(world.tenant) as books:
        found = world.blobs.lock(books.kept(digest=digest)[0].address)
    assert found is not None
    return found
