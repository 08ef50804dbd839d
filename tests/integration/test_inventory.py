"""Accounts and clusters that are listed, against what is connected, left out and missing; and where nobody could ask."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from auditor.domain.control import Library
from auditor.domain.errors import ConfigurationError, TenancyError
from auditor.domain.scope import EKS_CLUSTER, ORGANISATION_ACCOUNT
from auditor.store.database import Database
from auditor.store.identity import Identities
from auditor.store.memory import MemoryObjects
from auditor.store.reads.inventory import ALONE, NEVER, NOT_ALLOWED, Inventory, inventory
from auditor.store.reads.posture import coverage, gaps, posture
from auditor.store.tenant_store import PostgresStore
from tests.fixtures.database import NOW
from tests.fixtures.estate import CLUSTER, MANAGEMENT, a_cluster_listed, an_account_listed, an_estate, left_out
from tests.fixtures.rows import DAY, Rows

NOTHING = Library((), ())


@pytest.fixture
def rows(app_database: Database) -> Rows:
    tenant = uuid4()
    Identities(app_database).add_tenant(tenant, slug=str(tenant), name="T", now=NOW)
    return Rows(app_database, tenant, NOW)


def read(rows: Rows, *, days: int = 0) -> Inventory:
    with rows.database.under(rows.tenant) as conn:
        return inventory(conn, NOW + days * DAY)


def a_listing(rows: Rows, *accounts: str) -> UUID:
    source = rows.source("management", account=MANAGEMENT)
    rows.look(source, ORGANISATION_ACCOUNT)
    for account in (MANAGEMENT, *accounts):
        an_account_listed(rows, source, account)
    return source


def test_each_listed_account_is_connected_left_out_or_missing(rows: Rows) -> None:
    an_estate(rows)
    found = read(rows)
    assert {one.id: (one.standing, one.group) for one in found.accounts} == {
        MANAGEMENT: ("connected", "o-acme"),
        "111111111111": ("missing", "o-acme"),
        "222222222222": ("left_out", "o-acme"),
    }
    assert [(one.id, one.standing, one.group) for one in found.clusters] == [(CLUSTER, "missing", MANAGEMENT)]
    assert (found.missing_accounts, found.missing_clusters, found.missing, found.established) == (1, 1, 2, True)
    why = next(one for one in found.accounts if one.standing == "left_out")
    assert (why.by, why.why, why.since) == ("ana@acme.example", "sandbox of the training team", NOW - 5 * DAY)


def test_an_account_that_is_connected_later_is_missing_no_more(rows: Rows) -> None:
    a_listing(rows, "111111111111")
    assert read(rows).missing_accounts == 1
    rows.source("production", account="111111111111")
    found = read(rows)
    assert found.missing_accounts == 0
    assert found.established, "the member stands in its organisation's list, whatever it may ask itself"


def test_an_account_that_was_disconnected_is_missing_again(rows: Rows) -> None:
    a_listing(rows, "111111111111")
    member = rows.source("production", account="111111111111")
    with PostgresStore(rows.database, MemoryObjects()).open(rows.tenant) as books:
        books.disconnect(member, by="ana", reason="closed", now=NOW)
    assert read(rows).missing_accounts == 1


def test_accounts_of_other_partitions_are_read_alike(rows: Rows) -> None:
    source = rows.source("gov", account=MANAGEMENT)
    rows.look(source, ORGANISATION_ACCOUNT)
    an_account_listed(rows, source, "333333333333", partition="aws-us-gov")
    a_cluster_listed(rows, source, f"arn:aws-us-gov:eks:us-gov-west-1:{MANAGEMENT}:cluster/lab")
    found = read(rows)
    assert [one.id for one in found.accounts] == ["333333333333"]
    assert found.clusters[0].group == MANAGEMENT


@pytest.mark.parametrize(
    ("state", "detail", "reason"),
    [
        ("unsupported", "AWSOrganizationsNotInUseException organizations:ListAccounts", ALONE),
        ("denied", "AccessDeniedException organizations:ListAccounts", NOT_ALLOWED),
        ("error", "InternalError organizations:ListAccounts", "The listing failed"),
    ],
)
def test_where_nobody_lists_the_accounts_completeness_is_not_established_and_says_why(
    rows: Rows, state: str, detail: str, reason: str
) -> None:
    source = rows.source()
    rows.look(source, ORGANISATION_ACCOUNT, state=state, detail=detail)
    found = read(rows)
    assert not found.established
    assert [(one.source, one.reason, one.detail) for one in found.unlisted] == [(source, reason, detail)]
    assert found.missing == 0


def test_before_the_first_run_completeness_is_not_established_either(rows: Rows) -> None:
    rows.source()
    assert [one.reason for one in read(rows).unlisted] == [NEVER]


def test_an_old_list_establishes_nothing(rows: Rows) -> None:
    a_listing(rows)
    assert read(rows).established
    assert not read(rows, days=3).established


def test_a_region_where_clusters_could_not_be_listed_is_named(rows: Rows) -> None:
    source = a_listing(rows)
    rows.look(source, EKS_CLUSTER, place="eu-south-2", state="denied", detail="AccessDeniedException eks:ListClusters")
    [one] = read(rows).unseen_clusters
    assert "eu-south-2" in one.reason
    assert one.detail == "AccessDeniedException eks:ListClusters"


def test_a_member_that_may_not_ask_is_no_gap_in_the_coverage(rows: Rows) -> None:
    source = rows.source()
    rows.look(source, ORGANISATION_ACCOUNT, state="denied", detail="AccessDenied", action="organizations:ListAccounts")
    rows.look(source, "aws.s3.bucket")
    with rows.database.under(rows.tenant) as conn:
        told = coverage(conn, NOTHING, NOW)
        assert gaps(told) == ()
        assert [row.resource_type for row in told] == ["aws.s3.bucket"]
        assert not posture(conn, NOTHING, NOW).inventory.established


def test_a_region_that_is_denied_as_a_whole_is_told_once_and_not_per_permission(rows: Rows) -> None:
    source = rows.source()
    for number in range(40):
        rows.look(
            source,
            f"aws.s{number}.thing",
            place="eu-south-2",
            state="denied",
            detail=f"AccessDenied s{number}:List",
            action=f"s{number}:List",
        )
    rows.look(source, "aws.s3.bucket")
    rows.look(source, "aws.iam.user", state="denied", detail="AccessDenied iam:ListUsers", action="iam:ListUsers")
    with rows.database.under(rows.tenant) as conn:
        told = gaps(coverage(conn, NOTHING, NOW))
    assert [(gap.action, gap.listings) for gap in told] == [("", 40), ("iam:ListUsers", 1)]
    assert told[0].detail == "every listing in eu-south-2 was denied"


def test_leaving_out_and_taking_back_are_decisions_with_who_and_why(rows: Rows) -> None:
    a_listing(rows, "111111111111")
    store = PostgresStore(rows.database, MemoryObjects())
    with store.open(rows.tenant) as books:
        books.leave_out("aws", "111111111111", by="ana", reason="a sandbox", now=NOW)
    assert [(one.standing, one.by, one.why) for one in read(rows).accounts if one.id == "111111111111"] == [
        ("left_out", "ana", "a sandbox")
    ]
    with pytest.raises(TenancyError, match="already"), store.open(rows.tenant) as books:
        books.leave_out("aws", "111111111111", by="ana", reason="again", now=NOW)
    with store.open(rows.tenant) as books:
        books.take_back("aws", "111111111111", by="ben", reason="it holds data now", now=NOW + DAY)
    assert read(rows).missing_accounts == 1
    with pytest.raises(TenancyError, match="not left out"), store.open(rows.tenant) as books:
        books.take_back("aws", "111111111111", by="ben", reason="again", now=NOW + DAY)
    with pytest.raises(ConfigurationError, match="reason"), store.open(rows.tenant) as books:
        books.leave_out("aws", "111111111111", by="ana", reason="", now=NOW + DAY)
    with rows.database.under(rows.tenant) as conn:
        acts = conn.execute(text("SELECT actor, action FROM user_action ORDER BY at")).all()
        told = conn.execute(text("SELECT data->>'change', data->>'reason' FROM outbox ORDER BY at")).all()
    assert [tuple(act) for act in acts] == [("ana", "inventory.left_out"), ("ben", "inventory.taken_back")]
    assert [tuple(one) for one in told] == [("left out", "a sandbox"), ("taken back", "it holds data now")]


def test_a_decision_about_something_that_is_not_listed_any_more_is_still_shown(rows: Rows) -> None:
    left_out(rows, "aws", "444444444444")
    assert [(one.id, one.why) for one in read(rows).left_out] == [("444444444444", "sandbox")]
