"""A bundle opened in the dashboard over a blank database: the numbers of whoever issued it, and nothing that changes anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask, url_for
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from auditor.bootstrap.opened import OpenedBooks, opened_books
from auditor.cli.temporary import temporary_home
from auditor.domain.bundle import Asked
from auditor.proof.bundle import verify
from auditor.proof.canonical import stamp
from auditor.store import schema
from auditor.store.reads import Connection, findings, history, posture, requirements, sources
from auditor.store.reads.findings import FindingFilter
from auditor.store.reads.inventory import inventory
from dashboard.opened import application
from tests.fixtures.spine import DAY, Spine
from tests.integration.test_bundle import BEGINS, create, unpack, world

__all__ = ["world"]  # a fixture: what is asked for by name must be known by name

OURS = frozenset(schema.metadata.tables) - {"ledger_pending", *schema.GLOBAL}
ANY_FINDING = """
SELECT finding_id FROM finding f JOIN resource r USING (tenant_id, resource_id)
WHERE native_id LIKE '%charts' AND check_id = 's3.bucket.public_access_blocked'
"""
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


@contextmanager
def opened(world: Spine, asked: Asked, folder: Path) -> Iterator[Both]:
    root = unpack(world, create(world, asked), folder)
    with temporary_home("auditor-test-") as home, opened_books(root, verify(root), world.here.library, home) as books:
        yield Both(world, books, root)


@pytest.fixture(scope="module")
def both(world: Spine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    with opened(world, Asked(("hipaa", "soc2"), BEGINS, LATER), tmp_path_factory.mktemp("whole")) as made:
        yield made


def test_posture_tells_the_same(both: Both) -> None:
    first, second = both.asked(lambda conn: posture.posture(conn, both.world.here.library, both.as_of))
    assert first.total.judged > 20
    assert second == first


def shown(detail: Any) -> Any:
    """A finding as its page tells it: which run saw an answer first, and how it was listed, no bundle tells and no page shows."""
    told = ("digest", "operations", "caller", "endpoint", "place", "valid_from", "last_at")
    found = detail.provenance and {name: detail.provenance[name] for name in told}
    # About a place there is no evidence: the books keep an empty word there, and a bundle a null.
    span = {name: value or None if name.endswith("_digest") else value for name, value in detail.span.items()}
    return detail.row, span, found, detail.last_look_at, detail.standing, detail.definition


def test_findings_tell_the_same_one_by_one_and_with_their_history(both: Both) -> None:
    library, everything = both.world.here.library, FindingFilter()

    def read(conn: Connection) -> Any:
        total, rows = findings.all_findings(conn, library, everything, both.as_of)
        listed = list(rows)
        details = [findings.finding(conn, library, one.id, both.as_of) for one in listed]
        return total, listed, [shown(one) for one in details], [_stretches(conn, one) for one in listed]

    def _stretches(conn: Connection, row: Any) -> Any:
        where = {"source": row.source, "place": row.place, "resource_type": row.resource_type, "check": row.check}
        found = history.stretches(conn, library, row.id, **where, as_of=both.as_of)
        # A bundle tells a finding from the span that reaches into its period.
        told = [one for one in found if one.until is None or one.until > BEGINS]
        return [replace(one, evidence_digest=one.evidence_digest or None) for one in told]

    first, second = both.asked(read)
    assert first[0] > 20
    assert second[:2] == first[:2]
    for one, other in zip(first[2] + first[3], second[2] + second[3], strict=True):
        assert other == one


def test_frameworks_and_controls_tell_the_same(both: Both) -> None:
    library = both.world.here.library

    def read(conn: Connection) -> Any:
        told = [requirements.framework(conn, library, one.id, both.as_of) for one in library.frameworks]
        counted = [
            findings.reasons(conn, library, FindingFilter(control=one.id), both.as_of) for one in library.controls
        ]
        controls = [requirements.control(conn, library, one.id, both.as_of) for one in library.controls]
        return told, controls, [sorted(one) for one in counted]

    first, second = both.asked(read)
    assert second == first


def test_drift_coverage_and_inventory_tell_the_same(both: Both) -> None:
    library = both.world.here.library

    def read(conn: Connection) -> Any:
        drift = history.drift(conn, BEGINS, both.as_of, limit=500)
        return drift, posture.coverage(conn, library, both.as_of), inventory(conn, both.as_of)

    first, second = both.asked(read)
    assert first[0].counts["opened"] > 0
    assert first[0].counts["resolved"] > 0
    assert second == first


def test_the_chart_of_the_period_is_the_same(both: Both) -> None:
    library, until = both.world.here.library, both.as_of.date()
    first, second = both.asked(lambda conn: posture.daily(conn, library, until=until, days=5))
    assert len(first) == 5
    assert len({one.by_framework["hipaa"] for one in first}) > 1
    assert second == first


def test_of_a_bundle_from_the_beginning_on_the_first_run_is_a_baseline_and_no_drift(
    world: Spine, tmp_path: Path
) -> None:
    with opened(world, Asked((), BEGINS - 2 * DAY, LATER), tmp_path) as made:
        first, second = made.asked(lambda conn: history.drift(conn, BEGINS - 2 * DAY, made.as_of, limit=500))
    assert first.rows[-1].at > BEGINS
    assert second == first


def test_a_real_part_tells_its_control_as_the_whole_does_and_asks_for_nothing_else(
    world: Spine, tmp_path: Path
) -> None:
    library = world.here.library
    control = library.check["s3.bucket.public_access_blocked"].control
    with opened(world, Asked(("soc2",), BEGINS, LATER, controls=(control,)), tmp_path) as made:
        first, second = made.asked(lambda conn: requirements.control(conn, library, control, made.as_of))
        assert second == first
        standing = made.asked(lambda conn: posture.posture(conn, made.books.library, made.as_of))[1]
        page = entered(made.books).get("/")
    assert [one.id for one in made.books.library.controls] == [control]
    assert all(not one.unseen for one in standing.frameworks)
    assert standing.total == first.tally
    assert "<strong>A part</strong> (controls)" in page.text


def test_sources_tell_the_same(both: Both) -> None:
    first, second = both.asked(lambda conn: sources.sources(conn, both.as_of))
    assert [one.run.state for one in first] == ["done"]
    assert second == tuple(replace(one, regions=tuple(sorted(one.regions))) for one in first)


def test_nobody_writes_into_an_opened_bundle(both: Both) -> None:
    with pytest.raises(DBAPIError, match="read-only"), both.books.app.under(both.books.tenant.id) as conn:
        conn.execute(text("UPDATE finding SET state = 'pass'"))


def entered(books: OpenedBooks) -> FlaskClient:
    """A browser that used the link."""
    app, link = application(books, base_url="http://127.0.0.1:1")
    client = app.test_client()
    assert client.get(urlsplit(link).path).status_code == 303
    return client


def test_the_link_opens_once_and_without_it_no_page_is_shown(both: Both) -> None:
    app, link = application(both.books, base_url="http://127.0.0.1:1")
    path = urlsplit(link).path
    assert app.test_client().get("/").status_code == 401
    assert app.test_client().get("/findings.csv").status_code == 401
    assert app.test_client().get(f"{path}x").status_code == 401
    assert app.test_client().head(path).status_code == 401
    first = app.test_client()
    assert first.get(path).headers["Location"] == "/"
    assert first.get("/").status_code == 200
    assert app.test_client().get(path).status_code == 401
    assert first.get(path).status_code == 303  # who is in already goes on


def addresses(both: Both, app: Flask, *, read: bool = False) -> Iterator[str]:
    """Every address that the application has, or that may be read, with something real in it."""
    _, ids = both.asked(lambda conn: (sources.sources(conn, both.as_of)[0].id, conn.scalar(text(ANY_FINDING))))
    for rule in app.url_map.iter_rules():
        if read and ("GET" not in (rule.methods or ()) or rule.endpoint == "static"):
            continue
        real = {"finding": ids[1], "control": "data-access-recorded", "framework": "hipaa"}
        given = real.get(rule.endpoint.partition(".")[0], ids[0])
        values: dict[str, Any] = {name: "app.css" if name == "filename" else given for name in rule.arguments}
        with app.test_request_context():
            yield url_for(rule.endpoint, **values)


def test_no_route_changes_anything_whatever_is_sent_to_it(both: Both) -> None:
    client = entered(both.books)
    before = both.asked(written)[1]
    there = list(addresses(both, client.application))
    assert len(there) > 15
    for address in there:
        for method in ("post", "put", "patch", "delete"):
            answer = getattr(client, method)(address, data={"form_token": "x", "reason": "why", "what": "aws 1"})
            assert answer.status_code == 403, (method, address)
    assert both.asked(written)[1] == before


def test_every_page_says_which_bundle_it_shows_and_holds_no_form_that_sends(both: Both) -> None:
    client = entered(both.books)
    shown_pages = 0
    for address in addresses(both, client.application, read=True):
        answer = client.get(address)
        page = answer.text  # a list that is streamed is read to its end
        if answer.mimetype != "text/html" or address.startswith("/open/"):
            continue
        shown_pages += 1
        assert answer.status_code == 200, address
        assert both.books.bundle.identity[:16] in page, address
        assert "key not pinned; read-only" in page, address
        assert 'method="post"' not in page, address
    assert shown_pages > 10


def test_nothing_shows_as_stale_because_time_went_on(both: Both) -> None:
    client = entered(both.books)
    page = client.get("/coverage").text
    assert "aws.s3.bucket" in page
    assert "Stale" not in page
    assert f'as of <time datetime="{stamp(both.as_of)}">' in client.get("/").text


def written(conn: Connection) -> dict[str, int]:
    """How many rows each table has."""
    return {name: conn.scalar(text(f"SELECT count(*) FROM {name}")) or 0 for name in sorted(OURS)}


def test_what_the_bundle_does_not_tell_of_has_no_page(both: Both) -> None:
    client = entered(both.books)
    for address in ("/webhooks", "/bundles", "/sign-in", "/sources/x/permissions"):
        assert client.get(address).status_code == 404, address


def test_a_finding_shows_its_evidence_from_the_bundle_and_says_when_it_was_altered(both: Both) -> None:
    _, id_ = both.asked(lambda conn: conn.scalar(text(ANY_FINDING)))
    client = entered(both.books)
    assert "aws.s3.bucket" in client.get(f"/findings/{id_}").text
    _, digest = both.asked(
        lambda conn: conn.scalar(text("SELECT evidence_digest FROM finding WHERE finding_id = :id"), {"id": id_})
    )
    file = both.root / "data" / "evidence" / digest[:2] / f"{digest}.json"
    kept = file.read_bytes()
    file.write_bytes(kept + b" ")
    try:
        assert "was altered since" in client.get(f"/findings/{id_}").text
    finally:
        file.write_bytes(kept)
