"""Opening a tenant's books for a bundle: one snapshot, the heads that were chosen for it, and what it would hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Connection, text

from auditor.domain.bundle import Asked, Bundle, Estimate
from auditor.domain.control import Library
from auditor.domain.ports import Objects
from auditor.store.database import Database
from auditor.store.reads import bundle_sql as sql
from auditor.store.reads.bundle import BundleReads, Describe
from auditor.store.reads.bundle_joins import Inputs
from auditor.store.reads.heads import choose, note_of, signed_at


@contextmanager
def reading(
    database: Database,
    objects: Objects,
    library: Library,
    describe: Describe,
    inputs: Inputs,
    product: str,
    tenant: UUID,
    bundle: Bundle,
) -> Iterator[BundleReads]:
    """A tenant's books as this bundle tells them.

    Raises:
        ExportError: The ledger has no signed head within the period.
    """
    with database.reading(tenant) as connection:
        yield BundleReads(
            connection,
            tenant,
            bundle.asked,
            choose(connection, bundle.asked, end_size=bundle.head_size),
            objects,
            describe,
            inputs=inputs,
            controls=checks_of(library),
            fresh=freshness(library),
            product=product,
        )


def estimate(connection: Connection, asked: Asked, library: Library) -> Estimate:
    """What such a bundle would hold, counted now."""
    window = {"begins": asked.begins, "ends": asked.ends}
    found = connection.execute(text(sql.FINDINGS_OF), window | sql.narrowed(asked, checks_of(library))).one()
    evidence = found.evidence if asked.partial else connection.execute(text(sql.EVIDENCE_OF), window).scalar_one()
    size = connection.execute(text("SELECT max(size) FROM ledger_checkpoint")).scalar_one()
    head_at = None if size is None else signed_at(note_of(connection, size))
    without = tuple(sorted(set(asked.resources) - set(found.told or ())))
    return Estimate(found.findings, found.spans, evidence, 0 if asked.partial else size or 0, head_at, without)


def checks_of(library: Library) -> Mapping[str, Sequence[str]]:
    """Check ids by control."""
    return {control.id: [check.id for check in control.checks] for control in library.controls}


def freshness(library: Library) -> Mapping[str, timedelta]:
    """How long a look at a type serves: as long as the check that wants it freshest allows."""
    return {kind: min(check.fresh_for for check in checks) for kind, checks in library.by_resource.items()}
