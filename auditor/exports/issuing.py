"""Issuing a bundle: written in a work folder, sealed, packed, and kept in parts as evidence is kept.

A part is small enough to be held, so that neither worker nor web ever holds a bundle. Each is an object like a piece of evidence:
known by its digest, sealed under a key of its own, locked, held and purged with the rest. Two bundles of equal bytes share theirs.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

from auditor.domain.bundle import Bundle, Issued, Signed, Written
from auditor.domain.control import Library
from auditor.domain.errors import EvidenceError, ExportError
from auditor.domain.ports import Objects
from auditor.exports.archive import write_zip
from auditor.exports.bundle import BundleSource, BundleWriter
from auditor.exports.tree import Tree
from auditor.proof.bag import MANIFEST

PART = 8 << 20


Reading = Callable[[UUID, Bundle], AbstractContextManager[BundleSource]]


@dataclass(frozen=True, slots=True)
class Issuing:
    """``pipeline.export.Issuer`` over a folder for work and a place for what is done.

    Args:
        reading: One snapshot of a tenant's books as a bundle tells them.
        work: Where trees are written; what lies there after a kill is gone on with.
        objects: Where evidence is kept, and ZIPs beside it.
        library: Requirements and controls as pages tell them.
        stamp: A time stamp over a SHA-256 digest, where there is an authority that answers.
    """

    reading: Reading
    work: Path
    objects: Objects
    library: Library
    stamp: Callable[[bytes], bytes | None]

    def write(self, tenant: UUID, bundle: Bundle, tell: Callable[[str, int], None]) -> Written:
        """The tree up to its manifest."""
        tree = Tree(self._folder(bundle))
        try:
            with self.reading(tenant, _pinned(tree, bundle)) as source:
                head, audit = source.ledger().end_size, source.audit()
                tree.note("head", str(head))
                tree.commit()
                identity = BundleWriter(source, tree, self.library, tell).write()
        finally:
            tree.close()
        period = (audit["period"]["from"], audit["period"]["to"])
        return Written(identity, _sha512(tree.root / MANIFEST), head, period)

    def issue(self, tenant: UUID, bundle: Bundle, written: Written, signed: Signed) -> Issued:
        """The rest of it, and the ZIP in parts."""
        folder = self._folder(bundle)
        tree = Tree(folder)
        try:
            with self.reading(tenant, _pinned(tree, bundle)) as source:
                BundleWriter(source, tree, self.library).seal(signed, self.stamp(bytes.fromhex(written.sha256)))
            packed = folder / "bundle.zip"
            size = write_zip(tree.root, tree.paths(), packed, folder=name_of(bundle))
        finally:
            tree.close()
        parts: list[str] = []
        with packed.open("rb") as file:
            while part := file.read(PART):
                parts.append(hashlib.sha256(part).hexdigest())
                self.objects.put(tenant, parts[-1], part)
        return Issued(tuple(parts), size)

    def forget(self, bundle: Bundle) -> None:
        """Remove the work folder."""
        shutil.rmtree(self._folder(bundle), ignore_errors=True)

    def read(self, tenant: UUID, bundle: Bundle) -> Iterator[bytes]:
        """A bundle's ZIP, part by part.

        Raises:
            ExportError: It was not issued, or a part of it is gone.
        """
        again = "Create it again: as long as the evidence is kept, its identity is the same"
        if not bundle.parts:
            raise ExportError(f"nothing is kept of bundle {bundle.id}", advice=again)
        for part in bundle.parts:
            try:
                yield self.objects.get(tenant, part)
            except EvidenceError as error:
                raise ExportError(f"a part of bundle {bundle.id} cannot be read: {error}", advice=again) from error

    def _folder(self, bundle: Bundle) -> Path:
        return self.work / str(bundle.id)


def name_of(bundle: Bundle) -> str:
    """How its folder and ZIP are called."""
    asked = bundle.asked
    named = "-".join(asked.frameworks) or "all"
    part = "-part" if asked.partial else ""
    return f"bundle-{named}{part}-{asked.begins:%Y-%m-%d}-{asked.ends:%Y-%m-%d}"


def _pinned(tree: Tree, bundle: Bundle) -> Bundle:
    """The bundle under the head that its tree was begun with: half of it must not tell of another moment."""
    told = tree.fact("head")
    return bundle if told is None else replace(bundle, head_size=int(told))


def _sha512(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha512").hexdigest()
