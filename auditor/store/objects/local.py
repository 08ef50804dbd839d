"""Evidence objects as files: put once, whole or not at all, and durable when the call returns.

A lock is the file's modification time, set ahead to when it ends, as write-once filers do it; a hold is an empty file beside
the object. Both bind this program and nobody else: who can write the folder can delete from it. Locks that bind everybody
need S3 with Object Lock.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from auditor.domain.errors import LockedError
from auditor.domain.retention import Lock

_MODE = 0o640
_HELD = ".held"


class LocalBlobs:
    """``Blobs`` in a folder.

    Args:
        folder: Where objects lie; made when the first one is put.
        locks: Whether deleting waits for the lock's end.
    """

    def __init__(self, folder: Path, *, locks: bool = False) -> None:
        self._folder = folder
        self.locks = locks

    def put_once(self, address: str, data: bytes, retain_until: datetime | None) -> bool:
        """Keep the bytes durably; False where something lies already. See ``Blobs``."""
        path = self._folder / address
        return not path.exists() and _write(path, data, retain_until if self.locks else None)

    def get(self, address: str) -> bytes | None:
        """The bytes; none where nothing lies."""
        try:
            return (self._folder / address).read_bytes()
        except FileNotFoundError:
            return None

    def lock(self, address: str) -> Lock | None:
        """What binds the object; none where nothing lies."""
        path = self._folder / address
        try:
            ends = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        except FileNotFoundError:
            return None
        return Lock(ends, path.with_name(path.name + _HELD).exists()) if self.locks else Lock(None)

    def extend(self, address: str, until: datetime) -> datetime | None:
        """Lock until then, never for less than before. See ``Blobs``."""
        now = self.lock(address)
        if now is None or not self.locks:
            return None
        if now.until is not None and now.until >= until:
            return now.until
        path = self._folder / address
        os.utime(path, (until.timestamp(), until.timestamp()))
        _sync(path)
        return until

    def hold(self, address: str, held: bool) -> None:  # noqa: FBT001  (as in Blobs)
        """Put a hold on the object or take it off."""
        path = self._folder / (address + _HELD)
        if not self.locks:
            return
        if held:
            path.touch(_MODE)
        else:
            path.unlink(missing_ok=True)
        _sync(path.parent)

    def delete(self, address: str, now: datetime) -> None:
        """Remove the file, unless a lock or a hold binds it. See ``Blobs``."""
        lock = self.lock(address)
        if lock is None:
            return
        if lock.binds(now):
            raise LockedError(f"object {address} is locked")
        path = self._folder / address
        path.unlink(missing_ok=True)
        _sync(path.parent)


def _write(path: Path, stored: bytes, retain_until: datetime | None) -> bool:
    """All or nothing: a crash before the link leaves a temp file, one after it leaves the object whole."""
    made = [folder.parent for folder in (path.parent, *path.parent.parents) if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".put-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(stored)
            file.flush()
            os.fchmod(file.fileno(), _MODE)
            if retain_until is not None:
                os.utime(file.fileno(), (retain_until.timestamp(), retain_until.timestamp()))
            os.fsync(file.fileno())
        # A link is refused when the name is taken; a rename would replace what another process has put meanwhile.
        try:
            os.link(name, path)
        except FileExistsError:
            return False
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
    for folder in (path.parent, *made):
        _sync(folder)
    return True


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
