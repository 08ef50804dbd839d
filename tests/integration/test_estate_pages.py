"""Sources, scope and inventory as people meet them: what is shown, who may change it, and that nothing leaves silently."""

from __future__ import annotations

import csv
import io
import json
from uuid import UUID

import pytest

from auditor.store import schema as db
from auditor.store.database import Database
from tests.fixtures.estate import an_estate
from tests.fixtures.pages import Dashboard, a_dashboard, token_in
from tests.fixtures.rows import DAY

OWNER, AUDITOR, FOREIGN = "owner@acme.example", "auditor@acme.example", "owner@beta.example"
WITHOUT_RECORDS = {"preview": "1", "without_resources": "*records*\n*scratch*"}


@pytest.fixture(scope="module")
def world(app_database: Database) -> tuple[Dashboard, UUID]:
    made = a_dashboard(app_database)
    return made, an_estate(made.rows("acme"))


def test_the_list_says_state_last_run_scope_and_next_run(world: tuple[Dashboard, UUID]) -> None:
    dashboard, source = world
    page = dashboard.client(AUDITOR).get("/sources").text
    assert f"/sources/{source}" in page
    for words in (
        "Cancelled",
        "by ana@acme.example: the account was busy",
        "1 of 2",
        "Version 2",
        "without regions us-east-1",
        "1 resource excluded",
        "22 Nov 2026",
        "UTC",
    ):
        assert words in page, words


def test_a_disconnected_source_says_since_when_by_whom_and_why(world: tuple[Dashboard, UUID]) -> None:
    dashboard, _ = world
    rows = dashboard.rows("acme")
    gone = rows.source("staging", account="555555555555")
    with rows.database.under(rows.tenant) as conn:
        conn.execute(
            db.source.update()
            .where(db.source.c.source_id == gone)
            .values(disconnected_at=rows.now - DAY, disconnected_by="ana@acme.example", disconnect_reason="closed")
        )
    listed = dashboard.client(AUDITOR).get("/sources").text
    assert "Disconnected" in listed
    assert "by ana@acme.example: closed" in listed
    page = dashboard.client(OWNER).get(f"/sources/{gone}").text
    assert "Disconnected" in page
    assert "Change the scope" not in page


def test_the_source_page_shows_the_rule_in_force_and_every_one_before(world: tuple[Dashboard, UUID]) -> None:
    dashboard, source = world
    page = dashboard.client(AUDITOR).get(f"/sources/{source}").text
    assert "Scope, version" in page
    assert "nothing runs there, policy NET-4" in page
    assert "as connected" in page
    assert "Out of scope: us-east-1" in page
    assert "<form" not in page.partition("<main")[2], "an auditor reads"


def test_a_preview_says_its_effect_in_numbers_and_changes_nothing(world: tuple[Dashboard, UUID]) -> None:
    dashboard, source = world
    page = dashboard.client(OWNER).get(f"/sources/{source}", query_string=WITHOUT_RECORDS).text
    assert "This rule excludes 1 resource" in page
    assert "1 of them failing" in page
    assert "Looked at again: us-east-1" in page
    assert "version 3" not in dashboard.client(OWNER).get(f"/sources/{source}").text.lower()


def test_a_rule_that_cannot_be_meant_is_refused_with_the_names_there_are(world: tuple[Dashboard, UUID]) -> None:
    dashboard, source = world
    page = dashboard.client(OWNER).get(f"/sources/{source}?preview=1&regions=eu-cental-1").text
    assert "The source has no region eu-cental-1; it has eu-central-1, us-east-1" in page
    assert "Change scope" not in page


def test_a_field_that_no_form_has_is_refused(world: tuple[Dashboard, UUID]) -> None:
    dashboard, source = world
    assert dashboard.client(OWNER).get(f"/sources/{source}?preview=1&withuot_regions=x").status_code == 400


def test_a_change_needs_permission_token_reason_and_the_version_that_was_previewed(
    world: tuple[Dashboard, UUID],
) -> None:
    dashboard, source = world
    address = f"/sources/{source}/scope"
    owner, auditor = dashboard.client(OWNER), dashboard.client(AUDITOR)
    form = {"form_token": token_in(owner.get(f"/sources/{source}").text), "version": "2", "regions": "eu-central-1"}
    assert auditor.post(address, data=form | {"form_token": token_in(auditor.get("/sources").text)}).status_code == 403
    assert owner.post(address, data=form | {"form_token": "x", "reason": "y"}).status_code == 403
    unreasoned = owner.post(address, data=form)
    assert (unreasoned.status_code, "needs a reason" in unreasoned.text) == (400, True)
    late = owner.post(address, data=form | {"version": "1", "reason": "y"})
    assert (late.status_code, "changed the scope meanwhile" in late.text) == (409, True)


