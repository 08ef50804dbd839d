"""A second look at an account that did not change: what it costs, table by table, object by object, call by call."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from auditor.collectors.aws import resource_types
from auditor.domain.ports import RunState
from auditor.domain.scope import Rule, Scope
from auditor.pipeline.plan import rotas, select
from auditor.simulators.aws import AwsEmulator
from auditor.simulators.company import build
from auditor.store import schema
from auditor.store.columns import metadata
from tests.fixtures.database import Provisioned
from tests.fixtures.spine import Spine, spine

AT = datetime(2026, 10, 1, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)
BLOCKED = "s3.bucket.public_access_blocked"
UNREADABLE = {"ledger_pending"}
"""What the application role may add to and not look into; what came of it stands in the tables of the ledger."""
TENANT_TABLES = tuple(sorted(set(metadata.tables) - schema.GLOBAL - UNREADABLE))
PASSING = {"coverage_span", "run", "unit", "work", "schedule", "daily_rollup", "run_manifest", "ledger_salt"}
"""Where a run that changed nothing may write: how far it looked, that it ran, when it is due again, and one manifest."""
"""What a run writes though nothing changed: how far it looked, itself, and what is due next."""


@pytest.fixture(scope="module")
def company() -> Iterator[AwsEmulator]:
    with AwsEmulator() as emulator:
        build(emulator, AT)
        emulator.set_clock(AT, tick=False)
        yield emulator


@pytest.fixture
def world(company: AwsEmulator, provisioned: Provisioned, tmp_path: Path) -> Iterator[Spine]:
    os.environ.update({k: v for k, v in company.environment().items() if k != "AWS_ENDPOINT_URL"})
    with spine(provisioned, company, tmp_path, AT) as made:
        company.set_clock(AT, tick=False)
        yield made
    for name in company.environment():
        os.environ.pop(name, None)
    company.clear_faults()


def versions(world: Spine) -> dict[str, set[tuple[str, str]]]:
    """Every row of the tenant as the database names its version: place and the transaction that wrote it."""
    return {
        table: {(row.place_, row.by_) for row in world.rows(f"SELECT ctid::text place_, xmin::text by_ FROM {table}")}
        for table in TENANT_TABLES
    }


def written(before: Mapping[str, set[Any]], after: Mapping[str, set[Any]]) -> dict[str, int]:
    """How many rows are another version than before, by table."""
    return {table: len(after[table] - before[table]) for table in TENANT_TABLES if after[table] != before[table]}


@contextmanager
def counted(world: Spine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """How many objects are put and read, and how many bytes are put; the objects themselves are the real ones."""
    vault, count = type(world.here.objects), Counter[str]()
    put_many, get_many = vault.put_many, vault.get_many

    def putting(self: Any, tenant: Any, contents: Mapping[str, bytes]) -> dict[str, str]:
        count["put"] += len(contents)
        count["bytes"] += sum(map(len, contents.values()))
        return put_many(self, tenant, contents)

    def getting(self: Any, tenant: Any, digests: Iterable[str]) -> dict[str, bytes]:
        asked = tuple(digests)
        count["read"] += len(asked)
        return get_many(self, tenant, asked)

    with monkeypatch.context() as patched:
        patched.setattr(vault, "put_many", putting)
        patched.setattr(vault, "get_many", getting)
        yield count


def again(world: Spine, after: timedelta = HOUR) -> RunState:
    """Another run an hour later. The account's own clock stands: no heartbeat, no backup, no last use moves on."""
    world.clock.forward(after)
    return world.run()


def hourly(world: Spine) -> None:
    """From now on the source is looked at each hour, so a daily check reads a resource's details in one run of 24."""
    for table in ("source", "schedule"):
        world.rows(f"UPDATE {table} SET every_seconds = 3600 RETURNING 1")


def blocked(world: Spine, name: str, *, on: bool) -> None:
    flags = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    world.emulator.client("s3").put_public_access_block(
        Bucket=name, PublicAccessBlockConfiguration=dict.fromkeys(flags, on)
    )


def findings(world: Spine) -> dict[tuple[str, str], tuple[str, ...]]:
    """Every finding's version, state and cause of its last span, by check and resource."""
    sql = """
    SELECT f.check_id, r.native_id, f.xmin::text AS by_, f.state, s.cause FROM finding f
    JOIN resource r USING (tenant_id, resource_id) JOIN finding_span s USING (tenant_id, finding_id)
    WHERE s.seq = f.span_seq
    """
    return {(row.check_id, row.native_id): (row.by_, row.state, row.cause) for row in world.rows(sql)}


def records(world: Spine) -> list[set[str]]:
    """The buckets that each record of calls asks about, the oldest first."""
    rows = world.rows("SELECT digest FROM evidence WHERE resource_type = 'auditor.calls' ORDER BY created_at")
    kept = (json.loads(world.here.objects.get(world.tenant, row.digest))["content"]["calls"] for row in rows)
    return [{call["params"]["Bucket"] for call in calls if "Bucket" in call["params"]} for calls in kept]


def rewritten(before: Mapping[Any, Any], after: Mapping[Any, Any]) -> set[tuple[str, str]]:
    return {key for key, stood in after.items() if before.get(key) != stood}


