"""The tree of a bundle (BagIt 1.0): which files there are, that each is the one the manifest names, and how they are read.

Enters: the folder of an unpacked bundle. Leaves: bytes, JSON values, lines; or a refusal that names the file.
Guards the rule that nothing outside the folder is ever read and nothing inside it goes unlisted: no links, no odd names.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .report import RefusedError, UnusableError

MANIFEST = "manifest-sha256.txt"
TAG_MANIFEST = "tagmanifest-sha256.txt"
DECLARATION = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
FILES_LIMIT = 1_000_000
BYTES_LIMIT = 64 << 20
"""How large a line, or a file that is read whole, may be."""

_NAME = re.compile(r"[A-Za-z0-9._@-]+", re.ASCII)
_LINE = re.compile(rb"([0-9a-f]{64})  ([A-Za-z0-9._@/-]+)\n")
_write = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


class Bag:
    """An unpacked bundle. ``payload`` maps the path of each data file to its SHA-256, once ``check`` has come back."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.payload: dict[str, str] = {}

    def walk(self) -> frozenset[str]:
        """Every file, as a path from the root.

        Raises:
            RefusedError: A link, a device, an odd name, or too many files.
            UnusableError: This is not the folder of a bundle.
        """
        if not self.root.is_dir() or not (self.root / MANIFEST).is_file():
            raise UnusableError(f"{self.root} is not an unpacked bundle: it has no {MANIFEST}")
        found: set[str] = set()
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            with os.scandir(self.root / folder) as entries:
                for one in entries:
                    path = folder + one.name
                    if one.is_symlink():
                        raise RefusedError(path, "a link; a bundle holds files only")
                    if not _NAME.fullmatch(one.name):
                        raise RefusedError(path, "a name with other signs than letters, digits and ._@-")
                    if one.is_dir(follow_symlinks=False):
                        waiting.append(path + "/")
                    elif one.is_file(follow_symlinks=False):
                        found.add(path)
                    else:
                        raise RefusedError(path, "neither a file nor a folder")
            if len(found) > FILES_LIMIT:
                raise RefusedError(folder or ".", f"more than {FILES_LIMIT} files")
        return frozenset(found)

    def check(self, files: frozenset[str]) -> None:
        """Hold every file against the manifests, both ways.

        Raises:
            RefusedError: A file is missing, unlisted or changed, or a manifest is not in its one form.
        """
        if self.read("bagit.txt") != DECLARATION.encode():
            raise RefusedError("bagit.txt", "not the declaration of BagIt 1.0")
        payload, tags = self._listed(MANIFEST), self._listed(TAG_MANIFEST)
        for path in payload:
            if not path.startswith("data/"):
                raise RefusedError(MANIFEST, f"{path} lies outside data/")
        listed = {**payload, **tags}
        for path in sorted(listed.keys() - files):
            raise RefusedError(path, "missing: a manifest names it, the folder does not hold it")
        for path in sorted(files - listed.keys() - {TAG_MANIFEST}):
            raise RefusedError(path, "unlisted: it is in the folder and in no manifest")
        for path, expected in listed.items():
            if self._hashed(path) != expected:
                raise RefusedError(path, "changed: its bytes are not those the manifest names")
        self.payload = payload

    def read(self, path: str) -> bytes:
        """A file's bytes.

        Raises:
            RefusedError: It is missing or too large.
        """
        try:
            with (self.root / path).open("rb") as file:
                found = file.read(BYTES_LIMIT + 1)
        except FileNotFoundError as error:
            raise RefusedError(path, "missing") from error
        if len(found) > BYTES_LIMIT:
            raise RefusedError(path, f"larger than {BYTES_LIMIT} bytes")
        return found

    def text(self, path: str) -> str:
        """A file's text."""
        try:
            return self.read(path).decode()
        except UnicodeDecodeError as error:
            raise RefusedError(path, "not UTF-8") from error

    def object(self, path: str) -> dict[str, Any]:
        """A JSON object in its one spelling, one newline behind it allowed."""
        return spelled(self.read(path).removesuffix(b"\n"), path)

    def lines(self, path: str) -> Iterator[tuple[str, bytes]]:
        """A data file line by line, with where each stands; the newline is cut off."""
        if path not in self.payload:
            raise RefusedError(path, "missing")
        with (self.root / path).open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(BYTES_LIMIT + 1), b""), 1):
                where = f"{path}:{number}"
                if not line.endswith(b"\n"):
                    raise RefusedError(where, "too long, or without an end of line")
                yield where, line[:-1]

    def objects(self, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """JSON objects line by line, each in its one spelling."""
        for where, line in self.lines(path):
            yield where, spelled(line, where)

    def _listed(self, manifest: str) -> dict[str, str]:
        listed: dict[str, str] = {}
        last = b""
        try:
            with (self.root / manifest).open("rb") as file:
                for number, line in enumerate(file, 1):
                    parts = _LINE.fullmatch(line)
                    if parts is None or not {b"", b".", b".."}.isdisjoint(parts[2].split(b"/")):
                        raise RefusedError(f"{manifest}:{number}", "not a digest and a path inside the bundle")
                    if parts[2] <= last:
                        raise RefusedError(f"{manifest}:{number}", "paths are not sorted, or one stands twice")
                    last = parts[2]
                    listed[last.decode()] = parts[1].decode()
        except FileNotFoundError as error:
            raise RefusedError(manifest, "missing") from error
        return listed

    def _hashed(self, path: str) -> str:
        hashing = hashlib.sha256()
        with (self.root / path).open("rb") as file:
            while chunk := file.read(1 << 20):
                hashing.update(chunk)
        return hashing.hexdigest()


def spelled(stored: bytes, where: str) -> dict[str, Any]:
    """A JSON object whose bytes are canonical: no key stands twice, no reader can see another value than this one.

    Raises:
        RefusedError: Anything else.
    """
    try:
        text = stored.decode()
        value = json.loads(text)
        same = isinstance(value, dict) and _write(value) == text
    except (ValueError, RecursionError) as error:
        raise RefusedError(where, "not JSON") from error
    if not same:
        raise RefusedError(where, "not a JSON object in its one spelling (keys sorted, no spaces)")
    found: dict[str, Any] = value
    return found
