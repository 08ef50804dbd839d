"""Pages over a real PostgreSQL: who gets in, what each says, and that no tenant sees another."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from markupsafe import escape

from auditor.trust.access import PUBLIC, permission_of
from dashboard.security import IDLE_FOR, LASTS_FOR, local_target
from tests.fixtures.pages import (
    DIGEST,
    FORMULA,
    PASSWORD,
    SCRIPT,
    Dashboard,
    a_dashboard,
    a_world,
    sign_in,
    token_in,
)

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

    from auditor.store.database import Database

OWNER, FOREIGNER, AUDITOR = "owner@acme.example", "owner@beta.example", "auditor@acme.example"


@pytest.fixture(scope="module")
def made(app_database: Database) -> Dashboard:
    return a_dashboard(app_database)


@pytest.fixture(scope="module")
def found(made: Dashboard) -> dict[str, UUID]:
    return a_world(made.rows("acme"))


@pytest.fixture(autouse=True)
def _standing_clock(made: Dashboard, found: dict[str, UUID]) -> None:
    made.wall.now = made.clock.now


@pytest.fixture
def owner(made: Dashboard) -> FlaskClient:
    return made.client(OWNER)


def rows_of(text: str) -> list[dict[str, str]]:
    lines = list(csv.reader(io.StringIO(text)))
    return [dict(zip(lines[1], line, strict=True)) for line in lines[2:]]


def paths(made: Dashboard, finding: UUID) -> list[tuple[str, str, str]]:
    """Every route as method, path and endpoint, with ids of acme in it."""
    filled = {"id_": "hipaa", "filename": "app.css"}
    found = []
    for rule in made.app.url_map.iter_rules():
        values = dict(filled)
        if "uuid" in rule.rule:
            values["id_"] = str(finding)
        elif rule.endpoint == "control.index":
            values["id_"] = "encrypted-storage"
        path = rule.rule
        for name, value in values.items():
            path = re.sub(rf"<(?:\w+:)?{name}>", value, path)
        found += [(method, path, rule.endpoint) for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})]
    return found


class TestWhoGetsIn:
    def test_without_a_session_every_route_but_the_public_ones_is_shut(
        self, made: Dashboard, found: dict[str, UUID]
    ) -> None:
        client = made.client()
        for method, path, endpoint in paths(made, found["open"]):
            answer = client.open(path, method=method, buffered=True)
            if permission_of(made.app.view_functions[endpoint]) == PUBLIC:
                assert answer.status_code in {200, 403}, path  # 403: the sign-in form without its token
            elif method == "GET" and "." not in path:
                assert answer.status_code == 302, path
                assert answer.headers["Location"].startswith("/sign-in"), path
            else:
                assert answer.status_code == 401, path

    def test_every_answer_carries_the_headers(self, made: Dashboard) -> None:
        for path in ("/sign-in", "/healthz", "/nowhere", "/static/app.css"):
            headers = made.client().get(path, buffered=True).headers
            assert headers["Content-Security-Policy"].startswith("default-src 'none'")
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["X-Frame-Options"] == "DENY"

    def test_the_session_cookie_is_out_of_reach_of_scripts_and_sites(self, made: Dashboard) -> None:
        client = made.client()
        cookie = sign_in(client, OWNER).headers.getlist("Set-Cookie")[-1]
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert "Path=/" in cookie

    def test_a_wrong_password_and_nobody_get_the_same_answer(self, made: Dashboard) -> None:
        wrong = sign_in(made.client(), AUDITOR, "not the password")
        nobody = sign_in(made.client(), "nobody@acme.example", "not the password")
        assert wrong.status_code == nobody.status_code == 401
        assert "E-mail or password is wrong." in wrong.text
        assert "E-mail or password is wrong." in nobody.text

    def test_signing_in_leads_to_the_page_that_was_wanted(self, made: Dashboard) -> None:
        client = made.client()
        asked = client.get("/findings?state=fail")
        page = client.get(asked.headers["Location"]).text
        assert 'value="/findings?state=fail"' in page
        data = {"email": OWNER, "password": PASSWORD, "form_token": token_in(page), "next": "/findings?state=fail"}
        assert client.post("/sign-in", data=data).headers["Location"] == "/findings?state=fail"

    @pytest.mark.parametrize(
        "wanted", ["//evil.example", "/\\evil.example", "https://evil.example", "evil", "/a\nb", ""]
    )
    def test_signing_in_never_leads_elsewhere(self, wanted: str) -> None:
        assert local_target(wanted) == "/"

    def test_signing_in_gives_a_fresh_session_and_ends_the_old_one(self, made: Dashboard) -> None:
        client = made.client(OWNER)
        old = client.get_cookie("auditor-session")
        page = client.get("/webhooks").text
        assert sign_in_again(client, page).status_code == 303
        new = client.get_cookie("auditor-session")
        assert old is not None
        assert new is not None
        assert old.value != new.value
        thief = made.client()
        thief.set_cookie("auditor-session", old.value)
        assert thief.get("/").status_code == 302

    def test_signing_out_ends_the_session_on_the_server(self, made: Dashboard, owner: FlaskClient) -> None:
        kept = owner.get_cookie("auditor-session")
        assert kept is not None
        owner.post("/sign-out", data={"form_token": token_in(owner.get("/").text)})
        thief = made.client()
        thief.set_cookie("auditor-session", kept.value)
        assert thief.get("/").status_code == 302

    def test_a_session_ends_when_nobody_uses_it(self, made: Dashboard, owner: FlaskClient) -> None:
        made.wall.now += IDLE_FOR - timedelta(minutes=1)
        assert owner.get("/").status_code == 200
        made.wall.now += IDLE_FOR - timedelta(minutes=1)
        assert owner.get("/").status_code == 200
        made.wall.now += IDLE_FOR + timedelta(minutes=1)
        assert owner.get("/").status_code == 302

    def test_a_session_ends_at_last_however_much_it_is_used(self, made: Dashboard, owner: FlaskClient) -> None:
        began = made.wall.now
        while made.wall.now < began + LASTS_FOR:
            assert owner.get("/webhooks").status_code == 200
            made.wall.now += timedelta(hours=1)
        assert owner.get("/webhooks").status_code == 302

    def test_guessing_one_persons_password_is_stopped_and_time_heals(self, made: Dashboard) -> None:
        client = at_address(made, "192.0.2.1")
        for _ in range(10):
            assert sign_in(client, "guessed@acme.example", "wrong password").status_code == 401
        assert sign_in(client, "guessed@acme.example", "wrong password").status_code == 429
        assert sign_in(at_address(made, "192.0.2.1"), OWNER).status_code == 303
        made.wall.now += timedelta(minutes=16)
        assert sign_in(client, "guessed@acme.example", "wrong password").status_code == 401

    def test_guessing_many_people_from_one_address_is_stopped(self, made: Dashboard) -> None:
        client = at_address(made, "192.0.2.2")
        answers = [sign_in(client, f"person{n}@acme.example", "wrong password").status_code for n in range(51)]
        assert answers[:50] == [401] * 50
        assert answers[50] == 429
        assert sign_in(at_address(made, "192.0.2.3"), "person1@acme.example", "wrong password").status_code == 401


def at_address(made: Dashboard, address: str) -> FlaskClient:
    """A browser elsewhere: limits count by address."""
    client = made.client()
    client.environ_base["REMOTE_ADDR"] = address
    return client


def sign_in_again(client: FlaskClient, page: str) -> TestResponse:
    return client.post("/sign-in", data={"email": OWNER, "password": PASSWORD, "form_token": token_in(page)})


class TestForgery:
    def test_a_form_without_its_token_changes_nothing(self, owner: FlaskClient) -> None:
        assert owner.post("/webhooks", data={"url": "https://hooks.example"}).status_code == 403
        assert owner.post("/webhooks", data={"url": "https://hooks.example", "form_token": "0" * 64}).status_code == 403

    def test_the_token_of_another_session_changes_nothing(self, made: Dashboard, owner: FlaskClient) -> None:
        token = token_in(made.client(FOREIGNER).get("/").text)
        assert owner.post("/webhooks", data={"url": "https://hooks.example", "form_token": token}).status_code == 403

    @pytest.mark.parametrize(
        "headers",
        [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}],
    )
    def test_another_site_changes_nothing_even_with_the_token(
        self, owner: FlaskClient, headers: dict[str, str]
    ) -> None:
        data = {"url": "https://hooks.example", "form_token": token_in(owner.get("/").text)}
        assert owner.post("/webhooks", data=data, headers=headers).status_code == 403

    def test_another_site_cannot_sign_somebody_in(self, made: Dashboard) -> None:
        client = made.client()
        assert client.post("/sign-in", data={"email": OWNER, "password": PASSWORD}).status_code == 403


class TestTenants:
    def test_another_tenants_ids_are_nothing_on_every_route(self, made: Dashboard, found: dict[str, UUID]) -> None:
        foreigner = made.client(FOREIGNER)
        token = token_in(foreigner.get("/").text)
        tried = [
            (method, rule.rule) for rule in made.app.url_map.iter_rules() if "uuid" in rule.rule
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
        ]  # fmt: skip
        assert tried
        for method, rule in tried:
            for id_ in found.values():
                path = re.sub(r"<uuid:\w+>", str(id_), rule)
                assert foreigner.open(path, method=method, data={"form_token": token}).status_code == 404, path

    def test_another_tenant_sees_no_row_on_any_page(self, made: Dashboard, found: dict[str, UUID]) -> None:
        foreigner = made.client(FOREIGNER)
        for method, path, _ in paths(made, uuid4()):
            if method == "GET":
                text = foreigner.get(path, buffered=True).text
                assert not [word for word in ("nurse", "intake", "AccessDenied") if word in text], path
        assert rows_of(foreigner.get("/findings.csv").text) == []

    def test_a_source_of_another_tenant_filters_to_nothing(self, made: Dashboard) -> None:
        with made.database.under(made.tenants["acme"].id) as conn:  # type: ignore[union-attr]  # built with one
            from sqlalchemy import text

            source = conn.scalar(text("SELECT source_id FROM source"))
        assert rows_of(made.client(FOREIGNER).get(f"/findings.csv?source={source}").text) == []

    def test_an_auditor_reads_and_does_not_manage(self, made: Dashboard, found: dict[str, UUID]) -> None:
        auditor = made.client(AUDITOR)
        page = auditor.get("/")
        assert page.status_code == 200
        assert "/webhooks" not in page.text
        assert auditor.get(f"/findings/{found['open']}").status_code == 200
        assert auditor.get("/webhooks").status_code == 403
        token = token_in(page.text)
        assert auditor.post("/webhooks", data={"url": "https://h.example", "form_token": token}).status_code == 403


class TestNumbers:
    def test_each_number_on_posture_is_the_length_of_the_list_behind_it(self, owner: FlaskClient) -> None:
        page = owner.get("/").text
        numbers = re.findall(r'<a class="count" href="(/findings\?[^"]*)">([\d,]+)<', page)
        assert len(numbers) >= 8
        for link, shown in numbers:
            behind = rows_of(owner.get(link.replace("&amp;", "&").replace("/findings", "/findings.csv", 1)).text)
            assert len(behind) == int(shown.replace(",", "")), link

    @pytest.mark.parametrize("path", ["/frameworks/hipaa", "/frameworks/soc2", "/controls/encrypted-storage"])
    def test_each_number_on_other_pages_is_too(self, owner: FlaskClient, path: str) -> None:
        numbers = re.findall(r'<a class="count" href="(/findings\?[^"]*)">([\d,]+)<', owner.get(path).text)
        assert numbers
        for link, shown in numbers:
            behind = json.loads(owner.get(link.replace("&amp;", "&").replace("/findings", "/findings.json", 1)).text)
            assert behind["count"] == len(behind["findings"]) == int(shown), link

    def test_the_chips_count_what_their_lists_hold(self, owner: FlaskClient) -> None:
        page = owner.get("/findings?framework=hipaa").text
        for state, word in (("fail", "Fail"), ("unknown", "Unknown"), ("pass", "Pass")):
            shown = re.search(rf">{word} (\d+)</a>", page)
            assert shown is not None
            behind = rows_of(owner.get(f"/findings.csv?framework=hipaa&state={state}").text)
            assert len(behind) == int(shown.group(1))

    def test_pages_of_a_list_hold_every_row_once_in_the_order_of_the_export(
        self, owner: FlaskClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from dashboard.pages import findings

        monkeypatch.setattr(findings, "LIMIT", 4)
        seen: list[str] = []
        link: str | None = "/findings"
        while link:
            page = owner.get(link).text
            seen += re.findall(r'<a href="/findings/([0-9a-f-]{36})">', page)
            following = re.search(r'<a href="([^"]+)" rel="next">', page)
            link = following.group(1).replace("&amp;", "&") if following else None
        assert seen == [row["finding"] for row in rows_of(owner.get("/findings.csv").text)]

    def test_the_first_line_of_an_export_says_what_it_is(self, owner: FlaskClient) -> None:
        text = owner.get("/findings.csv?state=fail&tier=core").text
        assert text.splitlines()[0] == '"Findings; filter: state=fail, tier=core; as of 2026-11-22T10:30:00Z; 4 rows"'
        head = json.loads(owner.get("/findings.json?state=fail").text.splitlines()[0] + "]}")
        assert head == {"filter": {"state": "fail"}, "as_of": "2026-11-22T10:30:00Z", "count": 4, "findings": []}

    def test_a_resource_that_is_gone_is_in_no_list_but_has_its_page(
        self, owner: FlaskClient, found: dict[str, UUID]
    ) -> None:
        assert "arn:aws:s3:::old" not in owner.get("/findings.csv").text
        page = owner.get(f"/findings/{found['gone']}").text
        assert "Resource gone" in page

    @pytest.mark.parametrize("query", ["state=green", "severity=x", "colour=red", "source=x", "after=x", "tier=gold"])
    def test_a_filter_that_says_nothing_known_is_refused_and_widens_no_list(
        self, owner: FlaskClient, query: str
    ) -> None:
        assert owner.get(f"/findings?{query}").status_code == 400

    def test_the_search_takes_wildcards_for_letters(self, owner: FlaskClient) -> None:
        assert rows_of(owner.get("/findings.csv?q=%25").text) == []
        assert len(rows_of(owner.get("/findings.csv?q=NURSE1").text)) == 1


class TestWhatCoverageSays:
    def test_a_denied_listing_turns_a_kept_pass_into_unknown_with_its_reason(
        self, owner: FlaskClient, found: dict[str, UUID]
    ) -> None:
        row = rows_of(owner.get("/findings.csv?check=cloudtrail.account.recording").text)[0]
        assert (row["state"], row["reason"]) == ("unknown", "AccessDenied cloudtrail:DescribeTrails")
        page = owner.get(f"/findings/{found['covered']}").text
        assert "Could not look: AccessDenied cloudtrail:DescribeTrails" in page
        assert "Coverage lies over the last verdict" in page

    def test_the_history_shows_the_turn_that_coverage_made(self, owner: FlaskClient, found: dict[str, UUID]) -> None:
        history = owner.get(f"/findings/{found['covered']}").text.partition('id="history"')[2]
        assert history.index("Unknown") < history.index("Pass")
        assert "How far we could look changed" in history
        assert "20 Nov 2026, 10:30 UTC" in history

    def test_posture_names_the_missing_permission(self, owner: FlaskClient) -> None:
        page = owner.get("/").text
        assert "Could not look" in page
        assert "<code>cloudtrail:DescribeTrails</code> was denied in account 123456789012" in page

    def test_evidence_that_grew_old_makes_everything_under_it_unknown(
        self, made: Dashboard, owner: FlaskClient
    ) -> None:
        made.clock.now += timedelta(days=3)
        try:
            rows = rows_of(owner.get("/findings.csv").text)
            stale = [row for row in rows if row["reason"].startswith("stale: last seen 2026-11-22T10:30:00Z")]
            assert {row["state"] for row in rows} == {"unknown"}
            assert len(stale) == len(rows) - 1  # the denied listing keeps its own reason
        finally:
            made.clock.now -= timedelta(days=3)


class TestHostileText:
    def test_a_resources_name_is_text_on_every_page(self, owner: FlaskClient, found: dict[str, UUID]) -> None:
        for path in ("/findings", f"/findings/{found['hostile']}", "/", "/drift?days=30"):
            assert "<script" not in owner.get(path).text, path
        assert "&lt;script&gt;alert(1)" in owner.get("/findings").text

    def test_a_search_is_text_too(self, owner: FlaskClient) -> None:
        assert "<script" not in owner.get("/findings?q=<script>alert(1)</script>").text

    def test_no_cell_of_the_csv_runs_in_a_spreadsheet(self, owner: FlaskClient) -> None:
        text = owner.get("/findings.csv").text
        cells = [cell for line in csv.reader(io.StringIO(text)) for cell in line]
        assert f"'{FORMULA}" in cells
        assert not [cell for cell in cells if cell.lstrip(" ")[:1] in {"=", "+", "-", "@", "\t", "\r"}]
        assert all(line.startswith('"') for line in text.splitlines() if line)


class TestSinglePages:
    def test_a_finding_shows_what_decided_it_and_the_evidence(self, owner: FlaskClient, found: dict[str, UUID]) -> None:
        page = owner.get(f"/findings/{found['open']}").text
        for words in (
            "encryption.default_key is not null",
            "intake has no default key",
            DIGEST,
            "s3:GetBucketEncryption",
            "assumed-role/auditor",
            "Not a real provider",
            "164.312(a)(2)(iv)",
            "Terraform",
            "&#34;encryption&#34;: null",
        ):
            assert words in page, words

    def test_a_finding_shows_the_calls_its_evidence_rests_on_and_no_others(
        self, owner: FlaskClient, found: dict[str, UUID]
    ) -> None:
        page = owner.get(f"/findings/{found['open']}").text
        for words in (
            "The 1 call it rests on",
            "s3:get_bucket_encryption",
            str(escape(json.dumps(SCRIPT)[1:-1])),
            "4442587FB7D0A2F9",
            "127.0.0.1:5000",
            "no certificate: plain HTTP",
            "ab" * 32,
            "AccessDenied",
            "2026-11-22T10:00:00Z",
            "version 7",
        ):
            assert words in page, words
        assert "s3:not_ours" not in page
        assert "<script" not in page

    @pytest.mark.parametrize("path", ["/", "/sources", "/findings", "/bundles"])
    def test_pages_with_a_source_say_where_no_real_provider_answers(self, owner: FlaskClient, path: str) -> None:
        page = owner.get(path).text.lower()
        assert "not a real provider" in page

    def test_drift_shows_the_turn_and_posture_counts_it(self, owner: FlaskClient, found: dict[str, UUID]) -> None:
        assert str(found["open"]) in owner.get("/drift?kind=opened").text
        assert str(found["gone"]) in owner.get("/drift?kind=resolved").text
        page = owner.get("/").text
        assert re.search(r'href="/drift\?kind=opened">1<', page)
        assert re.search(r'href="/drift\?kind=resolved">1<', page)

    @pytest.mark.parametrize("path", ["/frameworks/none", "/controls/none", "/nowhere", f"/findings/{UUID(int=1)}"])
    def test_what_is_not_there_says_so_with_an_id_for_the_log(self, owner: FlaskClient, path: str) -> None:
        answer = owner.get(path)
        assert answer.status_code == 404
        assert answer.headers["X-Correlation-Id"] in answer.text

    def test_a_page_that_fails_shows_no_trace(
        self, made: Dashboard, owner: FlaskClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from auditor.store.reads import posture

        monkeypatch.setattr(posture, "posture", lambda *_: 1 / 0)
        answer = owner.get("/")
        assert answer.status_code == 500
        assert "ZeroDivision" not in answer.text
        assert answer.headers["X-Correlation-Id"] in answer.text

    def test_a_webhooks_secret_is_shown_once(self, owner: FlaskClient) -> None:
        token = token_in(owner.get("/webhooks").text)
        added = owner.post("/webhooks", data={"url": "https://hooks.example/a", "form_token": token})
        assert "whsec_" in added.text
        page = owner.get("/webhooks").text
        assert "whsec_" not in page
        assert "https://hooks.example/a" in page

    def test_an_address_that_may_not_be_dialled_is_refused_with_advice(self, owner: FlaskClient) -> None:
        token = token_in(owner.get("/webhooks").text)
        answer = owner.post("/webhooks", data={"url": "http://10.0.0.1/", "form_token": token})
        assert answer.status_code == 400
        assert "Give an https address." in answer.text

    def test_a_webhook_can_be_switched_off_by_its_own_tenant_only(self, made: Dashboard, owner: FlaskClient) -> None:
        token = token_in(owner.get("/webhooks").text)
        page = owner.post("/webhooks", data={"url": "https://hooks.example/off", "form_token": token}).text
        path = re.findall(r'action="(/webhooks/[0-9a-f-]+/disable)"', page)[-1]
        foreigner = made.client(FOREIGNER)
        theirs = token_in(foreigner.get("/webhooks").text)
        assert foreigner.post(path, data={"form_token": theirs}).status_code == 404
        assert owner.post(path, data={"form_token": token}).status_code == 303
        assert path not in owner.get("/webhooks").text

    def test_a_tenant_without_sources_is_told_what_to_do_and_nothing_is_green(self, made: Dashboard) -> None:
        page = made.client(FOREIGNER).get("/").text
        assert "Nothing is connected yet" in page
        assert "nothing judged yet" in page
        assert "100%" not in page
