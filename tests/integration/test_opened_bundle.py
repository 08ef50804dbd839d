"""A bundle opened in the dashboard over a blank database: the numbers of whoever issued it, and nothing that changes anything."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from auditor.bootstrap.opened import OpenedBooks, opened_books
from auditor.cli.temporary import temporary_home
from auditor.domain.bundle import Asked
from auditor.proof.bundle import verify
from auditor.store.reads import Connection, findings, history, inventory, posture, requirements, sources
from auditor.store.reads.findings import FindingFilter
from dashboard.opened import application
from tests.fixtures.database import Provisioned
from tests.fixtures.spine import Spine
from tests.integration.test_bundle import BEGINS, create, unpack, world

__all__ = ["world"]  # a fixture: what is asked for by name must be known by name

LATER = datetime(2026, 10, 9, tzinfo=UTC)


@dataclass(frozen=True)
class Both:
    """The books that issued a bundle, and the bundle's own."""

    world: Spine
    books: OpenedBooks
    root: Path

    @property
    def as_of(self) -> datetime:
        return self.books.bundle.as_of

    def asked(self, read: Callable[[Connection], Any]) -> tuple[Any, Any]:
        """The same read of both."""
        with self.world.here.app.reading(self.world.tenant) as issuer:
            first = read(issuer)
        with self.books.app.reading(self.books.tenant.id) as opened:
            return first, read(opened)


@pytest.fixture(scope="module")
def both(world: Spine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    bundle = create(world, Asked(("hipaa", "soc2"), BEGINS, LATER))
    root = unpack(world, bundle, tmp_path_factory.mktemp("whole"))
    with temporary_home("auditor-test-") as home, opened_books(root, verify(root), world.here.library, home) as books:
        yield Both(world, books, root)


def test_posture_tells_the_same(both: Both) -> None:
    first, second = both.asked(lambda conn: posture.posture(conn, both.world.here.library, both.as_of))
    assert first.total.judged > 20
    assert second == first


def test_findings_tell_the_same(both: Both) -> None:
    library, everything = both.world.here.library, FindingFilter()

    def read(conn: Connection) -> Any:
        total, rows = findings.all_findings(conn, library, everything, both.as_of)
        listed = list(rows)
        return total, listed, [findings.finding(conn, library, one.id, both.as_of) for one in listed]

    first, second = both.asked(read)
    assert first[0] > 20
    assert second == first
