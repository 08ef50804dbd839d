"""An opened bundle: a blank database in a folder of its own, the bundle's contents in it as one tenant, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from auditor.domain.control import Library
from auditor.domain.errors import ConfigurationError
from auditor.domain.opened import Difference, Opened, of_part
from auditor.exports.opening import BundleFolder
from auditor.proof.report import PINNED, Report

if TYPE_CHECKING:
    from auditor.domain.told import AuditTold
    from auditor.store.database import Database
    from auditor.store.identity import Tenant

SLUG = "bundle"


@dataclass(frozen=True, slots=True)
class OpenedBooks:
    """What pages read of a bundle: rows that nobody can change any more, evidence from its files, and what is asked of it."""

    bundle: Opened
    tenant: Tenant
    library: Library
    app: Database
    folder: BundleFolder

    def evidence(self, _tenant: UUID, digest: str) -> Mapping[str, Any]:
        """Evidence by digest, as the bundle holds it."""
        return self.folder.evidence(digest)


@contextmanager
def opened_books(root: Path, said: Report, library: Library, home: Path) -> Iterator[OpenedBooks]:
    """The books of a verified bundle, under ``home``, which nobody else uses.

    Args:
        root: The folder of the bundle.
        said: What the verifier said of it.
        library: What is asked: requirements and controls are these, not the bundle's.
        home: Where the database lies; removing it is the caller's.

    Raises:
        ConfigurationError: The database that comes along is not installed, or cannot run here.
        ExportError: The bundle verifies, but its files do not fit together.
    """
    from auditor.store import embedded  # noqa: PLC0415  (SQLAlchemy is not for scans)
    from auditor.store.database import connect  # noqa: PLC0415
    from auditor.store.provision import Roles, freeze, migrate  # noqa: PLC0415

    if find_spec(embedded.WHEEL) is None:
        raise ConfigurationError(
            "showing a bundle in the dashboard needs the embedded database, which is not installed",
            advice="Install the extra 'embedded', or look at the bundle's own pages: --pages",
        )
    folder, roles = BundleFolder(root), Roles()
    server = embedded.start(home, roles)
    try:
        migrate(server.urls.owner, roles)
        with closing(connect(server.urls.app, connections=2)) as blank:
            books = bring_in(blank, folder, said, library)
        freeze(server.urls.admin, roles.app)
        with closing(connect(server.urls.app)) as app:
            yield replace(books, app=app)
    finally:
        server.stop()


def bring_in(blank: Database, folder: BundleFolder, said: Report, library: Library) -> OpenedBooks:
    """A bundle's contents as the one tenant of a database that has no rows.

    Raises:
        ExportError: The files do not fit together.
    """
    from auditor.store.bringing_in import BringingIn  # noqa: PLC0415  (SQLAlchemy is not for scans)
    from auditor.store.identity import Identities  # noqa: PLC0415
    from auditor.store.memory import MemoryObjects  # noqa: PLC0415
    from auditor.store.tenant_store import EVALUATOR  # noqa: PLC0415

    audit = folder.audit()
    tenant = Identities(blank).add_tenant(audit.tenant, slug=SLUG, name=audit.name, now=audit.period.begins)
    with blank.under(tenant.id) as connection:
        brought = BringingIn(connection, tenant.id, MemoryObjects(), EVALUATOR).bring_in(folder, library)
    return OpenedBooks(
        bundle=_opened(folder.identity, audit, said, brought.differences),
        tenant=tenant,
        library=of_part(library, brought.checks) if audit.partial else library,
        app=blank,
        folder=folder,
    )


def _opened(identity: str, audit: AuditTold, said: Report, differences: Mapping[str, Difference]) -> Opened:
    return Opened(
        identity=identity,
        name=audit.name,
        product=audit.product,
        frameworks=audit.frameworks,
        begins=audit.period.begins,
        ends=audit.period.ends,
        as_of=audit.as_of,
        running=audit.running,
        pinned=said.trust == PINNED,
        steps=tuple((one.name, one.says) for one in said.steps),
        remarks=said.remarks,
        part=_part(audit.partial or {}),
        differences=differences,
    )


def _part(told: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """What a part is narrowed to, whatever nouns it uses."""
    return {noun: tuple(map(str, of)) if isinstance(of, list) else (str(of),) for noun, of in told.items()}
