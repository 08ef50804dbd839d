"""Whether a process of ours is alive, for container health checks: ``python -m auditor.worker.health tick|watch|checkpoint|collect|…``.

The tick is alive if it ticked within a minute, watch if it wrote down what it heard within one, checkpoint if it appended or found nothing to append within one; a worker if it answers a ping over the broker. That a queue is *heard*,
which a worker that answers may still not do, is what canaries are for.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from auditor.domain.ports import Queue
from auditor.settings import Settings, configured
from auditor.worker.app import QUEUES, make_app, node_name

STALE_AFTER = 60.0
PULSES = ("tick", "watch", "checkpoint")


def pulse_file(process: str = "tick") -> Path:
    """Where a process without a queue leaves its pulse on this machine or container."""
    return Path(tempfile.gettempdir()) / f"auditor-{process}.pulse"


def tick_is_alive(pulse: Path, *, now: float) -> bool:
    """Whether the pulse is younger than a minute."""
    try:
        return now - pulse.stat().st_mtime < STALE_AFTER
    except FileNotFoundError:
        return False


def worker_is_alive(queues: list[Queue], settings: Settings) -> bool:
    """Whether the worker of these queues on this machine answers within five seconds."""
    app = make_app(settings)
    return bool(app.control.ping(destination=[node_name(queues)], timeout=5.0))


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0 for alive, 1 for not."""
    parser = argparse.ArgumentParser(prog="auditor.worker.health", description="Is this process alive?")
    parser.add_argument("process", choices=[*PULSES, *QUEUES], nargs="+")
    chosen: list[str] = parser.parse_args(arguments).process
    if len(chosen) == 1 and chosen[0] in PULSES:
        alive = tick_is_alive(pulse_file(*chosen), now=time.time())
    else:
        alive = worker_is_alive([queue for queue in QUEUES if queue in chosen], configured())
    return 0 if alive else 1


if __name__ == "__main__":
    sys.exit(main())
