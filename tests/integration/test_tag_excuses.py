"""A resource that a tag takes out of a check is counted on the control's page, by the tag."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from auditor.domain.excuse import by_tag
from auditor.store.reads import findings
from controls import shipped
from tests.fixtures.pages import a_dashboard

if TYPE_CHECKING:
    from auditor.store.database import Database

CHECK, CONTROL = "rds.instance.multi_az", "services-survive-failures"


def test_the_control_page_counts_resources_by_the_tag_that_excuses_them(
    app_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.fixtures.pages.small_library", shipped)
    made = a_dashboard(app_database)
    rows = made.rows("acme")
    source = rows.source()
    rows.look(source, "aws.rds.database")
    tagged = "Does not apply: not is_set(environment_tag)" + by_tag((("environment_tag", "Stage=<dev>"),))
    reasons = {"one": tagged, "two": tagged, "replica": "Does not apply: not is_replica"}
    for name, reason in reasons.items():
        rows.finding(
            source,
            CHECK,
            f"arn:aws:rds:eu-central-1:123456789012:db:{name}",
            "not_applicable",
            resource_type="aws.rds.database",
            control=CONTROL,
            reason=reason,
        )
    asked = findings.FindingFilter(control=CONTROL, state="not_applicable")
    with app_database.under(made.tenants["acme"].id) as conn:
        counted = sorted(number for _, _, number in findings.reasons(conn, shipped(), asked, made.clock.now))
    assert counted == [1, 2], "a reason is one row, however many it stands behind"
    page = made.client("owner@acme.example").get(f"/controls/{CONTROL}").text
    assert re.findall(r"(\d+) excused by tag <code>([^<]*)</code>", page) == [("2", "Stage=&lt;dev&gt;")]
    assert page.count("AWS does not say who set a tag.") == 1
