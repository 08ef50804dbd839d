from __future__ import annotations

import hashlib
import os
import stat
import threading
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from auditor.domain.errors import EvidenceError
from auditor.domain.ports import Objects
from auditor.store.memory import MemoryObjects
from auditor.store.objects.local import RAW, ZSTD, LocalObjects

TENANT = UUID(int=7)
ROOT = b"r" * 32


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(params=["memory", "local"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Objects:
    return MemoryObjects() if request.param == "memory" else LocalObjects(tmp_path / "objects", ROOT)


@pytest.mark.parametrize("data", [b"", b"{}", b'{"a":"' + b"x" * 10_000 + b'"}', bytes(range(256))])
def test_bytes_come_back_as_they_were_put(objects: Objects, data: bytes) -> None:
    assert objects.put(TENANT, sha(data), data) == objects.put(TENANT, sha(data), data)
    assert objects.get(TENANT, sha(data)) == data


def test_what_was_never_put_is_missing_and_another_tenant_has_its_own(objects: Objects) -> None:
    objects.put(TENANT, sha(b"x"), b"x")
    for tenant, digest in ((TENANT, sha(b"y")), (uuid4(), sha(b"x"))):
        with pytest.raises(EvidenceError, match="missing"):
            objects.get(tenant, digest)


def test_bytes_under_a_digest_that_is_not_theirs_are_refused(objects: Objects) -> None:
    with pytest.raises(EvidenceError):
        objects.put(TENANT, sha(b"x"), b"y")


def test_an_address_tells_nothing_to_whoever_lacks_the_key(tmp_path: Path) -> None:
    digest = sha(b"x")
    address = LocalObjects(tmp_path, ROOT).address(TENANT, digest)
    name = address.rpartition("/")[2]
    assert address == f"t/{TENANT}/o/{name[:2]}/{name}"
    assert digest not in address
    assert LocalObjects(tmp_path, ROOT).address(TENANT, digest) == address
    assert LocalObjects(tmp_path, b"s" * 32).address(TENANT, digest).rpartition("/")[2] != name
    assert LocalObjects(tmp_path, ROOT).address(UUID(int=8), digest).rpartition("/")[2] != name


@pytest.mark.parametrize(("data", "header"), [(b"x", RAW), (b"x" * 1_000, ZSTD)])
def test_a_header_says_how_it_is_kept_and_only_our_group_may_read(tmp_path: Path, data: bytes, header: bytes) -> None:
    path = tmp_path / LocalObjects(tmp_path, ROOT).put(TENANT, sha(data), data)
    assert path.read_bytes()[:1] == header
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [each.name for each in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("change", [b"", b"\x00other", b"\x01not zstd", b"\x02future"])
def test_an_altered_file_is_noticed(tmp_path: Path, change: bytes) -> None:
    objects = LocalObjects(tmp_path, ROOT)
    data = b"x" * 1_000
    path = tmp_path / objects.put(TENANT, sha(data), data)
    path.write_bytes(change)
    with pytest.raises(EvidenceError):
        objects.get(TENANT, sha(data))


def test_a_put_that_breaks_leaves_no_half_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = LocalObjects(tmp_path, ROOT)

    def full_disk(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", full_disk)
        with pytest.raises(OSError, match="No space left"):
            objects.put(TENANT, sha(b"x"), b"x")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert objects.put(TENANT, sha(b"x"), b"x")


def test_many_may_put_the_same_at_once(tmp_path: Path) -> None:
    objects, data = LocalObjects(tmp_path, ROOT), b"x" * 10_000
    threads = [threading.Thread(target=objects.put, args=(TENANT, sha(data), data)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert objects.get(TENANT, sha(data)) == data
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1
