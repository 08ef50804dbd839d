"""Evidence objects: one suite over a folder and over S3, with real keys beside them; what the cipher and the locks promise."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from auditor.domain.errors import ConfigurationError, EvidenceError, LockedError
from auditor.domain.ports import Objects
from auditor.domain.retention import SIX_YEARS, Lock
from auditor.simulators.aws import AwsEmulator
from auditor.store.database import Database
from auditor.store.identity import Identities
from auditor.store.keys import ObjectKey, PostgresKeys
from auditor.store.memory import MemoryObjects
from auditor.store.objects.blobs import RAW, SEALED, ZSTD, Blobs, packed
from auditor.store.objects.local import LocalBlobs
from auditor.store.objects.s3 import S3Blobs, place
from auditor.store.objects.vault import Vault, address_before
from auditor.trust.encryption import AesGcm, LocalRoot

ROOT = bytes(range(32))
AT = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
DAY = timedelta(days=1)


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class World:
    """One place, one tenant, and a clock that the test turns: ours, and the emulator's with it."""

    def __init__(self, blobs: Blobs, database: Database, tenant: UUID, emulator: AwsEmulator | None) -> None:
        self.blobs, self.tenant, self.now = blobs, tenant, AT
        self._emulator = emulator
        self.keys = PostgresKeys(database, [LocalRoot(ROOT)], AesGcm(), lambda: self.now)
        self.objects = self.vault()
        self.at(AT)

    def vault(self, blobs: Blobs | None = None, **more: object) -> Vault:
        clock = lambda: self.now  # noqa: E731  (a clock is one value)
        return Vault(blobs or self.blobs, self.keys, AesGcm(), clock=clock, period=SIX_YEARS, **more)  # type: ignore[arg-type]

    def at(self, now: datetime) -> None:
        self.now = now
        if self._emulator is not None:
            self._emulator.set_clock(now, tick=False)

    def key(self, digest: str) -> ObjectKey:
        found = self.keys.find(self.tenant, [digest])[digest]
        assert isinstance(found, ObjectKey)
        return found

    def lock(self, digest: str) -> Lock:
        found = self.blobs.lock(self.key(digest).address)
        assert found is not None
        return found


def a_tenant(database: Database) -> UUID:
    tenant = uuid4()
    Identities(database).add_tenant(tenant, slug=str(tenant), name="T", now=AT)
    return tenant


@pytest.fixture(scope="module")
def emulator() -> Iterator[AwsEmulator]:
    with AwsEmulator() as running, pytest.MonkeyPatch.context() as patched:
        for name, value in running.environment().items():
            patched.setenv(name, value)
        running.client("s3").create_bucket(Bucket="vault", ObjectLockEnabledForBucket=True)
        running.client("s3").create_bucket(Bucket="plain")
        yield running


@pytest.fixture(params=["local", "s3"])
def world(request: pytest.FixtureRequest, app_database: Database, tmp_path: Path) -> Iterator[World]:
    tenant = a_tenant(app_database)
    if request.param == "local":
        yield World(LocalBlobs(tmp_path / "objects", locks=True), app_database, tenant, None)
        return
    emulator: AwsEmulator = request.getfixturevalue("emulator")
    blobs = S3Blobs(f"s3://vault/{uuid4()}", mode="compliance", endpoint_url=emulator.url)
    yield World(blobs, app_database, tenant, emulator)
    emulator.set_clock(None)


@pytest.fixture
def local(app_database: Database, tmp_path: Path) -> World:
    return World(LocalBlobs(tmp_path), app_database, a_tenant(app_database), None)


# -- objects, wherever they lie


