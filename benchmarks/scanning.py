"""What ``auditor scan aws`` costs against emulated accounts, beside a raw replay of the very same calls.

The emulator is a process of its own and its CPU is not ours, but it shares the machine and answers one call at a time, so
on few cores the wall time of scan and replay alike is mostly its own. The ratio of the two, and the scan's CPU, say more.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from auditor.simulators import company
from auditor.simulators.aws import AwsEmulator
from auditor.simulators.large import large
from benchmarks import processes
from benchmarks.figures import Row, at_most

HOME = "us-east-1"
THREADS = 32
EMPTY_REGIONS = ("us-west-2", "eu-central-1", "ap-southeast-2")
SMALL: dict[str, Any] = {  # 180 resources in the proportions of the large account
    "buckets": 32, "users": 22, "roles": 11, "policies": 7, "keys": 7, "trails": 2, "instances": 22, "volumes": 16,
    "snapshots": 10, "security_groups": 32, "vpcs": 2, "databases": 10, "database_snapshots": 7,
}  # fmt: skip
EMPTY_REGION, NEAR_REPLAY, SLOW_WALL = 0.5, 1.3, 3.0  # CPU seconds, times, seconds
START_UP, PER_CLIENT, PER_CALL = 0.5, 0.025, 0.0013  # CPU seconds
MEBIBYTE = 2**20


@dataclass(frozen=True, slots=True)
class Cost:
    """One process: wall and CPU (user and system) in seconds, peak memory in bytes, requests that the account counted."""

    wall: float
    cpu: float
    peak: int
    calls: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What a scan is told to look at; no services means all."""

    regions: tuple[str, ...]
    services: tuple[str, ...] = ()

    def words(self) -> list[str]:
        """As the command line says it."""
        told = [("--region", region) for region in self.regions] + [("--service", name) for name in self.services]
        return [word for pair in told for word in pair]


@dataclass(frozen=True, slots=True)
class Questions:
    """What a scan asked, on disk: all of it, and each distinct question once."""

    every: Path
    distinct: Path
    clients: int


def company_account(*, quick: bool) -> Iterator[Row]:
    """The demo's company, looked at in one of its regions."""
    with _account(lambda emulator: company.build(emulator, datetime.now(UTC))) as emulator:
        yield from _compared("seeded company", emulator, runs=1 if quick else 3)


def whole_company(*, quick: bool) -> Iterator[Row]:
    """The same company with every service in all three of its regions."""
    with _account(lambda emulator: company.build(emulator, datetime.now(UTC))) as emulator:
        yield from _compared(
            "all services, three regions", emulator, runs=1 if quick else 3, asked=Asked(company.REGIONS)
        )


def large_account(*, quick: bool) -> Iterator[Row]:
    """Some 1,660 resources in one region, or 180 when it must be quick."""
    name = "180 resources" if quick else "1,660 resources"
    with _account(lambda emulator: large(emulator, **(SMALL if quick else {}))) as emulator:
        yield from _compared(name, emulator, runs=1 if quick else 3, stretch=not quick)


def slow_account(*, quick: bool) -> Iterator[Row]:
    """180 resources of the company's seven services behind a network: every answer takes 40 ms longer."""
    with _account(lambda emulator: large(emulator, **SMALL)) as emulator:
        emulator.latency(0.04)
        asked = Asked((HOME,), company.SERVICES)
        name = "180 resources, seven services, 40 ms away"
        yield from _compared(name, emulator, runs=1 if quick else 3, wall=SLOW_WALL, asked=asked)


def empty_account(*, quick: bool) -> Iterator[Row]:
    """Nothing at all: what looking costs by itself, and what each further empty region adds."""
    name, runs = "empty account", 1 if quick else 3
    furnish = partial(AwsEmulator.supplement, facts={"regions": [HOME, *EMPTY_REGIONS]})
    with _account(furnish) as emulator, _folder() as folder:
        near, everywhere = Asked((HOME,)), Asked((HOME, *EMPTY_REGIONS))
        few = _questions_in(emulator, near, folder)
        one, _ = _scans(emulator, near, runs)
        many, _ = _scans(emulator, everywhere, runs)
    further = len(EMPTY_REGIONS)
    yield Row(name, "calls", f"{one.calls:,}")
    yield at_most(name, "CPU", one.cpu, _allowed(few.clients, one.calls), " s", digits=2)
    yield Row("each further empty region", "calls", f"{(many.calls - one.calls) / further:,.0f}")
    yield at_most("each further empty region", "CPU", (many.cpu - one.cpu) / further, EMPTY_REGION, " s", digits=2)
    yield at_most("each further empty region", "peak memory", many.peak / MEBIBYTE, 200, " MiB", digits=0)


