"""What was worked out once from files of this tree, kept beside Python's bytecode and forgotten when a file changes.

It lives in the ``__pycache__`` of the module that works it out: whoever may write there may write code already, so nobody
gains a way in. Still it is plain JSON, never a pickle, and believed only under the digest of every file it came from.
Deleting it costs one slower start; where nothing may be written, every start is that slow and nothing else is lost.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import sys
import tempfile
from collections.abc import Iterable
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

FORMAT = b"1"
OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


def digest_of(files: Iterable[Path], *more: str) -> str:
    """One digest of these files' names and contents, of ``more``, and of the Python that reads them."""
    taken = hashlib.sha256(FORMAT)
    for text in (sys.version, *more):
        taken.update(b"\0" + text.encode())
    for path in sorted(files):
        taken.update(b"\0" + path.as_posix().encode() + b"\0")
        taken.update(hashlib.sha256(path.read_bytes()).digest())
    return taken.hexdigest()


def recall(module: str, name: str, digest: str) -> Any | None:
    """What was kept for the module's file under this name, if it is whole, ours, and was made from the same files."""
    path = _place(module, name)
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)), "rb") as kept:
            if not _trusted(os.fstat(kept.fileno()), Path(module)):
                return None
            head, _, body = kept.read().partition(b"\n")
    except OSError:
        return None
    if head != _head(digest, body):
        return None
    return json.loads(body)


def remember(module: str, name: str, digest: str, value: Any) -> None:
    """Keep a JSON value for the next process. A crash leaves the old file or a stray one; a refusal leaves nothing."""
    if sys.dont_write_bytecode:
        return
    path = _place(module, name)
    body = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, written = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as sink:
                sink.write(_head(digest, body) + b"\n" + body)
            Path(written).chmod(0o644)
            Path(written).replace(path)
        except OSError:
            Path(written).unlink(missing_ok=True)
            raise


def _place(module: str, name: str) -> Path:
    return Path(cache_from_source(module)).with_name(f"{name}.json")


def _head(digest: str, body: bytes) -> bytes:
    return f"{digest} {hashlib.sha256(body).hexdigest()}".encode()


def _trusted(kept: os.stat_result, module: Path) -> bool:
    """Whether only we, or whoever owns the code itself, can have written it."""
    if not hasattr(os, "getuid"):
        return True
    return not kept.st_mode & OTHERS_MAY_WRITE and kept.st_uid in {os.getuid(), module.stat().st_uid}
