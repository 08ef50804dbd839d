"""A ZIP of a bundle's folder: fixed times, fixed modes, sorted names, so that it says nothing but what the files say.

The ZIP's bytes are not the bundle's identity, its manifest's digest is: another zlib may pack otherwise.
"""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Iterable
from pathlib import Path

BEFORE_TIME = (1980, 1, 1, 0, 0, 0)
"""The earliest that a ZIP can say."""
_UNIX = 3
_PLAIN_FILE = 0o100644 << 16


def write_zip(root: Path, paths: Iterable[str], target: Path, *, folder: str) -> int:
    """Pack these files of ``root`` below ``folder``; whole or not at all. Gives the ZIP's size in bytes."""
    part = target.with_name(target.name + ".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as packed:
        for path in paths:
            entry = zipfile.ZipInfo(f"{folder}/{path}", BEFORE_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = _UNIX
            entry.external_attr = _PLAIN_FILE
            entry.file_size = (root / path).stat().st_size
            with (root / path).open("rb") as file, packed.open(entry, "w") as into:
                shutil.copyfileobj(file, into, 1 << 20)
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    part.replace(target)
    return target.stat().st_size
