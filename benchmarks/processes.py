"""One process at a time, measured alone, with its bytecode in a folder of the benchmark's own.

Some environments keep Python from writing bytecode; there every start would compile everything anew, which no user pays.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Process:
    """One process: wall and CPU (user and system) in seconds, peak memory in bytes, what it printed to standard error."""

    wall: float
    cpu: float
    peak: int
    printed: str


@cache
def bytecode() -> Path:
    """The folder for bytecode and what is kept beside it, gone when the benchmark ends."""
    folder = tempfile.TemporaryDirectory(prefix="bench_bytecode_")
    atexit.register(folder.cleanup)
    return Path(folder.name)


def run(arguments: Sequence[str], more: Mapping[str, str] | None = None) -> Process:
    """Run Python with these arguments, and ``more`` in its environment, in the root of the tree.

    Raises:
        RuntimeError: It ended otherwise than it should; what it printed is in the message.
    """
    command = [sys.executable, str(ROOT / "benchmarks" / "child.py"), sys.executable, *arguments]
    environment = {**_environment(), **(more or {})}
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    told: dict[str, Any] = json.loads(ran.stdout)
    if told["exit"] != 0:
        raise RuntimeError(f"{' '.join(arguments[:2])} ended with {told['exit']}: {ran.stderr[-2000:]}")
    return Process(told["wall"], told["cpu"], told["peak"], ran.stderr)


def _environment() -> dict[str, str]:
    """Ours without what a machine may say about AWS or proxies: nothing here has business outside loopback."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("AWS_") and not name.lower().endswith("_proxy") and name != "PYTHONDONTWRITEBYTECODE"
    }
    return {**kept, "PYTHONPYCACHEPREFIX": str(bytecode())}