def test_another_tenants_source_is_not_there(world: tuple[Dashboard, UUID]) -> None:
    dashboard, source = world
    foreign = dashboard.client(FOREIGN)
    assert foreign.get(f"/sources/{source}").status_code == 404
    token = token_in(foreign.get("/sources").text)
    answer = foreign.post(
        f"/sources/{source}/scope", data={"form_token": token, "version": "2", "reason": "x", "regions": "eu-central-1"}
    )
    assert answer.status_code == 404
    for path in ("/sources", "/inventory", "/"):
        assert str(source) not in foreign.get(path).text, path


def test_excluded_findings_have_a_state_of_their_own_on_page_and_export(world: tuple[Dashboard, UUID]) -> None:
    dashboard, _ = world
    client = dashboard.client(AUDITOR)
    page = client.get("/findings?state=excluded").text
    assert "excluded by id: *scratch* (scope version 2)" in page
    table = list(csv.reader(io.StringIO(client.get("/findings.csv?state=excluded").text)))
    assert [row[4] for row in table[2:]] == ["excluded"]
    told = json.loads(client.get("/findings.json").text)["findings"]
    assert {one["state"] for one in told} == {"excluded", "fail"}


def test_excluded_findings_stand_beside_the_posture_and_in_none_of_its_numbers(world: tuple[Dashboard, UUID]) -> None:
    dashboard, _ = world
    page = dashboard.client(AUDITOR).get("/").text
    assert "excluded from the scope, counted in none of these numbers" in page
    assert "Excluded from the scope" in page


def test_the_number_missing_stands_beside_every_posture_and_leads_to_its_rows(world: tuple[Dashboard, UUID]) -> None:
    dashboard, _ = world
    client = dashboard.client(AUDITOR)
    for path in ("/", "/frameworks/hipaa", "/sources"):
        assert '<a href="/inventory">1 account and 1 cluster missing</a>' in client.get(path).text, path


def test_the_coverage_says_what_is_not_looked_at_by_decision(world: tuple[Dashboard, UUID]) -> None:
    dashboard, source = world
    page = dashboard.client(AUDITOR).get("/coverage").text
    assert f'<a href="/sources/{source}#scope">management, scope version 2</a>, without regions us-east-1' in page


def test_where_nobody_lists_the_accounts_the_posture_says_so(world: tuple[Dashboard, UUID]) -> None:
    dashboard, _ = world
    rows = dashboard.rows("beta")
    rows.look(
        rows.source("alone"),
        "aws.organizations.account",
        state="unsupported",
        detail="AWSOrganizationsNotInUseException organizations:ListAccounts",
    )
    client = dashboard.client(FOREIGN)
    assert "completeness of accounts not established" in client.get("/").text
    page = client.get("/inventory").text
    assert "Completeness of accounts not established" in page
    assert "belongs to no organisation" in page


def test_leaving_out_needs_an_owner_and_a_reason_and_can_be_taken_back(world: tuple[Dashboard, UUID]) -> None:
    dashboard, _ = world
    owner, auditor = dashboard.client(OWNER), dashboard.client(AUDITOR)
    form = {"what": "aws 111111111111", "form_token": token_in(owner.get("/inventory").text)}
    refused = auditor.post("/inventory/leave-out", data=form | {"form_token": token_in(auditor.get("/inventory").text)})
    assert refused.status_code == 403
    assert owner.post("/inventory/leave-out", data=form).status_code == 400
    assert owner.post("/inventory/leave-out", data=form | {"what": "azure x", "reason": "y"}).status_code == 400
    assert owner.post("/inventory/leave-out", data=form | {"reason": "a sandbox"}).status_code == 303
    page = owner.get("/inventory").text
    assert f"a sandbox, {OWNER}" in page
    assert "0 accounts and 1 cluster missing" in owner.get("/").text
    assert owner.post("/inventory/take-back", data=form | {"reason": "not one"}).status_code == 303
    assert "1 account and 1 cluster missing" in owner.get("/").text


def test_a_change_excludes_at_once_and_stands_in_the_history_with_who_and_why(world: tuple[Dashboard, UUID]) -> None:
    dashboard, _ = world
    source = an_estate(dashboard.rows("beta"))
    owner = dashboard.client(FOREIGN)
    previewed = owner.get(f"/sources/{source}", query_string=WITHOUT_RECORDS).text
    form = {"without_resources": WITHOUT_RECORDS["without_resources"], "version": "2"}
    answer = owner.post(
        f"/sources/{source}/scope", data=form | {"form_token": token_in(previewed), "reason": "no patient data"}
    )
    assert answer.status_code == 303
    page = owner.get(answer.headers["Location"]).text
    assert f"decided by {FOREIGN}: no patient data" in page
    assert "excluded by id: *records* (scope version 3)" in owner.get("/findings?state=excluded").text
    dashboard.clock.now += DAY / 24
    try:
        assert "The scope changed" in owner.get("/drift?days=1&kind=scope").text
    finally:
        dashboard.clock.now -= DAY / 24
