"""A bundle as somebody brings it: a folder, or a ZIP that is unpacked into a folder of ours before anything reads it."""

from __future__ import annotations

import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from auditor.domain.errors import ExportError
from auditor.proof.bag import FILES_LIMIT, MANIFEST

UNPACKED_LIMIT = 64 << 30
"""More bytes than this no bundle of ours has: a ZIP can claim to hold anything."""


@contextmanager
def unpacked(bundle: Path) -> Iterator[Path]:
    """The bundle's folder; one that was unpacked is removed again.

    Raises:
        ExportError: Not a ZIP of files under one folder, or one that would write elsewhere.
    """
    if bundle.is_dir():
        yield bundle
        return
    folder = Path(tempfile.mkdtemp(prefix="auditor-bundle-"))
    try:
        yield _unpack(bundle, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unpack(bundle: Path, folder: Path) -> Path:
    try:
        with zipfile.ZipFile(bundle) as packed:
            entries = packed.infolist()
            if len(entries) > FILES_LIMIT or sum(one.file_size for one in entries) > UNPACKED_LIMIT:
                raise ExportError(f"{bundle} holds more than a bundle may")
            if len({one.filename for one in entries}) != len(
                entries
            ):  # which of the two is read depends on who unpacks
                raise ExportError(f"{bundle} holds a file twice")
            for entry in entries:
                _refuse(bundle, entry)
                packed.extract(entry, folder)
    except FileNotFoundError as error:
        raise ExportError(
            f"there is no {bundle}", advice="Give a bundle's ZIP, or the folder it was unpacked to"
        ) from error
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ExportError(
            f"{bundle} is no ZIP, or only a piece of one: {error}",
            advice="Get it again, or give the folder it was unpacked to",
        ) from error
    roots = [path.parent for path in (folder / MANIFEST, *folder.glob(f"*/{MANIFEST}")) if path.is_file()]
    if len(roots) != 1:
        raise ExportError(f"{bundle} holds {len(roots)} bundles")
    return roots[0]


def _refuse(bundle: Path, entry: zipfile.ZipInfo) -> None:
    """Links and ways out of the folder; zipfile would bend some of them, and what is bent is not what was sealed."""
    path = PurePosixPath(entry.filename)
    mode = entry.external_attr >> 16
    if (
        path.is_absolute()
        or ".." in path.parts
        or "\\" in entry.filename
        or (stat.S_IFMT(mode) not in {0, stat.S_IFREG} and not entry.is_dir())  # 0: packed without a kind
    ):
        raise ExportError(f"{bundle} holds {entry.filename!r}, which is no plain file below it")
