"""Three accounts, twenty regions each, workers killed all along: the books are those of a day on which nothing happened."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import boto3
import pytest
from sqlalchemy import text

from auditor.bootstrap import Installation, call, plan
from auditor.collectors.aws import resource_types
from auditor.domain.scope import Scope
from auditor.domain.source import GLOBAL, JOIN, Source, public_id
from auditor.pipeline.plan import Selection, select
from auditor.pipeline.scan import scan
from auditor.settings import Settings
from auditor.simulators.aws import AwsEmulator
from tests.fixtures.database import Provisioned
from tests.fixtures.processes import ROOT, eventually

SEED = 20261123
ACCOUNTS = ("111111111111", "222222222222", "333333333333")
REGIONS = tuple(
    "af-south-1 ap-east-1 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-southeast-1 ap-southeast-2 ca-central-1 "
    "eu-central-1 eu-north-1 eu-south-1 eu-west-1 eu-west-2 eu-west-3 me-south-1 sa-east-1 us-east-1 us-east-2 us-west-2".split()
)
SERVICES = ("s3", "sqs", "sns")
WORKERS = 3
KILLS = 12
LEASE = 4.0
LATENCY = 0.01


def role(account: str) -> str:
    return f"arn:aws:iam::{account}:role/auditor"


def furnish(emulator: AwsEmulator, account: str, number: int) -> None:
    """Buckets, and queues and topics in some of the regions: each account a little different."""
    taken = emulator.client("sts").assume_role(RoleArn=role(account), RoleSessionName="furnish")["Credentials"]
    session = boto3.Session(
        aws_access_key_id=taken["AccessKeyId"],
        aws_secret_access_key=taken["SecretAccessKey"],
        aws_session_token=taken["SessionToken"],
    )
    s3 = session.client("s3", region_name="us-east-1", endpoint_url=emulator.url)
    for bucket in range(3 + number):
        s3.create_bucket(Bucket=f"records-{account}-{bucket}")
    for region in REGIONS[number::3]:
        session.client("sqs", region_name=region, endpoint_url=emulator.url).create_queue(QueueName=f"intake-{region}")
        session.client("sns", region_name=region, endpoint_url=emulator.url).create_topic(Name=f"alerts-{region}")


@pytest.fixture(scope="module")
def cloud() -> Iterator[AwsEmulator]:
    with AwsEmulator() as emulator:
        emulator.supplement({"regions": list(REGIONS)})
        for number, account in enumerate(ACCOUNTS):
            furnish(emulator, account, number)
        yield emulator


class Crew:
    """Worker processes out of a nursery, of which one may lose power at any moment."""

    def __init__(self, variables: dict[str, str], log: Path) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AUDITOR_", "AWS_"))}
        self._log = log.open("wb")
        self.log = log
        self._nursery = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.estate_worker", *SERVICES],
            cwd=ROOT,
            env=inherited | variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            start_new_session=True,
        )
        self.alive: list[int] = []

    def hire(self) -> None:
        assert self._nursery.stdin is not None
        assert self._nursery.stdout is not None
        self._nursery.stdin.write("one more\n")
        self._nursery.stdin.flush()
        self.alive.append(int(self._nursery.stdout.readline()))

    def lose(self, which: int) -> None:
        os.kill(self.alive.pop(which), signal.SIGKILL)

    def said(self) -> str:
        return self.log.read_text()

    def close(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._nursery.pid, signal.SIGKILL)
        self._nursery.wait(10)
        for pipe in (self._nursery.stdin, self._nursery.stdout, self._log):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()


class Books:
    """One tenant's books, and what its accounts show."""

    def __init__(self, here: Installation, tenant: UUID, sources: tuple[Source, ...]) -> None:
        self.here = here
        self.tenant = tenant
        self.sources = sources
        self.selection: Selection = select(here.library, resource_types(), Scope())

    def rows(self, sql: str, **values: Any) -> list[Any]:
        with self.here.app.under(self.tenant) as connection:
            return list(connection.execute(text(sql), values))

    def one(self, sql: str) -> Any:
        ((value,),) = self.rows(sql)
        return value

    def units(self) -> Counter[str]:
        return Counter(row.state for row in self.rows("SELECT state FROM unit"))

    def over(self) -> bool:
        return self.rows("SELECT 1 FROM run WHERE finished_at IS NULL") == []


def test_an_estate_whose_workers_are_killed_at_random_is_seen_whole_and_once(
    cloud: AwsEmulator, provisioned: Provisioned, tmp_path: Path
) -> None:
    variables = cloud.environment() | {
        "AUDITOR_HOME": str(tmp_path / "home"),
        "AUDITOR_DATABASE_URL": provisioned.app_url,
        "AUDITOR_CLAIM_DATABASE_URL": provisioned.claims_url,
        "AUDITOR_LEASE_SECONDS": str(LEASE),
    }
    settings = Settings(
        home=tmp_path / "home", database_url=provisioned.app_url, claim_database_url=provisioned.claims_url
    )
    with pytest.MonkeyPatch.context() as patched, Installation.open(settings, services=SERVICES) as here:
        for name, value in cloud.environment().items():
            patched.setenv(name, value)
        books = connected(here, cloud)
        crew = Crew(variables, tmp_path / "crew.log")
        try:
            cloud.latency(LATENCY)
            lost = disturbed(crew, books)
            cloud.latency(0)
            eventually(books.over, within=120, every=0.2, told=crew.said)
        finally:
            crew.close()
        assert lost == KILLS
        every_unit_came_to_its_end(books)
        every_place_was_looked_at_for_every_type(books)
        counts_reconcile(books)
        assert kept(books) == undisturbed(books)


