"""Last uses that move: what they cost to keep and to judge, and that their verdicts can be repeated from what was kept."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from auditor.collectors.aws._client import connect
from auditor.collectors.declared import resource_types
from auditor.domain.bundle import Asked
from auditor.domain.calls import CALLS
from auditor.domain.retention import Hold
from auditor.domain.source import GLOBAL, Place
from auditor.domain.volatile import MARK
from auditor.pipeline.observe import observe
from auditor.pipeline.reperform import reperform
from auditor.proof.bundle import verify
from auditor.proof.note import VerifierKey
from auditor.proof.report import VERIFIED
from auditor.simulators.aws import ACCOUNT, AwsEmulator
from auditor.store.ids import resource_id
from tests.fixtures.database import Provisioned
from tests.fixtures.spine import Spine, spine
from tests.integration.test_bundle import create, notarise, unpack
from tests.integration.test_rescan import PASSING, counted, versions, written

AT = datetime(2026, 10, 1, 6, tzinfo=UTC)
DAY = timedelta(days=1)
USED = "iam.user.credentials_used"
USER = "aws.iam.user"
PLACE_ID = Place(ACCOUNT, GLOBAL).native_id
BUSY = tuple(f"user-{number:02}" for number in range(24))
BACK, LEFT = "back.again", "left.unused"
NAMES = (*BUSY, BACK, LEFT)


def arn(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:user/{name}"


@pytest.fixture
def world(provisioned: Provisioned, tmp_path: Path) -> Iterator[Spine]:
    """People who signed in yesterday, one who has not for long, and one who is about to be idle for too long."""
    with AwsEmulator() as emulator:
        os.environ.update({k: v for k, v in emulator.environment().items() if k != "AWS_ENDPOINT_URL"})
        with spine(provisioned, emulator, tmp_path, AT, ("iam",)) as made:
            iam = emulator.client("iam")
            for name in NAMES:
                iam.create_user(UserName=name)
                iam.create_login_profile(UserName=name, Password="Correct-Horse-9")
            used(made, **dict.fromkeys(BUSY, 1), **{BACK: 100, LEFT: 44})
            yield made
        for name in emulator.environment():
            os.environ.pop(name, None)


def used(world: Spine, **days: int) -> None:
    """These people signed in so many days ago."""
    moments = {name: (world.clock() - ago * DAY).replace(microsecond=0).isoformat() for name, ago in days.items()}
    world.emulator.supplement({"password_last_used": moments})


def folder(tmp_path: Path) -> Path:
    made = tmp_path / "bundle"
    made.mkdir()
    return made


def kept(world: Spine) -> Counter[str]:
    """How many contents there are, by type."""
    return Counter(row.resource_type for row in world.rows("SELECT resource_type FROM evidence"))


def spans(world: Spine) -> Counter[str]:
    """How many stretches of evidence there are, by type."""
    sql = "SELECT r.type FROM evidence_span JOIN resource r USING (tenant_id, resource_id)"
    return Counter(row.type for row in world.rows(sql))


def turns(world: Spine) -> int:
    """How many stretches of verdicts there are."""
    return int(world.rows("SELECT count(*) FROM finding_span")[0][0])


def test_last_uses_that_move_are_one_new_object_and_no_evidence_of_anybody(
    world: Spine, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.run()
    assert (world.findings(USED)[arn(BACK)], world.findings(USED)[arn(LEFT)]) == ("fail", "pass")
    contents, stretches, before = kept(world), spans(world), turns(world)
    judged_by = {row.evidence_digest for row in world.spans(USED, arn(BACK))}
    world.next_day()
    used(world, **dict.fromkeys((*BUSY, BACK), 0))
    with counted(world, monkeypatch) as objects:
        run = world.run()
    assert objects["put"] == 2
    assert kept(world) - contents == {USER + MARK: 1, CALLS: 1}
    assert spans(world) - stretches == {USER + MARK: 1}
    assert contents[USER] == len(NAMES)
    checks = len({row.check_id for row in world.rows("SELECT check_id FROM finding WHERE resource_type = :t", t=USER)})
    assert run.counts["judged"] == checks * (len(BUSY) + 1), "whoever signed in is judged again, and nobody else"
    assert turns(world) == before + 1
    turned = world.spans(USED, arn(BACK))[-1]
    assert (turned.state, turned.cause) == ("pass", "resource")
    assert {turned.evidence_digest} == judged_by, "not the evidence moved"


def test_nothing_is_read_judged_or_written_where_nobody_signed_in(
    world: Spine, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.run()
    before = versions(world)
    world.clock.forward(timedelta(hours=1))
    with counted(world, monkeypatch) as objects:
        run = world.run()
    assert run.counts["judged"] == 0
    assert objects == {}
    assert set(written(before, versions(world))) <= PASSING


def test_the_calendar_alone_still_turns_a_verdict_that_rests_on_a_last_use(world: Spine) -> None:
    world.run()
    for _ in range(2):
        world.next_day()
        world.run()
    turned = world.spans(USED, arn(LEFT))[-1]
    assert (turned.state, turned.cause) == ("fail", "time")


def test_details_that_were_not_due_keep_the_last_uses_that_were_read(world: Spine) -> None:
    for table in ("source", "schedule"):
        world.rows(f"UPDATE {table} SET every_seconds = 3600 RETURNING 1")
    world.run()
    before = rows(world)
    assert before.keys() == {arn(name) for name in NAMES}
    used(world, **dict.fromkeys(NAMES, 0))
    world.clock.forward(timedelta(hours=1))
    world.run()
    after = rows(world)
    read_anew = {name for name, row in after.items() if row != before[name]}
    assert after.keys() == before.keys()
    assert 0 < len(read_anew) < len(NAMES), "those whose turn it was, the others as they were"
    for _ in range(24):
        world.clock.forward(timedelta(hours=1))
        world.run()
    assert all(row != before[name] for name, row in rows(world).items())
    assert world.findings(USED)[arn(BACK)] == "pass"


def rows(world: Spine) -> dict[str, Any]:
    """The rows of volatile facts of all users as they stand."""
    with world.here.open_tenant(world.tenant) as books:
        (stands,) = books.standing(world.source.id, "global", [USER + MARK])
        found: dict[str, Any] = books.contents([stands.digest])[stands.digest]["volatile"]
    return found


def test_facts_that_were_erased_are_unseen_until_they_are_read_anew(world: Spine) -> None:
    world.run()
    with world.here.open_tenant(world.tenant) as books:
        (stands,) = books.standing(world.source.id, "global", [USER + MARK])
        (kept_,) = books.kept(digest=stands.digest)
        books.destroy([kept_.address], now=world.clock())
        assert books.standing(world.source.id, "global", [USER + MARK]) == ()
    for table in ("source", "schedule"):
        world.rows(f"UPDATE {table} SET every_seconds = 3600 RETURNING 1")
    world.clock.forward(timedelta(hours=1))
    used(world, **dict.fromkeys(NAMES, 0))
    run = world.run()
    assert rows(world).keys() == {arn(name) for name in NAMES}, "all are read, whosever turn it is"
    assert run.state == "done"
    assert world.findings(USED)[arn(BACK)] == "pass"


def test_facts_that_are_lost_make_unknown_what_rests_on_them_and_never_read_as_no_use(world: Spine) -> None:
    for table in ("source", "schedule"):
        world.rows(f"UPDATE {table} SET every_seconds = 3600 RETURNING 1")
    world.run()
    sql = "SELECT k.address FROM object_key k JOIN evidence e USING (tenant_id, digest) WHERE e.resource_type = :kind"
    (row,) = world.rows(sql, kind=USER + MARK)
    (world.here.settings.home / "objects" / row.address).unlink()
    used(world, **dict.fromkeys(BUSY, 0))
    world.clock.forward(timedelta(hours=1))
    world.run()
    states = Counter(world.findings(USED).values())
    assert states["unknown"] > 0
    assert states["fail"] <= 1, "the one who was idle, if it was their turn"
    hidden = next(name for name, state in world.findings(USED).items() if state == "unknown")
    assert "not kept" in world.spans(USED, hidden)[-1].reason
    for _ in range(24):
        world.clock.forward(timedelta(hours=1))
        world.run()
    assert Counter(world.findings(USED).values()) == {"pass": len(NAMES) - 1, "fail": 1}


def test_a_hold_on_somebody_holds_the_facts_that_stand_beside_their_evidence(world: Spine) -> None:
    world.run()
    someone = resource_id(world.tenant, world.source.id, USER, arn(BACK))
    with world.here.open_tenant(world.tenant) as books:
        books.place_hold(Hold(someone, "a claim", "sam", world.clock(), resource=someone))
        held = {one.digest for one in books.kept() if one.holds}
    held -= {row.digest for row in world.rows("SELECT digest FROM evidence WHERE resource_type = :t", t=CALLS)}
    facts = {row.digest for row in world.rows("SELECT digest FROM evidence WHERE resource_type = :t", t=USER + MARK)}
    assert facts <= held
    assert len(held) == len(facts) + 1, "nobody else's evidence"


def test_facts_are_in_effect_as_long_as_a_verdict_over_them_lasts(world: Spine) -> None:
    world.run()
    for _ in range(3):
        world.next_day()
        used(world, **dict.fromkeys(NAMES, 0))
        world.run()
    sql = "SELECT digest FROM evidence WHERE resource_type = :kind ORDER BY created_at"
    days = [row.digest for row in world.rows(sql, kind=USER + MARK)]
    with world.here.open_tenant(world.tenant) as books:
        in_effect = {one.digest: one.in_effect for one in books.kept()}
    first, second, third, last = (in_effect[digest] for digest in days)
    assert first, "people who were in use were judged with these, and nothing turned since"
    assert second, "one who came back turned with these"
    assert not third, "nothing turned with these, and others stand now"
    assert last


def test_facts_are_no_resource_in_any_count(world: Spine) -> None:
    run = world.run()
    look = world.rows("SELECT DISTINCT resource_type FROM coverage_span")
    assert not [row for row in look if MARK in row.resource_type]
    found = world.rows("SELECT DISTINCT resource_type FROM finding")
    assert not [row for row in found if MARK in row.resource_type]
    assert run.counts["listed"] == run.counts["judged"]
    with world.here.open_tenant(world.tenant) as books:
        assert not books.exclusions(world.source.id, None)


def test_every_verdict_over_last_uses_is_repeated_from_a_bundle(world: Spine, tmp_path: Path) -> None:
    begins = datetime(2026, 10, 1, tzinfo=UTC)
    for day in range(4):
        used(world, **dict.fromkeys(BUSY, 0))
        if day == 2:
            used(world, **{BACK: 0})
        world.work.plan_due()
        world.drive()
        notarise(world)
        world.next_day()
    bundle = create(world, Asked(("soc2",), begins, begins + 4 * DAY))
    root = unpack(world, bundle, folder(tmp_path))
    said = verify(root, VerifierKey.parse((root / "keys/log.vkey").read_text()))
    assert (said.outcome, said.where, said.what) == (VERIFIED, "", "")
    told = reperform(root, resource_types())
    assert (told.differences, dict(told.not_done)) == ([], {})
    assert told.done > len(NAMES)
    lines = [json.loads(line) for line in (root / "data/evidence/index.jsonl").read_bytes().splitlines()]
    assert sum(line["type"] == USER + MARK for line in lines) == 4
    inventory = json.loads((root / "data/inventory.json").read_bytes())["resources"]
    assert not [one for one in inventory if MARK in one["resource_type"]]
    assert observed(world, root, arn(BUSY[0])) == {("same", ())}, "a last use moved, and that is no other user"
    world.emulator.client("iam").create_access_key(UserName=BUSY[0])
    ((word, fields),) = observed(world, root, arn(BUSY[0]))
    assert word == "different"
    assert "active_keys" in fields
    assert observed(world, root, PLACE_ID) == set(), "nobody samples the facts themselves"


def observed(world: Spine, root: Path, resource: str) -> set[tuple[str, tuple[str, ...]]]:
    """What a live look says of a resource's user or place, after one more sign-in."""
    used(world, **dict.fromkeys(BUSY, 0))
    with ThreadPoolExecutor(4) as pool:
        told = observe(root, [resource], resource_types(), partial(_connect, world), pool=pool, clock=world.clock)
        return {(one.said, one.fields) for one in told if one.sampled.resource_type in {USER, USER + MARK}}


def _connect(world: Spine, _account: str) -> Any:
    return connect(endpoint_url=world.emulator.url, threads=4)


def test_a_part_of_a_bundle_holds_the_facts_that_its_verdicts_rest_on(world: Spine, tmp_path: Path) -> None:
    begins = datetime(2026, 10, 1, tzinfo=UTC)
    for _ in range(3):
        used(world, **dict.fromkeys(BUSY, 0))
        world.work.plan_due()
        world.drive()
        notarise(world)
        world.next_day()
    part = Asked(("soc2",), begins + 2 * DAY, begins + 3 * DAY, controls=("access-removed",))
    root = unpack(world, create(world, part), folder(tmp_path))
    told = reperform(root, resource_types())
    assert (told.differences, dict(told.not_done)) == ([], {})
    lines = [json.loads(line) for line in (root / "data/evidence/index.jsonl").read_bytes().splitlines()]
    facts = [line for line in lines if MARK in line["type"]]
    assert {line["type"] for line in facts} >= {USER + MARK}
    assert len([line for line in facts if line["type"] == USER + MARK]) < 3, "of the first day, not of all"
