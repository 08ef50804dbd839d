"""A bundle's folder while it is being written: each file once, its digest noted beside it, so that a killed build goes on.

Enters: paths and bytes, or lines as they come. Leaves: files, and a small database (beside the folder, never in it) that knows their
digests and which steps are done. Guards constant memory: nothing that grows with the tenant is held, not even the list of files.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from auditor.proof.bag import MANIFEST, TAG_MANIFEST
from auditor.proof.canonical import canonical

_TABLES = """
CREATE TABLE IF NOT EXISTS file (path TEXT PRIMARY KEY, digest TEXT NOT NULL, bytes INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS done (step TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS wanted (kind TEXT, key TEXT, detail TEXT, PRIMARY KEY (kind, key, detail)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS line (name TEXT, of TEXT, position INTEGER, state TEXT, PRIMARY KEY (name, of, position)) WITHOUT ROWID;
"""
AT_ONCE = 500


class Tree:
    """The folder ``bundle`` below ``work``, and what is known of it. Use it in one thread; ``close`` when done."""

    def __init__(self, work: Path) -> None:
        self.root = work / "bundle"
        self._path = work / "work.sqlite"
        self._db: sqlite3.Connection | None = None

    @property
    def db(self) -> sqlite3.Connection:
        """What is known of the files; opened on first use."""
        if self._db is None:
            self.root.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self._path)
            self._db.execute(
                "PRAGMA synchronous = OFF"
            )  # a crash of the machine begins again; a kill of the process goes on
            self._db.executescript(_TABLES)
        return self._db

    def close(self) -> None:
        """Let go of the database; what is not committed is forgotten, and its step done again."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def step(self, name: str, do: Callable[[], object]) -> bool:
        """Do a step unless it was done to its end before; whether it was done now."""
        if self.db.execute("SELECT 1 FROM done WHERE step = ?", (name,)).fetchone():
            return False
        do()
        self.db.execute("INSERT INTO done VALUES (?)", (name,))
        self.db.commit()
        return True

    def fact(self, name: str) -> str | None:
        """What was noted under a name."""
        row = self.db.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def note(self, name: str, value: str) -> None:
        """Keep a fact for the steps to come; with the step that notes it."""
        self.db.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (name, value))

    def has(self, path: str) -> bool:
        """Whether the file was written."""
        return self.db.execute("SELECT 1 FROM file WHERE path = ?", (path,)).fetchone() is not None

    def put(self, path: str, stored: bytes) -> None:
        """One file, whole."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(stored)
        self._know(path, hashlib.sha256(stored).hexdigest(), len(stored))

    def put_json(self, path: str, value: Mapping[str, Any]) -> None:
        """One canonical object, with a newline behind it."""
        self.put(path, canonical(value) + b"\n")

    def stream(self, path: str, pieces: Iterable[bytes]) -> int:
        """One file, piece by piece; gives how many pieces there were."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        hashing, size, count = hashlib.sha256(), 0, 0
        with target.open("wb") as file:
            for piece in pieces:
                file.write(piece)
                hashing.update(piece)
                size += len(piece)
                count += 1
        self._know(path, hashing.hexdigest(), size)
        return count

    def put_lines(self, path: str, lines: Iterable[Mapping[str, Any]]) -> int:
        """One file of canonical lines; gives how many."""
        return self.stream(path, (canonical(line) + b"\n" for line in lines))

    def open(self, path: str) -> BinaryIO:
        """A file that was written, to be read again."""
        return (self.root / path).open("rb")

    def want(self, kind: str, key: str, detail: str = "") -> None:
        """Remember that something must go into the bundle; once, however often it is wanted."""
        self.db.execute("INSERT OR IGNORE INTO wanted VALUES (?, ?, ?)", (kind, key, detail))

    def is_wanted(self, kind: str, key: str) -> bool:
        """Whether it must."""
        return self.db.execute("SELECT 1 FROM wanted WHERE kind = ? AND key = ?", (kind, key)).fetchone() is not None

    def wanted(self, kind: str) -> Iterator[Sequence[tuple[str, str]]]:
        """What must, as (key, detail), sorted, some hundred at a time."""
        last = ("", "")
        while True:
            rows = self.db.execute(
                "SELECT key, detail FROM wanted WHERE kind = ? AND (key, detail) > (?, ?) ORDER BY key, detail LIMIT ?",
                (kind, *last, AT_ONCE),
            ).fetchall()
            if not rows:
                return
            last = rows[-1]
            yield rows

    def mark(self, name: str, of: str, position: int, state: str) -> None:
        """Remember where in a file a line about something begins."""
        self.db.execute("INSERT OR REPLACE INTO line VALUES (?, ?, ?, ?)", (name, of, position, state))

    def marks(self, name: str, of: str) -> Iterator[int]:
        """Where the lines about it begin, in the order of the file."""
        query = "SELECT position FROM line WHERE name = ? AND of = ? ORDER BY position"
        return (int(row[0]) for row in self.db.execute(query, (name, of)))

    def counted(self, name: str) -> dict[str, dict[str, int]]:
        """How many lines there are about each thing, by state."""
        found: dict[str, dict[str, int]] = {}
        for of, state, n in self.db.execute(
            "SELECT of, state, count(*) FROM line WHERE name = ? GROUP BY of, state ORDER BY of, state", (name,)
        ):
            found.setdefault(of, {})[state] = n
        return found

    def commit(self) -> None:
        """Keep what was noted so far, inside a step that goes on from where it was."""
        self.db.commit()

    def write_manifest(self) -> str:
        """The manifest of everything below ``data/``; gives its digest, the bundle's identity."""
        return self._manifest(MANIFEST, "path >= 'data/' AND path < 'data0'")

    def write_tag_manifest(self) -> None:
        """The manifest of everything else but itself."""
        self._manifest(TAG_MANIFEST, f"NOT (path >= 'data/' AND path < 'data0') AND path <> '{TAG_MANIFEST}'")
        self.db.commit()

    def paths(self) -> Iterator[str]:
        """Every file, sorted by bytes."""
        return (str(row[0]) for row in self.db.execute("SELECT path FROM file ORDER BY path"))

    def size(self) -> int:
        """How many bytes the files have together."""
        return int(self.db.execute("SELECT coalesce(sum(bytes), 0) FROM file").fetchone()[0])

    def _manifest(self, path: str, which: str) -> str:
        rows = self.db.execute(f"SELECT path, digest FROM file WHERE {which} ORDER BY path")  # noqa: S608  (our own words)
        self.stream(path, (f"{digest}  {name}\n".encode() for name, digest in rows.fetchall()))
        found = self.db.execute("SELECT digest FROM file WHERE path = ?", (path,)).fetchone()
        return str(found[0])

    def _know(self, path: str, digest: str, size: int) -> None:
        self.db.execute("INSERT OR REPLACE INTO file VALUES (?, ?, ?)", (path, digest, size))
