"""The store as the pipeline asks for it: one transaction under one tenant, all nouns within."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from auditor import __version__
from auditor.domain.ports import Objects
from auditor.store.bundles import BundleRows
from auditor.store.database import Database
from auditor.store.estate import EstateRows
from auditor.store.evidence import EvidenceRows
from auditor.store.findings import FindingRows
from auditor.store.members import MemberRows
from auditor.store.preflights import PreflightRows
from auditor.store.retention import RetentionRows
from auditor.store.runs import RunRows
from auditor.store.upkeep import UpkeepRows
from auditor.store.volatile import VolatileRows
from auditor.store.webhooks import WebhookRows

EVALUATOR = f"auditor {__version__}"
"""What judges, as spans name it."""


class PostgresTenantStore(
    EstateRows,
    RunRows,
    EvidenceRows,
    VolatileRows,
    FindingRows,
    PreflightRows,
    WebhookRows,
    MemberRows,
    RetentionRows,
    UpkeepRows,
    BundleRows,
):
    """``domain.ports.TenantStore`` over one open transaction."""


class PostgresStore:
    """``domain.ports.Store`` over the application role.

    Args:
        database: The application role's connections.
        objects: Where evidence bytes lie.
        evaluator: What judges, as ``Current`` and spans name it.
    """

    def __init__(self, database: Database, objects: Objects, *, evaluator: str = EVALUATOR) -> None:
        self._database = database
        self._objects = objects
        self._evaluator = evaluator

    @contextmanager
    def open(self, tenant: UUID) -> Iterator[PostgresTenantStore]:
        """One transaction under one tenant; committed on leaving, rolled back on an error."""
        with self._database.under(tenant) as connection:
            yield PostgresTenantStore(connection, tenant, self._objects, self._evaluator)
