"""Everything in one process: Celery's worker in the main thread, since it owns the signals; web and tick beside it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from celery import signals
from celery.worker import state

from auditor.telemetry import logger
from auditor.worker.app import QUEUES

if TYPE_CHECKING:
    from celery import Celery

    from auditor.worker.checkpoints import Checkpoints
    from auditor.worker.tick import Ticker

log = logger(__name__)


class Server(Protocol):
    """A web server as waitress makes it."""

    def run(self) -> None:
        """Serve until closed."""

    def close(self) -> None:
        """Stop listening."""


def run(
    app: Celery,
    serve: Server,
    tick: Ticker,
    ready: Callable[[], None],
    *,
    threads: int = 4,
    watch: Callable[[threading.Event], None] | None = None,
    checkpoints: Checkpoints | None = None,
) -> int:
    """Serve, tick, work, watch and append to the ledger until SIGINT or SIGTERM, then close all; gives the exit code, 0 for either signal.

    A task that runs then is waited for. A second signal ends the process at once.
    """
    stop = threading.Event()
    beside = [
        threading.Thread(target=_serving, args=(serve, stop), name="web", daemon=True),
        threading.Thread(target=tick.run, args=(stop,), name="tick", daemon=True),
    ]
    if watch is not None:
        beside.append(threading.Thread(target=watch, args=(stop,), name="watch", daemon=True))
    if checkpoints is not None:
        beside.append(threading.Thread(target=checkpoints.run, args=(stop,), name="checkpoint", daemon=True))
    worker = app.Worker(
        queues=list(QUEUES),
        pool="threads",
        concurrency=threads,
        without_mingle=True,
        without_gossip=True,
        without_heartbeat=True,
        quiet=True,
    )

    def on_ready(**_: Any) -> None:
        # Celery's own handlers stand by now: they would leave with 1 after Ctrl-C, and talk about it.
        signal.signal(signal.SIGINT, leave)
        signal.signal(signal.SIGTERM, leave)
        ready()

    def leave(_number: int, _frame: Any) -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        # Not a lease more: what is leased and not begun when we end waits until its lease has run out.
        stop.set()
        tick.ring()
        state.should_stop = 0

    signals.worker_ready.connect(on_ready, weak=False)
    before = signal.signal(signal.SIGTERM, _leave_early)
    try:
        for thread in beside:
            thread.start()
        worker.start()
        code = int(worker.exitcode or 0)
    except KeyboardInterrupt:
        code = 0
    finally:
        signals.worker_ready.disconnect(on_ready)
        signal.signal(signal.SIGTERM, before)
        stop.set()
        tick.ring()
        if checkpoints is not None:
            checkpoints.ring()  # what waits by now is still appended and signed
        serve.close()
        for thread in beside:
            thread.join(timeout=5)
    return code


def _leave_early(_number: int, _frame: Any) -> None:
    raise KeyboardInterrupt


def _serving(serve: Server, stop: threading.Event) -> None:
    try:
        serve.run()
    except OSError:
        # Closing pulls the socket from under the loop that waits on it: expected then, and only then.
        if not stop.is_set():
            raise
