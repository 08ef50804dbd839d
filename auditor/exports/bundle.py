"""The bundle: everything an auditor takes away, written file by file as ``docs/bundle.md`` defines them.

Enters: a ``BundleSource`` (frozen views of one ledger size), a ``Tree`` to write into. Leaves: the tree up to its manifest; then,
with the signatures over it, the whole. Guards three rules. The same input gives the same bytes. Nothing that grows with the
tenant is held in memory. And what the verifier would refuse is refused here first, with the sentence that says why.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from auditor import proof
from auditor.domain.bundle import Signed, stood
from auditor.domain.control import Library
from auditor.domain.errors import ExportError
from auditor.domain.redaction import Redaction, redactions
from auditor.domain.volatile import beside, is_beside
from auditor.exports import bundle_texts as texts
from auditor.exports.bundle_pages import write_pages
from auditor.exports.bundle_tables import write_tables
from auditor.exports.tree import Tree
from auditor.proof import sshsig
from auditor.proof.bag import DECLARATION, MANIFEST
from auditor.proof.bundle import HEAD, KEY, NOTE, SSHSIG, STAMPED, TSR
from auditor.proof.canonical import canonical, instant
from auditor.proof.expression import LANGUAGE
from auditor.proof.merkle import Nodes, cover, inclusion_proof
from auditor.proof.note import InclusionProof, VerifierKey
from auditor.proof.rotation import RETIRED, proof_path

Line = Mapping[str, Any]
LEDGER = "data/ledger"
FINDINGS = "data/findings.jsonl"
CALLS_AT_ONCE = 8
"""Records of calls that are held at once: one may be of a megabyte."""
FEW = 200
"""Up to so many entries from before are shown by proofs of their own, one file each; more lie together in one file."""


class Entry(NamedTuple):
    """An entry of the ledger as stored, with the index of its leaf."""

    leaf: int
    stored: bytes


class LedgerEnds(Protocol):
    """Between which signed heads the bundle tells the ledger; without ``start_note`` it is told from its first entry."""

    @property
    def start_note(self) -> str | None:
        """The head before the period, if one was signed."""

    @property
    def start_size(self) -> int:
        """How many entries it covers."""

    @property
    def end_note(self) -> str:
        """The head that the bundle reaches to."""

    @property
    def end_size(self) -> int:
        """How many entries it covers."""

    @property
    def end_token(self) -> bytes | None:
        """The time stamp over it, if it was given one."""


class BundleSource(Protocol):
    """What there is to hand over, in the words of ``docs/bundle.md``, all of it as of one ledger size.

    What is iterated comes in the order that the files want, and is read as it is asked for.
    """

    def audit(self) -> Line:
        """``audit.json``; ``partial`` names what a part of a bundle is about."""

    def ledger(self) -> LedgerEnds:
        """The heads."""

    def scope(self) -> Iterable[Line]:
        """The sources of ``scope.json``."""

    def scope_changes(self) -> Iterable[Line]:
        """``scope_changes.jsonl``."""

    def changes(self) -> Iterable[Line]:
        """Every change of definition, parameter, mapping, scope and source in the period, with who and why, by time."""

    def inventory(self) -> Iterable[Line]:
        """The resources of ``inventory.json``."""

    def left_out(self) -> Iterable[Line]:
        """The decisions of ``inventory.json`` that something is not connected."""

    def coverage(self) -> Iterable[Line]:
        """``coverage.jsonl``."""

    def coverage_of_joins(self) -> Iterable[Line]:
        """``coverage_joins.jsonl``."""

    def runs(self) -> Iterable[Line]:
        """``runs.jsonl``."""

    def findings(self) -> Iterable[Line]:
        """``findings.jsonl``: all of them, or those a part is about."""

    def definition(self, check: str, judged: str, published: str) -> Line | None:
        """A check's definition as it judged, in one published text; none if it was not kept."""

    def evidence(self, wanted: Callable[[Line], bool]) -> Iterable[Line]:
        """The lines of ``evidence/index.jsonl`` but for ``redactions``, as far as they are wanted."""

    def calls(self, digests: Sequence[str]) -> Iterable[Line]:
        """The lines of ``calls/index.jsonl`` about these records."""

    def gone(self) -> Iterable[Line]:
        """``evidence/gone.jsonl``."""

    def contents(self, digests: Sequence[str]) -> Mapping[str, bytes]:
        """Evidence and records of calls as stored, by digest."""

    def documents(self, wanted: Sequence[tuple[str, str]]) -> Mapping[str, bytes]:
        """Documents by digest, asked for as (document digest, evidence digest); one that cannot be had is left out."""

    def entries(self, start: int, stop: int) -> Iterator[bytes]:
        """The ledger's entries, as stored."""

    def entries_of(self, subjects: Sequence[str]) -> Iterable[tuple[int, bytes]]:
        """The entries about these, in any order: openings of spans, evidence kept, runs ended."""

    def node(self, level: int, index: int) -> bytes:
        """A perfect subtree's hash."""

    def rotation(self, before: VerifierKey, after: VerifierKey) -> InclusionProof | None:
        """That the ledger names one key as the next, under a head that both signed; none if it does not."""


