"""A bundle's folder, read again by whoever was handed it: each file that ``docs/bundle.md`` defines, as values, a line at a time.

Enters: the folder of a bundle that was verified. Leaves: ``domain.told`` values. Guards the rule that nothing is believed but
what a manifest names, and that no file is held in memory but the few small ones.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from auditor.domain import told
from auditor.domain.errors import EvidenceError, ExportError
from auditor.exports.bundle import stored_at
from auditor.proof.bag import MANIFEST, Bag
from auditor.proof.report import RefusedError, UnusableError

_T = TypeVar("_T", bound=told.Told)
CONTROLS = "data/controls/"


class BundleFolder:
    """A bundle that lies unpacked.

    Args:
        root: Its folder.

    Raises:
        ExportError: Its files are not those that its manifests name.
    """

    def __init__(self, root: Path) -> None:
        self._bag = Bag(root)
        try:
            self._bag.check(self._bag.walk())
            self.identity = hashlib.sha256(self._bag.read(MANIFEST)).hexdigest()
        except (RefusedError, UnusableError) as error:
            raise ExportError(f"the bundle cannot be read: {error}") from error

    def audit(self) -> told.AuditTold:
        """What it is about."""
        return self._file("data/audit.json", told.AuditTold)

    def sources(self) -> tuple[told.SourceTold, ...]:
        """The sources, once per stretch of their schedule."""
        return self._file("data/scope.json", told.SourcesTold).sources

    def left_out(self) -> tuple[told.LeftOutTold, ...]:
        """What is not connected on purpose."""
        return self._file("data/inventory.json", told.InventoryTold).left_out

    def scope_changes(self) -> Iterator[told.ScopeTold]:
        """The scopes."""
        return self._lines("data/scope_changes.jsonl", told.ScopeTold)

    def changes(self) -> Iterator[told.ChangeTold]:
        """Who changed what; a bundle need not tell it."""
        path = "data/changes.jsonl"
        return self._lines(path, told.ChangeTold) if path in self._bag.payload else iter(())

    def coverage(self) -> Iterator[told.CoverageTold]:
        """How far the looking reached."""
        return self._lines("data/coverage.jsonl", told.CoverageTold)

    def runs(self) -> Iterator[told.RunTold]:
        """What ran, and what did not."""
        return self._lines("data/runs.jsonl", told.RunTold)

    def findings(self) -> Iterator[told.FindingTold]:
        """The findings with their spans."""
        return self._lines("data/findings.jsonl", told.FindingTold)

    def index(self) -> Iterator[tuple[told.EvidenceTold, int]]:
        """The evidence, line by line, each with the size of its content."""
        for line in self._lines("data/evidence/index.jsonl", told.EvidenceTold):
            path = stored_at("evidence", line.digest)
            if path not in self._bag.payload:
                raise ExportError(f"the bundle does not hold {path}, which its index names")
            yield line, (self._bag.root / path).stat().st_size

    def definitions(self) -> Iterator[tuple[str, str, told.DefinitionTold]]:
        """The definitions that judged, each with its check and the digest of what decides."""
        for path in sorted(self._bag.payload):
            if path.startswith(CONTROLS):
                check, _, judged = path.removeprefix(CONTROLS).removesuffix(".json").rpartition("@")
                yield check, judged, self._file(path, told.DefinitionTold)

    def evidence(self, digest: str) -> Mapping[str, Any]:
        """A piece of evidence, its bytes held against its digest once more: the folder may not be ours.

        Raises:
            EvidenceError: It is not in the bundle, or not what its digest says.
        """
        path = stored_at("evidence", digest)
        if path not in self._bag.payload:
            raise EvidenceError(
                "it is not in this bundle", advice="A part holds what its findings rest on, and no more"
            )
        try:
            stored = self._bag.read(path)
        except RefusedError as error:
            raise EvidenceError(f"evidence {digest} was taken away since the bundle was opened") from error
        if hashlib.sha256(stored).hexdigest() != digest:
            raise EvidenceError(f"evidence {digest} was altered since the bundle was opened")
        found: Mapping[str, Any] = json.loads(stored)
        return found

    def _file(self, path: str, kind: type[_T]) -> _T:
        try:
            return _parsed(self._bag.read(path), path, kind)
        except RefusedError as error:
            raise ExportError(f"the bundle cannot be read: {error}") from error

    def _lines(self, path: str, kind: type[_T]) -> Iterator[_T]:
        try:
            for where, line in self._bag.lines(path):
                yield _parsed(line, where, kind)
        except RefusedError as error:
            raise ExportError(f"the bundle cannot be read: {error}") from error


def _parsed(stored: bytes, where: str, kind: type[_T]) -> _T:
    try:
        return kind.model_validate_json(stored)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise ExportError(
            f"{where}: {field}: {first['msg'].lower()}",
            advice="It is no bundle that this release can show; try --pages",
        ) from None
