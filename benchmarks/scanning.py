"""What ``auditor scan aws`` costs against emulated accounts, beside a raw replay of the very same calls.

The emulator is a process of its own and its CPU is not ours, but it shares the machine and answers one call at a time, so
on few cores the wall time of scan and replay alike is mostly its own. The ratio of the two, and the scan's CPU, say more.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
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
from benchmarks.figures import Row, at_most

ROOT = Path(__file__).resolve().parents[1]
HOME = "us-east-1"
THREADS = 32
EMPTY_REGIONS = ("us-west-2", "eu-central-1", "ap-southeast-2")
SMALL: dict[str, Any] = {  # 180 resources in the proportions of the large account
    "buckets": 32, "users": 22, "roles": 11, "policies": 7, "keys": 7, "trails": 2, "instances": 22, "volumes": 16,
    "snapshots": 10, "security_groups": 32, "vpcs": 2, "databases": 10, "database_snapshots": 7,
}  # fmt: skip
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
class Questions:
    """What a scan asked, on disk: all of it, and each distinct question once."""

    every: Path
    distinct: Path
    clients: int


def company_account(*, quick: bool) -> Iterator[Row]:
    """The demo's company, looked at in one of its regions."""
    with _account(lambda emulator: company.build(emulator, datetime.now(UTC))) as emulator:
        yield from _compared("seeded company", emulator, runs=1 if quick else 3)


def large_account(*, quick: bool) -> Iterator[Row]:
    """Some 1,660 resources in one region, or 180 when it must be quick."""
    name = "180 resources" if quick else "1,660 resources"
    with _account(lambda emulator: large(emulator, **(SMALL if quick else {}))) as emulator:
        yield from _compared(name, emulator, runs=1 if quick else 3, stretch=not quick)


def slow_account(*, quick: bool) -> Iterator[Row]:
    """180 resources behind a network: every answer takes 40 ms longer."""
    with _account(lambda emulator: large(emulator, **SMALL)) as emulator:
        emulator.latency(0.04)
        yield from _compared("180 resources, 40 ms away", emulator, runs=1 if quick else 3)


def empty_account(*, quick: bool) -> Iterator[Row]:
    """Nothing at all: what looking costs by itself, and what each further empty region adds."""
    name, runs = "empty account", 1 if quick else 3
    furnish = partial(AwsEmulator.supplement, facts={"regions": [HOME, *EMPTY_REGIONS]})
    with _account(furnish) as emulator, _folder() as folder:
        one, _ = _scans(emulator, (HOME,), runs)
        many, _ = _scans(emulator, (HOME, *EMPTY_REGIONS), runs)
        few = _questions_in(emulator, (HOME,), folder)
        more = _questions_in(emulator, (HOME, *EMPTY_REGIONS), folder)
    further = len(EMPTY_REGIONS)
    yield Row(name, "calls", f"{one.calls:,}")
    yield at_most(name, "CPU", one.cpu, _allowed(few.clients, one.calls), " s", digits=2)
    yield Row("each further empty region", "calls", f"{(many.calls - one.calls) / further:,.0f}")
    goal = (_allowed(more.clients, many.calls) - _allowed(few.clients, one.calls)) / further
    yield at_most("each further empty region", "CPU", (many.cpu - one.cpu) / further, goal, " s", digits=2)


@contextmanager
def _account(furnish: Callable[[AwsEmulator], object]) -> Iterator[AwsEmulator]:
    with AwsEmulator() as emulator:
        furnish(emulator)
        yield emulator


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bench_") as name:
        yield Path(name)


