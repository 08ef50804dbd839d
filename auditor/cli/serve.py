"""``auditor up|web|worker|tick|watch|checkpoint|migrate|stop|demo``: the processes, each alone or all in one."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from typing import Any

from auditor.domain.errors import ConfigurationError

QUEUES = ("collect", "assess", "notify", "preflight", "upkeep", "export")
EPILOG = """Settings come from the environment:
  AUDITOR_HOME                  folder for the embedded database, evidence and the root key
  AUDITOR_DATABASE_URL          PostgreSQL of the application role; without it the embedded one is used
  AUDITOR_CLAIM_DATABASE_URL    the same database, as the role that leases work
  AUDITOR_MIGRATE_DATABASE_URL  the same database, as its owner (migrate only)
  AUDITOR_LEDGER_DATABASE_URL   the same database, as the role that appends to the ledger (checkpoint only)
  AUDITOR_LEDGER_KEY_FILE       the key that signs the ledger (checkpoint only); made there if there is none
  AUDITOR_TIMESTAMP_URL         who stamps heads and bundles, RFC 3161 (checkpoint, worker); AUDITOR_TIMESTAMP_ROOTS verifies it
  AUDITOR_BROKER_URL            Redis, for web, worker and tick as separate processes
  AUDITOR_BASE_URL, AUDITOR_HOST, AUDITOR_PORT, AUDITOR_ROOT_KEY, AUDITOR_EGRESS_ALLOW, AUDITOR_THREADS, AUDITOR_LOG_LEVEL
  AUDITOR_LEASE_SECONDS         how long the work of a killed worker waits for another (90)

examples:
  auditor up
  auditor migrate                          first, with each release
  auditor web
  auditor tick
  auditor watch                            clusters, between their runs
  auditor checkpoint
  auditor worker --queues collect,assess
  auditor stop                             after a killed auditor up
  auditor demo --port 8421                 a seeded company instead of your own