Tell = Callable[[str, int], None]


def nobody(_step: str, _percent: int) -> None:
    """Progress that is told to nobody."""


@dataclass(slots=True)
class BundleWriter:
    """Writes a bundle in steps, each of which is done once however often the build is begun.

    Args:
        source: What there is.
        tree: Where it goes.
        library: Requirements and controls as they are told about; verdicts rest on the definitions in the source alone.
        tell: Told which step begins, and how far along that is in percent.
    """

    source: BundleSource
    tree: Tree
    library: Library
    tell: Tell = nobody
    _audit: Line = field(default_factory=dict)

    def write(self) -> str:
        """Everything below ``data/``, and its manifest; gives the manifest's digest, the bundle's identity.

        Raises:
            ExportError: Something the bundle rests on cannot be had; no bundle is better than one that is refused.
        """
        self._audit = self.source.audit()
        steps: tuple[tuple[str, Callable[[], object]], ...] = (
            ("what it is about", self._about),
            ("coverage and runs", self._reach),
            ("findings", self._findings),
            ("definitions", self._definitions),
            ("evidence", self._evidence),
            ("calls", self._calls),
            ("documents", self._documents),
            ("ledger", self._ledger),
            ("tables", lambda: write_tables(self.tree)),
            ("pages", lambda: write_pages(self.tree, self.library)),
            ("manifest", lambda: self.tree.note("identity", self.tree.write_manifest())),
        )
        for position, (name, do) in enumerate(steps):
            self.tell(name, position * 100 // (len(steps) + 1))
            self.tree.step(name, do)
        return self.tree.fact("identity") or ""

    def seal(self, signed: Signed, token: bytes | None = None) -> None:
        """Everything beside ``data/``, once the manifest was signed, and stamped if ``token`` is given."""
        key, audit = VerifierKey.parse(signed.key), self.source.audit()
        self.tree.put("bagit.txt", DECLARATION.encode())
        self.tree.put("bag-info.txt", texts.bag_info(audit, self.tree.size()).encode())
        if token is not None:
            self.tree.put(f"{MANIFEST}{TSR}", token)
        stamped = [one for one in STAMPED if self.tree.has(f"{one}{TSR}")]
        self.tree.put("README.txt", texts.readme(audit, str(key), stamped).encode())
        self.tree.put(KEY, f"{key}\n".encode())
        self._keys_before(key, [VerifierKey.parse(one) for one in signed.retired])
        self.tree.put("keys/allowed_signers", sshsig.allowed_signer("auditor", key.key).encode())
        self.tree.put(NOTE, signed.note.encode())
        self.tree.put(SSHSIG, signed.ssh.encode())
        for name, stored in verifier():
            self.tree.put(f"verify/{name}", stored)
        self.tree.write_tag_manifest()

    def _keys_before(self, key: VerifierKey, retired: Sequence[VerifierKey]) -> None:
        """The keys that led to the one that seals, as far as this log has known them."""
        chain = [key]
        for before in reversed(retired):
            shown = self.source.rotation(before, chain[0])
            if shown is None:
                break
            self.tree.put(proof_path(chain[0]), str(shown).encode())
            chain.insert(0, before)
        if len(chain) > 1:
            self.tree.put(RETIRED, "".join(f"{one}\n" for one in chain[:-1]).encode())

    def manifest(self) -> bytes:
        """The bytes that ``ssh-keygen`` verifies."""
        return (self.tree.root / MANIFEST).read_bytes()

    def _about(self) -> None:
        self.tree.put_json("data/audit.json", self._audit)
        self.tree.put_json("data/scope.json", {"sources": list(self.source.scope())})
        self.tree.put_lines("data/scope_changes.jsonl", self.source.scope_changes())
        self.tree.put_lines("data/changes.jsonl", self.source.changes())
        inventory = {"resources": list(self.source.inventory()), "left_out": list(self.source.left_out())}
        self.tree.put_json("data/inventory.json", inventory)
        self.tree.put("data/limits.txt", texts.LIMITS.encode())

    def _reach(self) -> None:
        self.tree.put_lines("data/coverage.jsonl", self.source.coverage())
        self.tree.put_lines("data/coverage_joins.jsonl", self.source.coverage_of_joins())
        self.tree.put_lines("data/runs.jsonl", self._told_runs())

    def _told_runs(self) -> Iterator[Line]:
        for run in self.source.runs():
            if run["state"] not in {"missed", "running"}:
                self.tree.want("entry", run["run"])
            yield run

    def _findings(self) -> None:
        self.tree.stream(FINDINGS, self._told_findings())

    def _told_findings(self) -> Iterator[bytes]:
        position = 0
        for line in self.source.findings():
            for span in line["spans"]:
                self._want(line, span)
            stored = canonical(line) + b"\n"
            self.tree.mark("finding", line["check"], position, line["spans"][-1]["state"])
            position += len(stored)
            yield stored

    def _want(self, line: Line, span: Line) -> None:
        self.tree.want("entry", span["opened_event"])
        if span["judged_digest"] is not None:
            self.tree.want("definition", f"{line['check']}@{span['judged_digest']}", span["published_digest"])
        if span["evidence_digest"] is not None:
            self.tree.want("evidence", span["evidence_digest"], line["resource"])
            self.tree.want("document", span["document_digest"], span["evidence_digest"])
            self.tree.want("volatile", _place_of(line, beside(line["resource_type"])), span["judged_as_of"])

    def _definitions(self) -> None:
        texts_of: dict[str, list[Line]] = {}  # as many as there are checks: these few are held
        for rows in self.tree.wanted("definition"):
            for name, published in rows:
                check, _, judged = name.partition("@")
                found = self.source.definition(check, judged, published)
                if found is None:
                    raise ExportError(
                        f"the definition {check} that judged as {judged[:12]} was not kept",
                        advice="Install the release that judged it once, and let it run: it keeps its definitions",
                    )
                texts_of.setdefault(name, []).append(found)
        for name, found_in in texts_of.items():
            said = {"check": found_in[0], "published": found_in, "language": LANGUAGE}
            self.tree.put_json(f"data/controls/{name}.json", said)

    def _evidence(self) -> None:
        @lru_cache(maxsize=1)  # the facts of a type and place follow each other
        def judged(place: str) -> tuple[datetime, ...]:
            query = "SELECT detail FROM wanted WHERE kind = 'volatile' AND key = ?"
            return tuple(instant(row[0]) for row in self.tree.db.execute(query, (place,)))

        def wanted(line: Line) -> bool:
            if is_beside(line["type"]):  # no span names these: one that was judged while they stood rests on them
                return any(stood(line, at) for at in judged(_place_of(line, line["type"])))
            query = "SELECT 1 FROM wanted WHERE kind = 'evidence' AND key = ? AND detail = ?"
            return self.tree.db.execute(query, (line["digest"], line["resource"])).fetchone() is not None

        def told() -> Iterator[Line]:
            lines = iter(self.source.evidence(wanted))
            while some := list(islice(lines, FEW)):
                kept = self._contents(list(dict.fromkeys(line["digest"] for line in some)))
                for line in some:
                    self.tree.want("entry", line["evidence"])
                    if line["calls"] is not None:
                        self.tree.want("calls", line["calls"]["record"])
                    yield {**line, "redactions": kept[line["digest"]]}

        self.tree.put_lines("data/evidence/index.jsonl", told())
        self.tree.put_lines("data/evidence/gone.jsonl", self.source.gone())

    def _calls(self) -> None:
        def told() -> Iterator[Line]:
            for rows in self.tree.wanted("calls"):
                digests = [digest for digest, _ in rows]
                for first in range(0, len(digests), CALLS_AT_ONCE):
                    some = digests[first : first + CALLS_AT_ONCE]
                    for digest, stored in self.source.contents(some).items():
                        self.tree.put(stored_at("calls", digest), stored)
                    for line in self.source.calls(some):
                        self.tree.want("entry", line["evidence"])
                        yield line

        self.tree.put_lines("data/calls/index.jsonl", told())

    def _contents(self, digests: Sequence[str]) -> Mapping[str, Sequence[Line]]:
        """Write these, unless they are written; gives what was taken out of each, which only its marks can tell."""
        missing = [digest for digest in digests if not self.tree.has(stored_at("evidence", digest))]
        found = dict(self.source.contents(missing))
        for digest, stored in found.items():
            self.tree.put(stored_at("evidence", digest), stored)
        for digest in set(digests) - set(missing):
            with self.tree.open(stored_at("evidence", digest)) as file:
                found[digest] = file.read()
        return {digest: [asdict(one) for one in redacted(found[digest])] for digest in digests}

    def _documents(self) -> None:
        for rows in self.tree.wanted("document"):
            missing = [row for row in rows if not self.tree.has(stored_at("documents", row[0]))]
            found = self.source.documents(missing)
            for digest, stored in found.items():
                self.tree.put(stored_at("documents", digest), stored)
            lost = sorted({digest for digest, _ in missing} - found.keys())
            if lost:
                raise ExportError(
                    f"{len(lost)} documents that verdicts rest on cannot be had, such as {lost[0][:12]}",
                    advice="They were judged by another release and not kept; bundle a later period, or use that release",
                )
            self.tree.commit()

    def _ledger(self) -> None:
        ends = self.source.ledger()
        told_from = ends.end_size if self._audit.get("partial") else ends.start_size
        start_note = ends.end_note if self._audit.get("partial") else ends.start_note
        if start_note is not None:
            self.tree.put(f"{LEDGER}/checkpoint.start", start_note.encode())
        self.tree.put(HEAD, ends.end_note.encode())
        if ends.end_token is not None:
            self.tree.put(f"{HEAD}{TSR}", ends.end_token)
        left = [self.source.node(*one).hex() for one in cover(0, told_from)]
        self.tree.put_json(f"{LEDGER}/frontier.start.json", {"size": told_from, "hashes": left})
        self.tree.stream(
            f"{LEDGER}/entries.jsonl", (one + b"\n" for one in self.source.entries(told_from, ends.end_size))
        )
        self._earlier(told_from, ends)

    def _earlier(self, told_from: int, ends: LedgerEnds) -> None:
        """What the bundle rests on from before: kept aside by index first, so that the file can be written in order."""
        self.tree.db.execute("CREATE TABLE IF NOT EXISTS earlier (leaf INTEGER PRIMARY KEY, stored BLOB)")
        for rows in self.tree.wanted("entry"):
            for entry in self.source.entries_of([subject for subject, _ in rows]):
                if entry[0] < told_from:
                    self.tree.db.execute("INSERT OR IGNORE INTO earlier VALUES (?, ?)", entry)
        count = self.tree.db.execute("SELECT count(*) FROM earlier").fetchone()[0]
        found = (Entry(*row) for row in self.tree.db.execute("SELECT leaf, stored FROM earlier ORDER BY leaf"))
        if 0 < count <= FEW and self._audit.get("partial"):
            for entry in found:
                self._prove(entry, ends)
        elif count:
            self.tree.stream(f"{LEDGER}/earlier.jsonl", earlier_lines(found, told_from, self.source.node))

    def _prove(self, entry: Entry, ends: LedgerEnds) -> None:
        hashes = tuple(inclusion_proof(entry.leaf, ends.end_size, self.source.node))
        proof_text = str(InclusionProof(entry.leaf, hashes, ends.end_note, entry.stored))
        subject = json.loads(entry.stored)["subject"]
        self.tree.put(f"{LEDGER}/proofs/{subject}.tlog-proof", proof_text.encode())


def _place_of(line: Line, name: str) -> str:
    return f"{line['source']} {line['place']} {name}"


def stored_at(folder: str, digest: str) -> str:
    """Where a content lies, by its digest."""
    return f"data/{folder}/{digest[:2]}/{digest}.json"


def redacted(stored: bytes) -> tuple[Redaction, ...]:
    """What was taken out of a piece of evidence, by the marks in it."""
    if b'"patterns_version"' not in stored:  # most has none, and need not be read
        return ()
    return redactions(json.loads(stored)["content"])


def earlier_lines(entries: Iterable[Entry], size: int, node: Nodes) -> Iterator[bytes]:
    """Single entries in order, with the hashes of what lies between them, up to ``size``."""
    at = 0
    for entry in entries:
        yield from _skipped(at, entry.leaf, node)
        yield entry.stored + b"\n"
        at = entry.leaf + 1
    yield from _skipped(at, size, node)


def _skipped(start: int, stop: int, node: Nodes) -> Iterator[bytes]:
    for level, index in cover(start, stop):
        yield canonical({"hash": node(level, index).hex(), "level": level}) + b"\n"


def verifier() -> Iterator[tuple[str, bytes]]:
    """The files of ``auditor/proof``, as they are, by name."""
    folder = Path(proof.__file__).parent
    return ((path.name, path.read_bytes()) for path in sorted(folder.glob("*.py")))
