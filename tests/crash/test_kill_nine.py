"""Power is lost in the middle of a run, twice; whoever starts next finishes it, and the books add up."""

from __future__ import annotations

import http.client
import json
import shutil
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from auditor.simulators.aws import AwsEmulator
from auditor.store import embedded
from auditor.store.database import Database, connect
from auditor.store.provision import ensure_database, role_url
from tests.fixtures.database import Provisioned, passable_folder
from tests.fixtures.processes import Commands, Running, commands, eventually, processes_over
from tests.fixtures.redis_server import RedisServer, free_port, spawned

REGIONS = ("--region", "us-east-1", "--region", "eu-central-1")
PASSWORD = "correct horse battery"
LEASE = "6"
LATENCY = 0.05


class Books:
    """What the database holds, read past the policies."""

    def __init__(self, url: str) -> None:
        self._database: Database = connect(url, connections=1)

    def rows(self, sql: str) -> list[Any]:
        with self._database.plain() as connection:
            return list(connection.execute(text(sql)))

    def one(self, sql: str) -> Any:
        (row,) = self.rows(sql)
        return row[0]

    def units(self) -> Counter[str]:
        """How many in each state; none while the embedded server is not there yet."""
        try:
            return Counter(row.state for row in self.rows("SELECT state FROM unit"))
        except OperationalError:
            return Counter()

    def over(self) -> bool:
        return self.rows("SELECT state FROM run") == [("done",)]

    def close(self) -> None:
        self._database.close()


@pytest.fixture(scope="module")
def account() -> Iterator[AwsEmulator]:
    """An account with something in it."""
    with AwsEmulator() as emulator:
        s3, iam = emulator.client("s3"), emulator.client("iam")
        for number in range(6):
            s3.create_bucket(Bucket=f"charts-{number}")
            iam.create_user(UserName=f"importer-{number}")
        yield emulator


@pytest.fixture
def home() -> Iterator[Path]:
    base = passable_folder()
    yield base / "home"
    embedded.stop(base / "home")
    shutil.rmtree(base, ignore_errors=True)


def test_the_embedded_process_killed_twice_in_a_run_finishes_it_when_started_again(
    account: AwsEmulator, home: Path, tmp_path: Path
) -> None:
    port = free_port()
    variables = account.environment() | {
        "AUDITOR_HOME": str(home),
        "AUDITOR_PORT": str(port),
        "AUDITOR_BASE_URL": f"http://127.0.0.1:{port}",
        "AUDITOR_LEASE_SECONDS": LEASE,
        "AUDITOR_PASSWORD": PASSWORD,
    }
    with commands(tmp_path, **variables) as auditor:
        auditor.ok("user", "add", "ana@example.org")
        auditor.ok("source", "add", "aws", "--name", "production", *REGIONS)
        books = Books(role_url(f"postgresql://postgres@/auditor?host={home / 'postgres'}"))
        try:
            interrupted(account, books, lambda: auditor.start("up"))
            last = auditor.start("up")
            eventually(books.over, told=last.said)
            reconciles(books)
            agrees_with_a_scan(auditor, books)
        finally:
            books.close()
        last.kill_nine()
        assert processes_over(home)
        assert auditor.run("stop").code == 0
        assert not processes_over(home)


def test_a_first_start_killed_while_it_makes_the_database_is_begun_anew_by_two_at_once(
    home: Path, tmp_path: Path
) -> None:
    with commands(tmp_path, AUDITOR_HOME=str(home), AUDITOR_PASSWORD=PASSWORD) as auditor:
        victim = auditor.start("user", "add", "ana@example.org")
        eventually((home / "postgres" / "PG_VERSION").exists, every=0.005, told=victim.said)
        victim.kill_nine()
        two = [auditor.start("user", "add", f"{name}@example.org") for name in ("ana", "bob")]
        assert [one.process.wait(60) for one in two] == [0, 0], "".join(one.said() for one in two)
    assert not processes_over(home)


@pytest.fixture
def broker() -> Iterator[RedisServer]:
    """A Redis of our own: the processes use the product's key prefix, which somebody else's server may hold."""
    if shutil.which("redis-server") is None:
        pytest.skip("NO REDIS: redis-server is not on PATH")
    with spawned(free_port()) as own:
        yield own