@contextmanager
def _account(furnish: Callable[[AwsEmulator], object]) -> Iterator[AwsEmulator]:
    with AwsEmulator() as emulator:
        furnish(emulator)
        yield emulator


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bench_") as name:
        yield Path(name)


def _compared(
    world: str,
    emulator: AwsEmulator,
    *,
    runs: int,
    stretch: bool = False,
    wall: float | None = None,
    asked: Asked | None = None,
) -> Iterator[Row]:
    """Scan and replay by turns, so that both meet the same machine; the first scan only warms up."""
    scans: list[Cost] = []
    replays: list[Cost] = []
    verdicts = 0
    asked = asked or Asked((HOME,))
    with _folder() as folder:
        questions = _questions_in(emulator, asked, folder)
        _replayed(emulator, questions.distinct)  # so that neither compiles while it is measured
        _scans(emulator, asked, 1)
        for _ in range(runs):
            cost, verdicts = _scans(emulator, asked, 1)
            scans.append(cost)
            replays.append(_replayed(emulator, questions.every))
        least = _replayed(emulator, questions.distinct).calls
    scan, replay = _middle(scans), _middle(replays)
    yield Row(world, "verdicts", f"{verdicts:,}")
    yield at_most(world, "calls (goal: 1.1 × the distinct ones)", scan.calls, 1.1 * least, "", digits=0)
    if stretch:
        yield at_most(world, "wall, stretch", scan.wall, 10, " s")
    elif wall is not None:
        yield at_most(world, "wall", scan.wall, wall, " s")
    else:
        yield Row(world, "wall", f"{scan.wall:,.1f} s")
    yield at_most(world, "wall ÷ wall of the replay", scan.wall / replay.wall, NEAR_REPLAY, " ×", digits=2)
    yield at_most(world, "CPU", scan.cpu, _allowed(questions.clients, scan.calls), " s", digits=2)
    if stretch:
        yield at_most(world, "CPU, stretch", scan.cpu, 4, " s", digits=2)
    yield Row(world, "raw replay: wall, CPU", f"{replay.wall:,.1f} s, {replay.cpu:,.2f} s")
    yield Row(world, "CPU ÷ CPU of the replay", f"{scan.cpu / replay.cpu:,.2f} ×")
    yield at_most(world, "peak memory", scan.peak / MEBIBYTE, 200, " MiB", digits=0)


def _allowed(clients: int, calls: int) -> float:
    return START_UP + PER_CLIENT * clients + PER_CALL * calls


def _scans(emulator: AwsEmulator, asked: Asked, runs: int) -> tuple[Cost, int]:
    """The middle one of some scans as a person would start them, and how many verdicts it gave."""
    with _folder() as folder:
        out = folder / "verdicts.ndjson"
        command = ["auditor.cli", "scan", "aws", *asked.words(), "--threads", str(THREADS), "--allow-partial"]
        costs = [_measured(emulator, [*command, "--format", "ndjson", "--out", str(out)]) for _ in range(runs)]
        with out.open(encoding="utf-8") as lines:
            return _middle(costs), sum(1 for _ in lines)


def _replayed(emulator: AwsEmulator, questions: Path) -> Cost:
    return _measured(emulator, ["benchmarks.replay", str(questions), "--threads", str(THREADS)])


def _questions_in(emulator: AwsEmulator, asked: Asked, folder: Path) -> Questions:
    """What such a scan asks, kept in the folder."""
    every, distinct = folder / "every.json", folder / "distinct.json"
    _measured(emulator, ["benchmarks.recording", str(every), *asked.words(), "--threads", str(THREADS)])
    questions = json.loads(every.read_text(encoding="utf-8"))
    once = {json.dumps(question, sort_keys=True): question for question in questions}
    distinct.write_text(json.dumps(list(once.values())), encoding="utf-8")
    clients = {(operation.partition(":")[0], region) for _, operation, _, region in questions}
    return Questions(every, distinct, len(clients) + 1)  # STS is asked before the first question


def _measured(emulator: AwsEmulator, module: list[str]) -> Cost:
    """Run one of our modules against the account.

    Raises:
        RuntimeError: It ended otherwise than it should; what it printed is in the message.
    """
    emulator.reset_counts()
    account = {**emulator.environment(), "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    ran = processes.run(["-m", *module], account)
    return Cost(ran.wall, ran.cpu, ran.peak, sum(emulator.counts().values()))


def _middle(costs: list[Cost]) -> Cost:
    """Each figure's median over the runs."""
    return Cost(
        median(cost.wall for cost in costs),
        median(cost.cpu for cost in costs),
        max(cost.peak for cost in costs),
        max(cost.calls for cost in costs),
    )