@pytest.fixture(params=["memory", "vault"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Objects:
    if request.param == "memory":
        return MemoryObjects()
    found: World = request.getfixturevalue("local")
    return found.objects


@pytest.fixture
def tenant(app_database: Database) -> UUID:
    return a_tenant(app_database)


@pytest.mark.parametrize("data", [b"", b"{}", b'{"a":"' + b"x" * 10_000 + b'"}', bytes(range(256))])
def test_bytes_come_back_as_they_were_put(objects: Objects, tenant: UUID, data: bytes) -> None:
    assert objects.put(tenant, sha(data), data) == objects.put(tenant, sha(data), data)
    assert objects.get(tenant, sha(data)) == data
    assert objects.get_many(tenant, [sha(data), sha(data)]) == {sha(data): data}


def test_what_was_never_put_is_missing_and_another_tenant_has_its_own(objects: Objects, tenant: UUID) -> None:
    objects.put(tenant, sha(b"x"), b"x")
    for who, digest in ((tenant, sha(b"y")), (uuid4(), sha(b"x"))):
        with pytest.raises(EvidenceError, match="missing"):
            objects.get(who, digest)


def test_bytes_under_a_digest_that_is_not_theirs_are_refused(objects: Objects, tenant: UUID) -> None:
    with pytest.raises(EvidenceError, match="another digest"):
        objects.put_many(tenant, {sha(b"a"): b"a", sha(b"x"): b"y"})
    with pytest.raises(EvidenceError, match="missing"):
        objects.get(tenant, sha(b"x"))


# -- the vault, over a folder and over S3


def test_what_lies_there_shows_nothing_and_is_put_once(world: World) -> None:
    data = b"the name of a patient" * 50
    address = world.objects.put(world.tenant, sha(data), data)
    stored = world.blobs.get(address)
    assert stored is not None
    assert stored[:1] == SEALED
    assert b"patient" not in stored
    assert sha(data) not in address
    assert world.blobs.put_once(address, b"other bytes", None) is False
    assert world.blobs.get(address) == stored
    assert world.objects.get(world.tenant, sha(data)) == data


def test_many_are_put_and_read_at_once(world: World) -> None:
    contents = {sha(data): data for data in (b"%d" % number * 20 for number in range(12))}
    together = world.vault(threads=4)
    addresses = together.put_many(world.tenant, contents)
    assert len(set(addresses.values())) == 12
    assert together.get_many(world.tenant, contents) == contents
    assert together.put_many(world.tenant, {}) == {}


def test_a_crash_between_key_and_object_leaves_a_key_that_the_next_try_uses(world: World) -> None:
    data = b"seen before the crash"
    before = world.keys.ensure(world.tenant, [sha(data)])[sha(data)]
    assert (before.stored, world.blobs.get(before.address)) == (False, None)
    with pytest.raises(EvidenceError, match="missing"):
        world.objects.get(world.tenant, sha(data))
    assert world.objects.put(world.tenant, sha(data), data) == before.address
    after = world.key(sha(data))
    assert (after.key, after.salt, after.stored) == (before.key, before.salt, True)
    assert world.objects.get(world.tenant, sha(data)) == data


def test_a_crash_between_object_and_mark_finds_the_object_and_keeps_it(world: World) -> None:
    data = b"put, and not yet marked"
    other = world.vault()
    other._keys = Forgetful(world.keys)  # type: ignore[assignment]
    address = other.put(world.tenant, sha(data), data)
    stored = world.blobs.get(address)
    world.at(AT + 10 * DAY)
    assert not world.key(sha(data)).stored
    assert world.objects.put(world.tenant, sha(data), data) == address
    assert world.blobs.get(address) == stored
    assert world.key(sha(data)).stored
    assert world.lock(sha(data)).until == world.key(sha(data)).locked_until == AT + 10 * DAY + SIX_YEARS


class Forgetful:
    """Keys of a process that dies before it could mark what it has put."""

    def __init__(self, keys: PostgresKeys) -> None:
        self.ensure, self.mark_locked = keys.ensure, keys.mark_locked

    def mark_stored(self, *_: object) -> None:
        """Nothing: the process is gone."""


def test_foreign_bytes_at_the_address_are_noticed_and_never_counted_as_kept(world: World) -> None:
    data = b"mine"
    key = world.keys.ensure(world.tenant, [sha(data)])[sha(data)]
    assert world.blobs.put_once(key.address, SEALED + bytes(60), None)
    with pytest.raises(EvidenceError, match="does not open"):
        world.objects.put(world.tenant, sha(data), data)
    assert not world.key(sha(data)).stored


def test_an_object_moved_to_another_digest_does_not_open(world: World) -> None:
    world.objects.put(world.tenant, sha(b"one"), b"one")
    stored = world.blobs.get(world.key(sha(b"one")).address)
    assert stored is not None
    two = world.keys.ensure(world.tenant, [sha(b"two")])[sha(b"two")]
    assert world.blobs.put_once(two.address, stored, None)
    with pytest.raises(EvidenceError, match="does not open"):
        world.objects.get(world.tenant, sha(b"two"))


def test_no_tenant_reads_what_another_put_even_knowing_digest_and_address(world: World, app_database: Database) -> None:
    digest, other = sha(b"shared content"), a_tenant(app_database)
    address = world.objects.put(world.tenant, digest, b"shared content")
    with pytest.raises(EvidenceError, match="missing"):
        world.objects.get(other, digest)
    assert world.objects.put(other, digest, b"shared content") != address
    # Even with the object's bytes copied to its own address, the other tenant's key does not open them.
    theirs, mine = world.keys.find(other, [digest])[digest], world.key(digest)
    assert isinstance(theirs, ObjectKey)
    assert theirs.key != mine.key
    assert theirs.salt != mine.salt
    with app_database.under(other) as connection:
        assert connection.scalars(text("SELECT address FROM object_key")).all() == [theirs.address]


def test_an_object_is_locked_for_its_period_and_deleted_only_after(world: World) -> None:
    digest = sha(b"locked")
    address = world.objects.put(world.tenant, digest, b"locked")
    assert world.lock(digest) == Lock(AT + SIX_YEARS)
    assert world.key(digest).locked_until == AT + SIX_YEARS
    with pytest.raises(LockedError):
        world.blobs.delete(address, AT + SIX_YEARS - DAY)
    assert world.blobs.get(address) is not None
    world.at(AT + SIX_YEARS + DAY)
    world.blobs.delete(address, world.now)
    world.blobs.delete(address, world.now)
    assert world.blobs.get(address) is None
    assert world.blobs.lock(address) is None


def test_a_lock_is_pushed_out_and_never_shortened(world: World) -> None:
    address = world.objects.put(world.tenant, sha(b"x"), b"x")
    assert world.blobs.extend(address, AT + DAY) == AT + SIX_YEARS
    assert world.lock(sha(b"x")).until == AT + SIX_YEARS
    assert world.blobs.extend(address, AT + SIX_YEARS + DAY) == AT + SIX_YEARS + DAY
    assert world.lock(sha(b"x")).until == AT + SIX_YEARS + DAY
    assert world.blobs.extend("t/x/o/aa/missing", AT) is None


def test_seen_again_moves_the_lock_once_per_half_year(world: World) -> None:
    digest = sha(b"steady")
    for days, until in ((0, 0), (100, 0), (182, 0), (184, 184), (300, 184)):
        world.at(AT + days * DAY)
        world.objects.put(world.tenant, digest, b"steady")
        assert world.lock(digest).until == AT + until * DAY + SIX_YEARS, days
        assert world.key(digest).locked_until == AT + until * DAY + SIX_YEARS, days


def test_a_held_object_outlives_its_lock(world: World) -> None:
    address = world.objects.put(world.tenant, sha(b"held"), b"held")
    world.blobs.hold(address, True)
    world.at(AT + 2 * SIX_YEARS)
    assert world.lock(sha(b"held")).held
    with pytest.raises(LockedError):
        world.blobs.delete(address, world.now)
    world.blobs.hold(address, False)
    world.blobs.delete(address, world.now)
    assert world.blobs.get(address) is None


# -- keys


def test_the_database_refuses_a_shorter_lock_a_swapped_key_and_a_revived_one(
    local: World, app_database: Database
) -> None:
    from sqlalchemy.exc import IntegrityError, ProgrammingError

    local.objects.put(local.tenant, sha(b"x"), b"x")
    local.keys.mark_locked(local.tenant, {local.key(sha(b"x")).address: AT + DAY})
    local.keys.mark_locked(local.tenant, {local.key(sha(b"x")).address: AT})
    assert local.key(sha(b"x")).locked_until == AT + DAY
    for change in ("locked_until = locked_until - interval '1 day'", "wrapped = 'other'", "salt = 'other'"):
        with pytest.raises(IntegrityError), app_database.under(local.tenant) as connection:
            connection.execute(text(f"UPDATE object_key SET {change}"))
    destroyed = "wrapped = NULL, salt = NULL, destroyed_at = now()"
    with app_database.under(local.tenant) as connection:
        connection.execute(text(f"UPDATE object_key SET {destroyed}"))
    with pytest.raises(IntegrityError), app_database.under(local.tenant) as connection:
        connection.execute(text("UPDATE object_key SET wrapped = 'x', salt = 'x', destroyed_at = NULL"))
    for statement in ("DELETE FROM object_key", "DELETE FROM tenant_key", "UPDATE object_key SET digest = 'x'"):
        with pytest.raises(ProgrammingError, match="denied"), app_database.under(local.tenant) as connection:
            connection.execute(text(statement))


def test_processes_that_put_the_same_contents_at_once_end_with_one_key_each(
    local: World, app_database: Database
) -> None:
    contents = {sha(data): data for data in (b"%d" % number * 500 for number in range(30))}
    start, failed = threading.Barrier(6), []

    def put(order: int) -> None:
        keys = PostgresKeys(app_database, [LocalRoot(ROOT)], AesGcm(), lambda: AT)
        vault = Vault(local.blobs, keys, AesGcm(), clock=lambda: AT, period=SIX_YEARS, threads=2)
        start.wait()
        try:
            vault.put_many(local.tenant, dict(sorted(contents.items(), reverse=bool(order % 2))))
        except Exception as error:  # noqa: BLE001  (a thread's error must reach the test)
            failed.append(error)

    threads = [threading.Thread(target=put, args=(order,)) for order in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert local.objects.get_many(local.tenant, contents) == contents
    with app_database.under(local.tenant) as connection:
        assert connection.scalar(text("SELECT count(*) FROM tenant_key")) == 1
        assert connection.scalar(text("SELECT count(*) FROM object_key WHERE stored_at IS NOT NULL")) == 30


def test_salts_are_told_for_what_was_not_erased(local: World) -> None:
    local.objects.put(local.tenant, sha(b"x"), b"x")
    assert local.keys.salts(local.tenant, [sha(b"x"), sha(b"y")]) == {sha(b"x"): local.key(sha(b"x")).salt}
    assert len(local.key(sha(b"x")).salt) == 16


def test_another_root_key_opens_nothing(local: World, app_database: Database) -> None:
    local.objects.put(local.tenant, sha(b"x"), b"x")
    for roots in ([LocalRoot(bytes(32))], []):
        keys = PostgresKeys(app_database, roots, AesGcm(), lambda: AT)
        with pytest.raises(ConfigurationError):
            keys.find(local.tenant, [sha(b"x")])


def test_kms_wraps_the_tenant_s_key_and_opens_it_for_no_other(emulator: AwsEmulator, app_database: Database) -> None:
    from auditor.trust.kms import KmsRoot

    arn = emulator.client("kms", "eu-central-1").create_key()["KeyMetadata"]["Arn"]
    root, tenant = KmsRoot(arn, endpoint_url=emulator.url), a_tenant(app_database)
    wrapped = root.wrap(tenant, ROOT)
    assert ROOT not in wrapped
    assert root.unwrap(tenant, wrapped) == ROOT
    with pytest.raises(ConfigurationError, match="refuses"):
        root.unwrap(uuid4(), wrapped)
    emulator.reset_counts()
    keys = PostgresKeys(app_database, [root, LocalRoot(ROOT)], AesGcm(), lambda: AT)
    for digest in (sha(b"1"), sha(b"2")):
        keys.ensure(tenant, [digest])
    assert {name: count for name, count in emulator.counts().items() if name.startswith("kms:")} == {
        "kms:Encrypt": 1,
        "kms:Decrypt": 1,
    }


@pytest.mark.parametrize("arn", ["", "alias/mine", "arn:aws:s3:::bucket", "arn:aws:kms::1:key/2"])
def test_what_names_no_kms_key_is_refused(arn: str) -> None:
    from auditor.trust.kms import KmsRoot

    with pytest.raises(ConfigurationError, match="AUDITOR_KMS_KEY_ARN"):
        KmsRoot(arn)


# -- a folder


@settings(max_examples=40)
@given(st.binary(max_size=2_000))
def test_packing_makes_nothing_longer_than_by_its_header(data: bytes) -> None:
    assert len(packed(data)) <= len(data) + 1


@pytest.mark.parametrize(("data", "header"), [(b"x", RAW), (b"x" * 1_000, ZSTD)])
def test_what_the_first_release_put_stays_readable(local: World, tmp_path: Path, data: bytes, header: bytes) -> None:
    assert packed(data)[:1] == header
    path = tmp_path / address_before(ROOT)(local.tenant, sha(data))
    path.parent.mkdir(parents=True)
    path.write_bytes(packed(data))
    assert local.vault(before=address_before(ROOT)).get(local.tenant, sha(data)) == data


def test_only_our_group_may_read_a_file_and_nothing_lies_beside_it(local: World, tmp_path: Path) -> None:
    path = tmp_path / local.objects.put(local.tenant, sha(b"x"), b"x")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [each.name for each in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("change", [b"", RAW + b"other", ZSTD + b"not zstd", SEALED + b"short", b"\x03future"])
def test_an_altered_file_is_noticed(local: World, tmp_path: Path, change: bytes) -> None:
    data = b"x" * 1_000
    path = tmp_path / local.objects.put(local.tenant, sha(data), data)
    path.write_bytes(change)
    with pytest.raises(EvidenceError):
        local.objects.get(local.tenant, sha(data))


def test_a_put_that_breaks_leaves_no_half_object(local: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", full_disk)
        with pytest.raises(OSError, match="No space left"):
            local.objects.put(local.tenant, sha(b"x"), b"x")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert local.objects.put(local.tenant, sha(b"x"), b"x")


def test_without_locks_nothing_is_locked(local: World) -> None:
    address = local.objects.put(local.tenant, sha(b"x"), b"x")
    assert local.key(sha(b"x")).locked_until is None
    assert local.blobs.lock(address) == Lock(None)
    local.blobs.hold(address, True)
    local.blobs.delete(address, AT)
    assert local.blobs.get(address) is None


# -- S3


def test_what_arrives_in_the_bucket_altered_is_noticed_at_once(emulator: AwsEmulator) -> None:
    blobs = S3Blobs("s3://plain/altered", mode="off", endpoint_url=emulator.url)

    def alter(request: object, **_: object) -> None:
        request.body = b"data of s0me length"  # type: ignore[attr-defined]

    blobs._client.meta.events.register("before-send.s3.PutObject", alter)
    with pytest.raises(EvidenceError, match=r"other bytes|FlexibleChecksum"):
        blobs.put_once("o/1", b"data of some length", None)


def test_a_bucket_without_object_lock_is_named_in_the_advice(emulator: AwsEmulator) -> None:
    blobs = S3Blobs("s3://plain", mode="governance", endpoint_url=emulator.url)
    with pytest.raises(EvidenceError) as refused:
        blobs.put_once("o/1", b"data", AT)
    assert "AUDITOR_OBJECT_LOCK" in refused.value.advice()


def test_a_compliance_lock_stays_one_when_the_setting_becomes_weaker(emulator: AwsEmulator) -> None:
    strict, weak = (
        S3Blobs("s3://vault/modes", mode=m, endpoint_url=emulator.url) for m in ("compliance", "governance")
    )
    until = datetime.now(UTC).replace(microsecond=0) + DAY
    strict.put_once("o/1", b"data", until)
    assert weak.extend("o/1", until + DAY) == until + DAY
    head = emulator.client("s3").head_object(Bucket="vault", Key="modes/o/1")
    assert head["ObjectLockMode"] == "COMPLIANCE"
    assert head["ObjectLockRetainUntilDate"] == until + DAY


def test_deleting_leaves_no_version_behind(emulator: AwsEmulator) -> None:
    blobs = S3Blobs("s3://vault/gone", mode="off", endpoint_url=emulator.url)
    blobs.put_once("o/1", b"data", None)
    blobs.put_once("o/12", b"data", None)
    blobs.delete("o/1", AT)
    left = emulator.client("s3").list_object_versions(Bucket="vault", Prefix="gone/")
    assert [one["Key"] for one in (*left.get("Versions", ()), *left.get("DeleteMarkers", ()))] == ["gone/o/12"]


def test_a_bucket_that_refuses_is_our_error_with_advice(emulator: AwsEmulator) -> None:
    blobs = S3Blobs("s3://plain", mode="off", endpoint_url=emulator.url)
    emulator.deny("s3:PutObject")
    try:
        with pytest.raises(EvidenceError, match="AccessDenied") as refused:
            blobs.put_once("o/2", b"data", None)
    finally:
        emulator.clear_faults()
    assert "PutObject" in refused.value.advice()


@pytest.mark.parametrize(
    ("url", "told"), [("s3://b", ("b", "")), ("s3://b/", ("b", "")), ("s3://b/a/c/", ("b", "a/c/"))]
)
def test_a_bucket_and_its_prefix_are_read_from_one_url(url: str, told: tuple[str, str]) -> None:
    assert place(url) == told


@pytest.mark.parametrize("url", ["s3://", "https://b/p", "b/p", "s3://b?x=1"])
def test_what_names_no_bucket_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="AUDITOR_OBJECTS"):
        place(url)