"""
_RAW: dict[str, Any] = {"formatter_class": argparse.RawDescriptionHelpFormatter, "epilog": EPILOG}


def add(commands: Any) -> None:
    """The processes."""
    for name, function, told in (
        ("up", run_up, "web, worker, schedule and ledger in one process"),
        ("web", run_web, "the dashboard alone"),
        ("tick", run_tick, "the schedule alone"),
        ("watch", run_watch, "hear what changes in clusters between their runs, alone"),
        ("checkpoint", run_checkpoint, "appending to the ledger and signing it, alone"),
        ("migrate", run_migrate, "bring the database to this release"),
        ("stop", run_stop, "stop an embedded database that a killed process left behind"),
    ):
        commands.add_parser(name, help=told, **_RAW).set_defaults(run=function)
    worker = commands.add_parser("worker", help="work on queues", **_RAW)
    worker.add_argument(
        "--queues", type=_queues, default=QUEUES, help="collect, assess, notify, preflight, upkeep; several by comma"
    )
    worker.add_argument("--processes", type=int, default=os.cpu_count() or 1, metavar="N", help="(default: the cores)")
    worker.set_defaults(run=run_worker)
    demo = commands.add_parser("demo", help="a seeded company, six weeks of history, and the dashboard on it", **_RAW)
    demo.add_argument("--port", type=int, default=None, help="(default: 8420, or a free one if it is taken)")
    demo.add_argument("--days", type=int, default=None, metavar="N", help="fewer days of history")
    demo.add_argument("--exit-when-done", action="store_true", help="leave once the history is there (for tests)")
    demo.set_defaults(run=run_demo)


def _queues(text: str) -> tuple[str, ...]:
    queues = tuple(text.split(","))
    unknown = [queue for queue in queues if queue not in QUEUES]
    if unknown:
        raise argparse.ArgumentTypeError(f"no queue is called {unknown[0]}; there are {', '.join(QUEUES)}")
    return queues


def run_up(_: argparse.Namespace) -> int:
    """Everything in one process, on the embedded database unless one is configured."""
    from auditor import telemetry  # noqa: PLC0415  (each process pays for what it runs)
    from auditor.bootstrap import Installation, Work, call_pool  # noqa: PLC0415
    from auditor.cli.together import together  # noqa: PLC0415
    from auditor.settings import configured  # noqa: PLC0415

    settings = configured()
    telemetry.configure(settings.log_level)
    signal.signal(signal.SIGTERM, _end)
    with Installation.open(settings) as here, call_pool(settings) as pool:

        def ready() -> None:
            print(f"Auditor is up: {settings.base_url}", flush=True)
            print("No account yet? auditor user add EMAIL, then auditor source add aws", flush=True)

        return together(here, Work(here, pool), ready=ready)


def _end(_number: int, _frame: Any) -> None:
    """Asked to end while still starting: by way of an exception, so that the database just started is stopped."""
    sys.exit(0)


def run_web(_: argparse.Namespace) -> int:
    """The dashboard under gunicorn: threads, a graceful end, no state."""
    from gunicorn.app.base import BaseApplication  # noqa: PLC0415

    from auditor import telemetry  # noqa: PLC0415
    from auditor.bootstrap import Installation  # noqa: PLC0415
    from auditor.settings import configured  # noqa: PLC0415
    from dashboard.wiring import application  # noqa: PLC0415

    settings = _apart(configured())
    telemetry.configure(settings.log_level)

    with Installation.open(settings):
        pass  # what is wrong with the settings is said here, once, and not by each forked process

    class Web(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
        def load_config(self) -> None:
            chosen = {"bind": f"{settings.host}:{settings.port}", "workers": 2, "threads": 8, "worker_class": "gthread"}
            for name, value in (chosen | {"graceful_timeout": 20, "preload_app": False}).items():
                self.cfg.set(name, value)

        def load(self) -> Any:
            return application(Installation.open(settings))  # in the forked worker: connections are not shared

    Web().run()
    return 0


def run_worker(arguments: argparse.Namespace) -> int:
    """Forked workers on some queues."""
    from auditor import telemetry  # noqa: PLC0415
    from auditor.bootstrap import Installation, Work, call_pool  # noqa: PLC0415
    from auditor.settings import configured  # noqa: PLC0415
    from auditor.worker.app import make_app  # noqa: PLC0415
    from auditor.worker.app import run_worker as run  # noqa: PLC0415
    from auditor.worker.limits import shared  # noqa: PLC0415
    from auditor.worker.tasks import leases, register  # noqa: PLC0415

    settings = _apart(configured())
    telemetry.configure(settings.log_level)
    with Installation.open(settings):
        pass  # what is wrong with the settings is said here, once, and not by each forked process
    app = make_app(settings)
    register(
        app,
        lambda: Work(Installation.open(settings), call_pool(settings), bucket=shared(settings)),
        lease_for=leases(settings.lease_seconds),
    )
    return run(app, arguments.queues, processes=arguments.processes)


def run_tick(_: argparse.Namespace) -> int:
    """Plan and lease until told to stop."""
    from auditor import telemetry  # noqa: PLC0415
    from auditor.bootstrap import Installation, Work, call_pool  # noqa: PLC0415
    from auditor.settings import configured  # noqa: PLC0415
    from auditor.worker.app import make_app  # noqa: PLC0415
    from auditor.worker.health import pulse_file  # noqa: PLC0415
    from auditor.worker.tasks import leases  # noqa: PLC0415
    from auditor.worker.tick import Ticker  # noqa: PLC0415

    settings = _apart(configured())
    telemetry.configure(settings.log_level)
    stop = threading.Event()
    with Installation.open(settings) as here, call_pool(settings) as pool:
        ticker = Ticker(
            make_app(settings),
            here.claims,
            Work(here, pool),
            here.clock,
            pulse=pulse_file(),
            lease_for=leases(settings.lease_seconds),
        )

        def leave(*_: object) -> None:
            stop.set()
            ticker.ring()

        signal.signal(signal.SIGTERM, leave)
        signal.signal(signal.SIGINT, leave)
        ticker.run(stop)
    return 0


def run_watch(_: argparse.Namespace) -> int:
    """Watch clusters until told to stop; what they tell is marked, and the workers look."""
    from functools import partial  # noqa: PLC0415  (the command pays for what it uses)

    from auditor import telemetry  # noqa: PLC0415
    from auditor.bootstrap import Installation, follow  # noqa: PLC0415
    from auditor.settings import configured  # noqa: PLC0415
    from auditor.worker.health import pulse_file  # noqa: PLC0415
    from auditor.worker.watcher import LEASE_FOR, Watcher  # noqa: PLC0415

    settings = configured()
    telemetry.configure(settings.log_level)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    with Installation.open(settings) as here:
        lease = min(LEASE_FOR, settings.lease_seconds)
        watcher = Watcher(
            here.claims,
            partial(follow, here),
            here.clock,
            look_every=lease / 3,
            lease_for=lease,
            pulse=pulse_file("watch"),
        )
        watcher.run(stop)
    return 0


def run_checkpoint(_: argparse.Namespace) -> int:
    """Append what was noted and sign it until told to stop."""
    from auditor import telemetry  # noqa: PLC0415
    from auditor.bootstrap import Installation  # noqa: PLC0415
    from auditor.settings import configured  # noqa: PLC0415
    from auditor.worker.checkpoints import Checkpoints  # noqa: PLC0415
    from auditor.worker.health import pulse_file  # noqa: PLC0415

    settings = configured()
    telemetry.configure(settings.log_level)
    stop = threading.Event()
    with Installation.open(settings) as here, here.notary() as notary:
        checkpoints = Checkpoints(notary, pulse=pulse_file("checkpoint"))

        def leave(*_: object) -> None:
            stop.set()
            checkpoints.ring()

        signal.signal(signal.SIGTERM, leave)
        signal.signal(signal.SIGINT, leave)
        checkpoints.run(stop)
    return 0


def run_migrate(_: argparse.Namespace) -> int:
    """Run the schema's steps as its owner; the embedded database needs no telling."""
    from auditor.bootstrap import Installation, roles_of  # noqa: PLC0415
    from auditor.settings import configured  # noqa: PLC0415
    from auditor.store.database import answering  # noqa: PLC0415
    from auditor.store.provision import migrate  # noqa: PLC0415

    settings = configured()
    if settings.migrate_database_url is None:
        if not settings.embedded:
            raise ConfigurationError(
                "AUDITOR_MIGRATE_DATABASE_URL is not set", advice="Give the URL of the schema's owner"
            )
        with Installation.open(settings):
            pass
    else:
        owner = settings.migrate_database_url.get_secret_value()
        answering(owner, setting="AUDITOR_MIGRATE_DATABASE_URL", connections=1).close()
        migrate(owner, roles_of(settings))
    print("the database is at this release")
    return 0


def run_stop(_: argparse.Namespace) -> int:
    """Stop the embedded server whoever started it."""
    from auditor.settings import configured  # noqa: PLC0415
    from auditor.store import embedded  # noqa: PLC0415

    settings = configured()
    print("stopped" if embedded.stop(settings.home) else f"no database runs under {settings.home}", file=sys.stderr)
    return 0


def run_demo(arguments: argparse.Namespace) -> int:
    """See ``auditor.cli.demo``."""
    from auditor.cli.demo import demo  # noqa: PLC0415  (moto and the story are for the demo alone)

    return demo(port=arguments.port, days=arguments.days, exit_when_done=arguments.exit_when_done)


def _apart(settings: Any) -> Any:
    if settings.broker_url is None or settings.embedded:
        missing = "AUDITOR_BROKER_URL" if settings.broker_url is None else "AUDITOR_DATABASE_URL"
        raise ConfigurationError(
            f"{missing} is not set: processes that stand apart need a broker and a database they share",
            advice="Set it, or run everything in one process: auditor up",
        )
    return settings
