"""A nursery of workers: ``python -m tests.crash.estate_worker``, which forks one for each line it reads and says its process id.

Everything is imported before, so a worker is there at once. A worker leases, works under the lease and leases again, with
nothing of its parent's open; it is killed from outside, and ends by itself when the nursery does.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence

from auditor.bootstrap import Installation, Work, call_pool
from auditor.collectors.aws import _client
from auditor.domain.ports import Claim, Queue
from auditor.settings import configured
from auditor.worker.tasks import Duties, leases, perform

QUEUES: tuple[Queue, ...] = ("assess", "collect")


def do(duties: Duties, claim: Claim) -> None:
    if claim.queue == "collect":
        duties.collect(claim)
    else:
        duties.assess(claim)


def worker(nursery: int, services: Sequence[str]) -> None:
    """Work until the nursery is gone."""
    settings = configured()
    lease_for = leases(settings.lease_seconds)
    with Installation.open(settings, services=services) as here, call_pool(settings) as pool:
        duties = Work(here, pool)
        while os.getppid() == nursery:
            claims = [
                claim
                for queue in QUEUES
                for claim in here.claims.lease(queue, now=here.clock(), limit=1, lease_for=settings.lease_seconds)
            ]
            for claim in claims:
                perform(duties, claim, do, lease_for=lease_for)
            if not claims:
                time.sleep(0.05)


def main(services: Sequence[str]) -> int:
    """Fork a worker a line."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that are killed
    _client.loader()
    nursery = os.getpid()
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.dup2(2, 1)  # what it logs is no process id
            try:
                worker(nursery, services)
            finally:
                os._exit(0)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