@pytest.fixture
def empty(template: Provisioned) -> Iterator[Provisioned]:
    """A database that no migration has seen."""
    name = f"auditor_test_{uuid.uuid4().hex}"
    ensure_database(template.server.admin_url, name, template.roles)
    yield Provisioned(template.server, name, template.roles)
    template.server.run(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.mark.redis
def test_workers_killed_in_a_run_leave_it_to_the_next_and_every_process_ends_when_asked(
    account: AwsEmulator, empty: Provisioned, broker: RedisServer, tmp_path: Path
) -> None:
    port = free_port()
    variables = account.environment() | {
        "AUDITOR_HOME": str(tmp_path / "home"),
        "AUDITOR_DATABASE_URL": empty.app_url,
        "AUDITOR_CLAIM_DATABASE_URL": empty.claims_url,
        "AUDITOR_LEDGER_DATABASE_URL": empty.ledger_url,
        "AUDITOR_BROKER_URL": broker.url,
        "AUDITOR_PORT": str(port),
        "AUDITOR_BASE_URL": f"http://127.0.0.1:{port}",
        "AUDITOR_LEASE_SECONDS": LEASE,
        "AUDITOR_PASSWORD": PASSWORD,
    }
    with commands(tmp_path, **variables) as auditor:
        auditor.ok("migrate", AUDITOR_MIGRATE_DATABASE_URL=empty.owner_url)
        books = Books(empty.admin_url)
        try:
            web, tick = auditor.start("web"), auditor.start("tick", TMPDIR=str(tmp_path))
            auditor.ok("user", "add", "ana@example.org")
            auditor.ok("source", "add", "aws", "--name", "production", *REGIONS)

            def worker() -> Running:
                return auditor.start("worker", "--queues", "collect,assess,notify", "--processes", "2")

            interrupted(account, books, worker)
            last = worker()
            eventually(books.over, told=last.said)
            reconciles(books)
            eventually(lambda: serves(port, "/healthz") == (200, "ok\n"))
            assert serves(port, "/sign-in")[0] == 200
            assert 'type="password"' in serves(port, "/sign-in")[1]
            assert [one.terminate() for one in (last, tick, web)] == [0, 0, 0]
            for one in (last, tick, web):
                assert "Traceback" not in one.said(), one.said()
        finally:
            books.close()


def interrupted(account: AwsEmulator, books: Books, start: Callable[[], Running]) -> None:
    """Kill once while places are being looked at, and once when one is done and the run is not."""
    account.latency(LATENCY)
    for moment in ("leased", "done"):
        kill_when(books, start(), moment)
        assert not books.over(), f"the run was over before it could be interrupted: {moment}"
    account.latency(0)


def kill_when(books: Books, victim: Running, moment: str) -> None:
    eventually(lambda: books.units()[moment] > 0 or not victim.alive(), every=0.01, told=victim.said)
    assert victim.alive(), victim.said()
    victim.kill_nine()


def reconciles(books: Books) -> None:
    """Listed is judged plus excluded in every place, and the rows are as many as the counts say."""
    units = books.rows("SELECT place, state, counts, attempts FROM unit ORDER BY place")
    assert {unit.place: unit.state for unit in units} == dict.fromkeys(
        ("eu-central-1", "global", "join", "us-east-1"), "done"
    )
    for unit in units:
        assert unit.counts["listed"] == unit.counts["judged"] + unit.counts["excluded"], unit.place
    assert sum(unit.counts["judged"] for unit in units) > 0
    assert books.one("SELECT max(fence) FROM unit") > 1, "nobody took over anything"
    judged = sum(unit.counts["judged"] + unit.counts["about_place"] for unit in units)
    assert books.one("SELECT count(*) FROM finding") == judged
    assert books.one("SELECT count(*) FROM finding_span") == judged, "a span per finding: it was a first run"
    assert books.one("SELECT count(DISTINCT (check_id, resource_id)) FROM finding") == judged
    run = books.one("SELECT counts FROM run")
    assert run["judged"] == sum(unit.counts["judged"] for unit in units)
    events = books.rows("SELECT type, data FROM outbox")
    assert [event.type for event in events] == ["source.baseline"]
    assert events[0].data["counts"]["fail"] == run["fail"]
    doubled = "SELECT count(*) FROM (SELECT FROM evidence_span GROUP BY resource_id HAVING count(*) > 1) AS twice"
    assert books.one(doubled) == 0
    assert books.one("SELECT count(*) FROM work WHERE queue NOT IN ('notify', 'upkeep')") == 0


def agrees_with_a_scan(auditor: Commands, books: Books) -> None:
    """What an undisturbed pass over the same account shows."""
    scanned = auditor.ok("scan", "aws", *REGIONS, "--format", "ndjson", "--allow-partial")
    shown = [json.loads(line) for line in scanned.splitlines()]
    sql = "SELECT f.check_id, r.native_id, f.state FROM finding f JOIN resource r USING (tenant_id, resource_id)"
    kept = {(row.check_id, row.native_id): row.state for row in books.rows(sql)}
    assert kept == {(line["check"], line["resource"]): line["verdict"] for line in shown}


def serves(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    except ConnectionRefusedError:
        return 0, ""
    finally:
        connection.close()