def connected(here: Installation, cloud: AwsEmulator) -> Books:
    """A tenant with three accounts, each planned over twenty regions."""
    tenant, now = uuid4(), here.clock()
    here.identities.add_tenant(tenant, slug=f"t{tenant.hex}", name="Estate", now=now)
    sources = tuple(
        Source(
            tenant, public_id(tenant, "source", "aws", account), "aws", account, account,
            role_arn=role(account), endpoint_url=cloud.url,
        )
        for account in ACCOUNTS
    )  # fmt: skip
    with here.open_tenant(tenant) as books:
        for source in sources:
            books.add_source(source, Scope(), regions=REGIONS, every=86_400, now=now, pinned=True)
            plan(books, source.id, slot=now, now=now)
    return Books(here, tenant, sources)


def disturbed(crew: Crew, books: Books) -> int:
    """Kill whichever worker the dice name while there is work left, hiring another each time; gives how many fell."""
    dice = random.Random(SEED)
    for _ in range(WORKERS):
        crew.hire()
    eventually(lambda: books.units()["done"] > 0, every=0.05, told=crew.said)
    fallen = 0
    while fallen < KILLS and not books.over():
        time.sleep(dice.uniform(0.1, 0.6))
        crew.lose(dice.randrange(WORKERS))
        crew.hire()
        fallen += 1
    return fallen


def every_unit_came_to_its_end(books: Books) -> None:
    places = (GLOBAL, *REGIONS, JOIN)
    assert books.units() == {"done": len(places) * len(ACCOUNTS)}
    assert {run.state for run in books.rows("SELECT state FROM run")} == {"done"}
    assert books.one("SELECT max(fence) FROM unit") > 2, "nobody took over anything"
    assert books.rows("SELECT 1 FROM work WHERE queue NOT IN ('notify', 'upkeep')") == []


def every_place_was_looked_at_for_every_type(books: Books) -> None:
    wanted = {
        (source.id, place, kind.name, "ok")
        for source in books.sources
        for kind in books.selection.collected
        for place in ((GLOBAL,) if kind.place == "account" else REGIONS)
    }
    looks = books.rows("SELECT source_id, place, resource_type, state FROM coverage_span")
    assert wanted <= {tuple(look) for look in looks}
    assert len(looks) == len({tuple(look) for look in looks}), "an interval each"
    for source in books.sources:
        seen = {look.resource_type for look in looks if look.source_id == source.id}
        assert {check.resource for check in books.selection.checks} <= seen, "every check has its line"


def counts_reconcile(books: Books) -> None:
    units = books.rows("SELECT place, counts FROM unit")
    for unit in units:
        settled = sum(unit.counts.get(name, 0) for name in ("judged", "held", "excluded"))
        assert unit.counts["listed"] == settled, unit.place
    judged = sum(unit.counts["judged"] + unit.counts["about_place"] for unit in units)
    assert judged > 0
    assert books.one("SELECT count(*) FROM finding") == judged
    assert books.one("SELECT count(*) FROM finding_span") == judged, "a span per finding: it was a first run"
    runs = books.rows("SELECT counts FROM run")
    assert sum(run.counts["judged"] for run in runs) == sum(unit.counts["judged"] for unit in units)
    assert Counter(row.type for row in books.rows("SELECT type FROM outbox")) == {"source.baseline": len(ACCOUNTS)}
    assert books.rows("SELECT 1 FROM evidence_span GROUP BY tenant_id, resource_id HAVING count(*) > 1") == []


def kept(books: Books) -> dict[tuple[str, str, str], str]:
    sql = """
        SELECT s.account, f.check_id, r.native_id, f.state FROM finding f
        JOIN resource r USING (tenant_id, resource_id) JOIN source s ON s.source_id = f.source_id
    """
    return {(row.account, row.check_id, row.native_id): row.state for row in books.rows(sql)}


def undisturbed(books: Books) -> dict[tuple[str, str, str], str]:
    """What a pass without a memory shows of the same accounts."""
    shown: dict[tuple[str, str, str], str] = {}
    for source in books.sources:
        seen = scan(
            books.selection,
            call(source, threads=8),
            (GLOBAL, *REGIONS),
            clock=books.here.clock,
            threads=8,
            progress=lambda *_: None,
        )
        shown |= {(source.account, one.check, one.resource): one.verdict for one in seen.verdicts}
    return shown
