from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from auditor.domain.errors import StaleFenceError
from auditor.domain.ports import Claim
from auditor.domain.scope import Scope
from auditor.store.claims import PostgresClaims
from auditor.store.database import Database, engine
from auditor.store.identity import Identities
from auditor.store.memory import MemoryObjects
from auditor.store.tenant_store import PostgresStore
from tests.fixtures.database import NOW, Provisioned
from tests.fixtures.world import a_source

DAY = 86_400


@pytest.fixture
def claims(claims_database: Database, provisioned: Provisioned) -> PostgresClaims:
    """Claims over empty tables: tests of this file come in any order, and leases cross tenants."""
    pool = engine(provisioned.admin_url, connections=1)
    with pool.begin() as connection:
        connection.execute(text("TRUNCATE work, schedule"))
    pool.dispose()
    return PostgresClaims(claims_database)


def due(database: Database, tenant: UUID, rows: int, *, earlier: int = 0) -> None:
    with database.under(tenant) as connection:
        connection.execute(
            text(
                "INSERT INTO work (tenant_id, queue, id, due_at)"
                " SELECT :tenant, 'notify', gen_random_uuid(), :due FROM generate_series(1, :rows)"
            ),
            {"tenant": tenant, "rows": rows, "due": NOW - timedelta(minutes=earlier)},
        )


def test_a_tenant_with_thousands_due_starves_nobody(app_database: Database, claims: PostgresClaims) -> None:
    crowded, small = uuid4(), uuid4()
    due(app_database, crowded, 5_000, earlier=60)
    due(app_database, small, 3)
    leased = claims.lease("notify", now=NOW, limit=10, lease_for=60)
    assert len(leased) == 10
    assert sum(claim.tenant == small for claim in leased) == 3


def test_among_ten_thousand_due_units_a_tenant_with_three_accounts_waits_for_nobody(
    app_database: Database, claims: PostgresClaims
) -> None:
    crowded, small, middling = uuid4(), uuid4(), uuid4()
    due(app_database, crowded, 9_697, earlier=60)
    due(app_database, middling, 300, earlier=30)
    due(app_database, small, 3)
    batches = [
        Counter(claim.tenant for claim in claims.lease("notify", now=NOW, limit=50, lease_for=60)) for _ in range(4)
    ]
    assert batches[0][small] == 3, "all of the small one's in the first batch"
    assert abs(batches[0][crowded] - batches[0][middling]) <= 1
    taken = sum(batches, Counter())
    assert taken.total() == 200
    assert abs(taken[crowded] - taken[middling]) <= 1, "round-robin over those that have any left"


def test_a_queue_with_room_for_one_row_at_a_time_still_goes_round(
    app_database: Database, claims: PostgresClaims
) -> None:
    crowded, small = uuid4(), uuid4()
    due(app_database, crowded, 1_000, earlier=60)
    due(app_database, small, 3)
    taken = [claims.lease("notify", now=NOW, limit=1, lease_for=60)[0].tenant for _ in range(8)]
    assert Counter(taken) == {crowded: 5, small: 3}
    assert small in taken[:2], "what the crowded one has under way counts against it"


def test_four_claimers_share_everything_and_nothing_twice(app_database: Database, claims: PostgresClaims) -> None:
    for _ in range(4):
        due(app_database, uuid4(), 250)

    def claim_all() -> Sequence[Claim]:
        mine: list[Claim] = []
        while claims.due("notify", now=NOW):
            mine += claims.lease("notify", now=NOW, limit=20, lease_for=60)
        return mine

    with ThreadPoolExecutor(4) as pool:
        shares = [future.result() for future in [pool.submit(claim_all) for _ in range(4)]]
    ids = [claim.id for share in shares for claim in share]
    assert len(ids) == len(set(ids)) == 1_000


def test_a_lease_that_ran_out_is_taken_over_under_a_new_fence(app_database: Database, claims: PostgresClaims) -> None:
    due(app_database, uuid4(), 1)
    [first] = claims.lease("notify", now=NOW, limit=5, lease_for=60)
    assert claims.lease("notify", now=NOW + timedelta(seconds=59), limit=5, lease_for=60) == ()
    assert not claims.due("notify", now=NOW + timedelta(seconds=59))
    [second] = claims.lease("notify", now=NOW + timedelta(seconds=60), limit=5, lease_for=60)
    assert (second.id, second.fence) == (first.id, first.fence + 1)


def test_what_is_due_later_waits(app_database: Database, claims: PostgresClaims) -> None:
    due(app_database, uuid4(), 1, earlier=-5)
    assert claims.lease("notify", now=NOW, limit=5, lease_for=60) == ()
    assert claims.lease("collect", now=NOW + timedelta(minutes=5), limit=5, lease_for=60) == ()
    assert len(claims.lease("notify", now=NOW + timedelta(minutes=5), limit=5, lease_for=60)) == 1


def planned(database: Database, *, every: int = DAY) -> tuple[PostgresStore, UUID, UUID]:
    store, tenant = PostgresStore(database, MemoryObjects()), uuid4()
    Identities(database).add_tenant(tenant, slug=str(tenant), name="T", now=NOW)
    source = a_source(tenant)
    with store.open(tenant) as rows:
        rows.add_source(source, Scope(), regions=[], every=every, now=NOW)
    return store, tenant, source.id


def test_a_late_worker_is_told_so_and_a_renewed_lease_is_not_taken(
    app_database: Database, claims: PostgresClaims
) -> None:
    store, tenant, source = planned(app_database)
    with store.open(tenant) as rows:
        rows.plan(source, slot=NOW, now=NOW, regions=[])
    [late] = claims.lease("collect", now=NOW, limit=5, lease_for=60)
    claims.renew(late, now=NOW + timedelta(seconds=60), lease_for=60)
    assert claims.lease("collect", now=NOW + timedelta(seconds=61), limit=5, lease_for=60) == ()
    [taker] = claims.lease("collect", now=NOW + timedelta(seconds=120), limit=5, lease_for=60)
    with pytest.raises(StaleFenceError), store.open(tenant) as rows:
        rows.unit(late)
    with pytest.raises(StaleFenceError):
        claims.renew(late, now=NOW, lease_for=DAY)
    with store.open(tenant) as rows:
        assert rows.unit(taker).fence == taker.fence
        claims.renew(taker, now=NOW + timedelta(seconds=150), lease_for=60)  # waits for no lock that is our own
        assert rows.attempts(rows.unit(taker)) == 1, "who was late had not begun"


def test_a_schedule_keeps_its_grid_however_late_it_is_planned(app_database: Database, claims: PostgresClaims) -> None:
    store, tenant, source = planned(app_database)
    late = NOW + timedelta(days=3, hours=5)
    [due_source] = [each for each in claims.sources(now=late, limit=50, lease_for=60) if each.tenant == tenant]
    assert (due_source.source, due_source.slot) == (source, NOW + timedelta(days=3))
    assert not [each for each in claims.sources(now=late, limit=50, lease_for=60) if each.tenant == tenant]
    with store.open(tenant) as rows:
        rows.plan(source, slot=due_source.slot, now=late, regions=[])
    with app_database.under(tenant) as connection:
        schedule = connection.execute(text("SELECT due_at, lease_until FROM schedule")).one()
    assert tuple(schedule) == (NOW + timedelta(days=4), None)


def test_a_queue_is_heard_when_a_canary_comes_out(claims: PostgresClaims) -> None:
    claims.heard("notify", now=NOW)
    claims.heard("notify", now=NOW + timedelta(minutes=1))
    assert claims.last_heard()["notify"] == NOW + timedelta(minutes=1)
