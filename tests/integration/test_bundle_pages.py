"""The bundles' page: asked for by who may, shown to who may, and every taking written down."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from sqlalchemy import Table, text
from sqlalchemy.exc import DBAPIError

from auditor.domain.bundle import Asked
from auditor.domain.retention import SIX_YEARS
from auditor.store import schema
from auditor.store.database import Database
from auditor.store.memory import MemoryObjects
from auditor.store.tenant_store import PostgresStore
from tests.fixtures.database import NOW
from tests.fixtures.pages import Dashboard, a_dashboard, token_in
from tests.fixtures.rows import DAY

OWNER, AUDITOR, FOREIGN = "owner@acme.example", "auditor@acme.example", "owner@beta.example"
ASKED = Asked(("soc2",), NOW - 30 * DAY, NOW)
FORM = {"from": "2026-10-01", "to": "2026-11-01", "framework": "soc2"}
DESTROYED = "UPDATE object_key SET wrapped = NULL, salt = NULL, destroyed_at = :now WHERE address = 'a'"
DONE = "UPDATE bundle SET state = 'done', digest = :digest, bytes = 5, address = 'a', finished_at = :now WHERE bundle_id = :id"


@pytest.fixture(scope="module")
def board(app_database: Database) -> Dashboard:
    return a_dashboard(app_database)


def issued(board: Dashboard) -> UUID:
    """A bundle that a worker has written, as its row tells."""
    assert board.database is not None
    id_, tenant = uuid4(), board.tenants["acme"].id
    with PostgresStore(board.database, MemoryObjects()).open(tenant) as books:
        books.ask_bundle(id_, ASKED, by="ann@acme.example", now=NOW)
    with board.database.under(tenant) as connection:
        connection.execute(text(DONE), {"id": id_, "digest": "d" * 64, "now": NOW})
    return id_


def test_who_may_asks_and_the_history_says_who_asked_for_what(board: Dashboard) -> None:
    client = board.client(OWNER)
    token = token_in(client.get("/bundles").text)
    answer = client.post("/bundles", data={**FORM, "form_token": token})
    assert answer.status_code == 303
    page = client.get("/bundles").text
    assert "2026-10-01T00:00:00Z to 2026-11-01T00:00:00Z" in page
    assert "by owner@acme.example" in page
    assert "Waiting for a worker" in page


def test_an_auditor_reads_and_takes_and_asks_for_none(board: Dashboard) -> None:
    id_ = issued(board)
    client = board.client(AUDITOR)
    page = client.get("/bundles").text
    assert "Create a bundle" not in page
    token = token_in(page)
    assert client.post("/bundles", data={**FORM, "form_token": token}).status_code == 403
    taken = client.post(f"/bundles/{id_}/take", data={"form_token": token})
    assert (taken.status_code, taken.data, taken.mimetype) == (200, b"bytes", "application/zip")
    assert "attachment" in taken.headers["Content-Disposition"]
    assert "auditor@acme.example, " in client.get("/bundles").text


def test_another_tenants_bundle_is_not_there(board: Dashboard) -> None:
    id_ = issued(board)
    client = board.client(FOREIGN)
    page = client.get("/bundles").text
    assert "d" * 64 not in page
    assert client.post(f"/bundles/{id_}/take", data={"form_token": token_in(page)}).status_code == 404


def test_an_estimate_counts_and_asks_for_nothing(board: Dashboard) -> None:
    client = board.client(OWNER)
    before = client.get("/bundles").text
    answer = client.post("/bundles/estimate", data={**FORM, "form_token": token_in(before)})
    assert answer.status_code == 200
    assert "About " in answer.text
    assert "nothing can be issued" in answer.text
    assert client.get("/bundles").text.count("Waiting for a worker") == before.count("Waiting for a worker")


@pytest.mark.parametrize("wrong", [{"to": "2026-09-01"}, {"from": ""}, {"framework": "none"}, {"source": str(uuid4())}])
def test_a_wish_that_cannot_be_is_told_in_a_sentence(board: Dashboard, wrong: dict[str, str]) -> None:
    client = board.client(OWNER)
    token = token_in(client.get("/bundles").text)
    answer = client.post("/bundles", data={**FORM, **wrong, "form_token": token})
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text


def test_a_sample_is_asked_for_by_its_ids_or_by_the_table_of_findings(board: Dashboard) -> None:
    client = board.client(OWNER)
    token = token_in(client.get("/bundles").text)
    table = '"Findings; filter: none"\r\n"finding","resource"\r\n"1","arn:aws:s3:::<b>"\r\n"2","arn:aws:s3:::two"\r\n'
    wish = {**FORM, "sample": table, "form_token": token}
    told = client.post("/bundles/estimate", data=wish)
    assert "Without any finding in this period: arn:aws:s3:::&lt;b&gt;, arn:aws:s3:::two" in told.text
    assert client.post("/bundles", data=wish).status_code == 303
    assert "a part: arn:aws:s3:::&lt;b&gt;, arn:aws:s3:::two" in client.get("/bundles").text


def test_a_bad_line_of_a_sample_is_named_and_what_was_typed_stays(board: Dashboard) -> None:
    client = board.client(OWNER)
    token = token_in(client.get("/bundles").text)
    answer = client.post("/bundles", data={**FORM, "sample": "resource,name\narn:a,b\n,c", "form_token": token})
    assert answer.status_code == 400
    assert "line 3: no resource in it" in answer.text
    assert "arn:a,b" in answer.text


def test_what_was_issued_cannot_be_made_another(board: Dashboard) -> None:
    assert board.database is not None
    id_ = issued(board)
    with (
        pytest.raises(DBAPIError, match="a bundle that was issued stays as it is"),
        board.database.under(board.tenants["acme"].id) as connection,
    ):
        connection.execute(text("UPDATE bundle SET digest = :new WHERE bundle_id = :id"), {"id": id_, "new": "e" * 64})


def test_until_when_a_bundle_is_kept_is_said_and_one_that_was_purged_can_no_longer_be_taken(board: Dashboard) -> None:
    assert board.database is not None
    id_, tenant, part = issued(board), board.tenants["acme"].id, "c" * 64
    sealed: dict[str, object] = {
        "key_version": 1,
        "wrapped": b"k",
        "salt": bytes(16),
        "created_at": NOW,
        "stored_at": NOW,
    }
    rows: tuple[tuple[Table, dict[str, object]], ...] = (
        (schema.tenant_key, {"version": 1, "kind": "local", "wrapped": b"k", "created_at": NOW}),
        (schema.object_key, {"address": "a", "digest": part, **sealed}),
        (schema.bundle_part, {"bundle_id": id_, "number": 0, "digest": part}),
    )
    with board.database.under(tenant) as connection:
        for table, values in rows:
            connection.execute(table.insert().values(tenant_id=tenant, **values))
    client, take = board.client(AUDITOR), f"/bundles/{id_}/take"
    page = client.get("/bundles").text
    assert f"{NOW + SIX_YEARS:%Y-%m-%d}" in page.partition("kept until")[2]
    assert take in page
    with board.database.under(tenant) as connection:
        connection.execute(text(DESTROYED), {"now": NOW})
    page = client.get("/bundles").text
    assert "and purged" in page
    assert take not in page
    assert client.post(take, data={"form_token": token_in(page)}).status_code == 404