def test_a_second_look_at_an_unchanged_account_judges_nothing_and_writes_only_that_it_looked(
    world: Spine, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = world.run()
    assert first.counts["judged"] > 500
    before = versions(world)
    with counted(world, monkeypatch) as objects:
        run = again(world)
    assert run.state == "done"
    assert run.counts["judged"] == 0
    assert run.counts["held"] == run.counts["listed"] == first.counts["judged"]
    for word in ("pass", "fail", "unknown", "not_applicable"):
        assert run.counts[word] == first.counts[word]
    assert objects == {}
    assert set(written(before, versions(world))) <= PASSING


def test_one_changed_bucket_is_judged_alone(world: Spine, monkeypatch: pytest.MonkeyPatch) -> None:
    world.run()
    (name, *_) = (
        resource.removeprefix("arn:aws:s3:::") for resource, state in world.findings(BLOCKED).items() if state == "pass"
    )
    before, before_records = findings(world), len(records(world))
    blocked(world, name, on=False)
    with counted(world, monkeypatch) as objects:
        run = again(world)
    blocked(world, name, on=True)
    judged = rewritten(before, findings(world))
    assert (BLOCKED, f"arn:aws:s3:::{name}") in judged
    assert {resource for _, resource in judged} == {f"arn:aws:s3:::{name}"}
    assert run.counts["judged"] == len(judged)
    assert objects["put"] <= 4, "the bucket, and what is derived over it"
    assert world.findings(BLOCKED)[f"arn:aws:s3:::{name}"] == "fail"
    assert records(world)[before_records:] == [{name}], "one record, of the one that changed"


def test_another_evaluator_or_definition_judges_again_what_is_kept_and_turns_nothing(world: Spine) -> None:
    first = world.run()
    spans = world.rows("SELECT count(*) FROM finding_span")[0][0]
    for table in ("finding", "join_state"):
        world.rows(f"UPDATE {table} SET evaluator = 'auditor 0.0.0' RETURNING 1")
    assert again(world).counts["judged"] == first.counts["judged"]
    world.rows(
        "UPDATE finding SET judged_digest = 'another' WHERE check_id = :c AND NOT about_place RETURNING 1", c=BLOCKED
    )
    assert again(world).counts["judged"] == len(world.findings(BLOCKED))
    assert again(world).counts["judged"] == 0
    assert world.rows("SELECT count(*) FROM finding_span")[0][0] == spans


def test_under_a_rota_only_listings_are_asked_and_the_details_whose_turn_it_is(world: Spine) -> None:
    hourly(world)
    world.emulator.reset_counts()
    world.run()
    whole = world.emulator.counts()
    buckets = tuple(world.findings(BLOCKED))
    read: Counter[str] = Counter()
    asked = []
    for _ in range(3):
        world.emulator.reset_counts()
        at = world.clock() + HOUR
        run = again(world)
        assert run.counts["judged"] == 0
        counts = world.emulator.counts()
        asked.append(sum(counts.values()))
        selection = select(world.here.library, resource_types(), Scope())
        rota = rotas(world.here.library, selection, HOUR, at)["aws.s3.bucket"]
        assert rota.every >= 24
        assert counts.get("s3:GetBucketEncryption", 0) == sum(rota.has(bucket) for bucket in buckets)
        assert counts["s3:ListBuckets"] == whole["s3:ListBuckets"]
        read.update(counts)
    assert max(asked) < sum(whole.values()) * 0.4, "the rest are listings"
    details = ("s3:GetBucketPolicy", "s3:GetBucketVersioning", "s3:GetBucketEncryption")
    assert sum(read[name] for name in details) < sum(whole[name] for name in details) / 2


def test_what_leaves_the_scope_is_excluded_once_and_judged_again_when_it_returns(world: Spine) -> None:
    world.run()
    (failing, *_) = (resource for resource, state in world.findings(BLOCKED).items() if state == "fail")
    told = len(world.outbox())
    with world.here.open_tenant(world.tenant) as books:
        books.change_scope(
            world.source.id, Scope(without=Rule(resources=(failing,))), by="sam", reason="a test", now=world.clock()
        )
    out = again(world)
    assert out.counts["listed"] == out.counts["held"] + out.counts["judged"] + out.counts["excluded"]
    assert out.counts["excluded"] > 0
    span = world.spans(BLOCKED, failing)[-1]
    assert (span.state, span.cause) == ("excluded", "scope")
    assert "scope version 2" in span.reason
    assert failing in span.reason
    quiet = versions(world)
    assert again(world).counts["judged"] == 0
    assert set(written(quiet, versions(world))) <= PASSING
    with world.here.open_tenant(world.tenant) as books:
        books.change_scope(world.source.id, Scope(), by="sam", reason="a test", now=world.clock())
    back = again(world)
    span = world.spans(BLOCKED, failing)[-1]
    assert (back.counts["excluded"], span.state, span.cause) == (0, "fail", "scope")
    opened = [event for event in world.outbox()[told:] if event[1:] == (BLOCKED, failing)]
    assert [event[0] for event in opened][-1] == "finding.opened"