def _compared(world: str, emulator: AwsEmulator, *, runs: int, stretch: bool = False) -> Iterator[Row]:
    """Scan and replay by turns, so that both meet the same machine; the first scan only warms up."""
    scans: list[Cost] = []
    replays: list[Cost] = []
    verdicts = 0
    with _folder() as folder:
        questions = _questions_in(emulator, (HOME,), folder)
        for _ in range(runs):
            cost, verdicts = _scans(emulator, (HOME,), 1)
            scans.append(cost)
            replays.append(_replayed(emulator, questions.every))
        least = _replayed(emulator, questions.distinct).calls
    scan, replay = _middle(scans), _middle(replays)
    yield Row(world, "verdicts", f"{verdicts:,}")
    yield at_most(world, "calls (goal: 1.1 × the distinct ones)", scan.calls, 1.1 * least, "", digits=0)
    if stretch:
        yield at_most(world, "wall, stretch", scan.wall, 10, " s")
    else:
        yield Row(world, "wall", f"{scan.wall:,.1f} s")
    yield at_most(world, "wall ÷ wall of the replay", scan.wall / replay.wall, 1.3, " ×", digits=2)
    yield at_most(world, "CPU", scan.cpu, _allowed(questions.clients, scan.calls), " s", digits=2)
    if stretch:
        yield at_most(world, "CPU, stretch", scan.cpu, 4, " s", digits=2)
    yield Row(world, "raw replay: wall, CPU", f"{replay.wall:,.1f} s, {replay.cpu:,.2f} s")
    yield Row(world, "CPU ÷ CPU of the replay", f"{scan.cpu / replay.cpu:,.2f} ×")
    yield at_most(world, "peak memory", scan.peak / MEBIBYTE, 200, " MiB", digits=0)


def _allowed(clients: int, calls: int) -> float:
    return START_UP + PER_CLIENT * clients + PER_CALL * calls


def _scans(emulator: AwsEmulator, regions: tuple[str, ...], runs: int) -> tuple[Cost, int]:
    """The middle one of some scans as a person would start them, and how many verdicts it gave."""
    with _folder() as folder:
        out = folder / "verdicts.ndjson"
        named = [word for region in regions for word in ("--region", region)]
        command = ["auditor.cli", "scan", "aws", *named, "--threads", str(THREADS), "--allow-partial"]
        costs = [_measured(emulator, [*command, "--format", "ndjson", "--out", str(out)]) for _ in range(runs)]
        with out.open(encoding="utf-8") as lines:
            return _middle(costs), sum(1 for _ in lines)


def _replayed(emulator: AwsEmulator, questions: Path) -> Cost:
    return _measured(emulator, ["benchmarks.replay", str(questions), "--threads", str(THREADS)])


def _questions_in(emulator: AwsEmulator, regions: tuple[str, ...], folder: Path) -> Questions:
    """What a scan of these regions asks, kept in the folder."""
    every, distinct = folder / "every.json", folder / "distinct.json"
    _measured(emulator, ["benchmarks.recording", str(every), *regions, "--threads", str(THREADS)])
    asked = json.loads(every.read_text(encoding="utf-8"))
    once = {json.dumps(question, sort_keys=True): question for question in asked}
    distinct.write_text(json.dumps(list(once.values())), encoding="utf-8")
    clients = {(operation.partition(":")[0], region) for _, operation, _, region in asked}
    return Questions(every, distinct, len(clients) + 1)  # STS is asked before the first question


def _measured(emulator: AwsEmulator, module: list[str]) -> Cost:
    """Run one of our modules against the account.

    Raises:
        RuntimeError: It ended otherwise than it should; what it printed is in the message.
    """
    emulator.reset_counts()
    command = [sys.executable, str(ROOT / "benchmarks" / "child.py"), sys.executable, "-m", *module]
    ran = subprocess.run(
        command, cwd=ROOT, env=_environment(emulator.environment()), capture_output=True, text=True, check=True
    )
    told: dict[str, Any] = json.loads(ran.stdout)
    if told["exit"] != 0:
        raise RuntimeError(f"{module[0]} ended with {told['exit']}: {ran.stderr[-2000:]}")
    return Cost(told["wall"], told["cpu"], told["peak"], sum(emulator.counts().values()))


def _environment(account: Mapping[str, str]) -> dict[str, str]:
    """Ours without what a machine may say about AWS or proxies: nothing here has business outside loopback."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("AWS_") and not name.lower().endswith("_proxy")
    }
    return {**kept, **account, "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


def _middle(costs: list[Cost]) -> Cost:
    """Each figure's median over the runs."""
    return Cost(
        median(cost.wall for cost in costs),
        median(cost.cpu for cost in costs),
        max(cost.peak for cost in costs),
        max(cost.calls for cost in costs),
    )
