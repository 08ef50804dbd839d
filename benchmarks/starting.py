"""What it costs to start: the definitions, read anew and as kept by the process before, and ``auditor --help``."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from benchmarks import processes
from benchmarks.figures import Row, at_most

WORLD = "starting"
HELP, DEFINITIONS = 0.3, 150  # seconds, milliseconds of CPU
LOAD = """
import sys, time
before = time.process_time()
from controls import shipped
checks = len(shipped().checks)
print((time.process_time() - before) * 1000, checks, file=sys.stderr)
"""


def starts(*, quick: bool) -> Iterator[Row]:
    """Each figure is CPU of a fresh process; bytecode is there in all of them."""
    runs = 1 if quick else 5
    _loaded()
    cold = []
    for _ in range(runs):
        for kept in processes.bytecode().rglob("definitions.json"):
            kept.unlink()
        cold.append(_loaded()[0])
    cached, checks = zip(*(_loaded() for _ in range(runs)), strict=True)
    yield Row(WORLD, f"{int(checks[0])} checks read, proved and compiled", f"{median(cold):,.0f} ms")
    yield at_most(WORLD, "the same, as kept by an earlier process", median(cached), DEFINITIONS, " ms", digits=0)
    helped = [processes.run(["-m", "auditor.cli", "--help"]).cpu for _ in range(runs + 1)][1:]
    yield at_most(WORLD, "auditor --help", median(helped), HELP, " s", digits=2)


def _loaded() -> tuple[float, float]:
    milliseconds, checks = processes.run(["-c", LOAD]).printed.split()[-2:]
    return float(milliseconds), float(checks)
