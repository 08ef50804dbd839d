"""``auditor demo``: an emulated account and cluster, a tenant, six weeks of daily runs through the real pipeline, and the pages on it.

Everything lies in a folder of its own that is removed at the end, and every process started here ends with this one. The
days are the story's; the clock that stamps evidence is turned with them and reaches the real time when the story ends.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from auditor import telemetry
from auditor.bootstrap import Installation, Work, call_pool, now
from auditor.cli.clusters import identified
from auditor.cli.connect import add_user
from auditor.cli.temporary import temporary_home
from auditor.cli.together import together
from auditor.domain.errors import ConfigurationError, TenancyError
from auditor.domain.scope import Scope
from auditor.domain.source import ClusterAccess, Source, public_id
from auditor.settings import Settings
from auditor.simulators import cluster_company, cluster_story, company, company_story
from auditor.simulators.aws import ACCOUNT, AwsEmulator
from auditor.simulators.kubernetes_api import ClusterApi
from auditor.simulators.receiver import Receiver
from auditor.store.ids import run_id
from auditor.trust.passwords import Passwords
from auditor.worker.tick import Ticker

SLUG = "meadowbrook"
OFFICER = "officer@meadowbrook.example"
DAY = timedelta(days=1)
SERVICES = (*company.SERVICES, "k8s")


class StoryClock:
    """The story's time: stands on a day and runs on from there at the pace of the real one; at the end it is the real one."""

    def __init__(self) -> None:
        self._offset = timedelta(0)
        self._lock = threading.Lock()

    def __call__(self) -> datetime:
        """Now, in the story."""
        with self._lock:
            return datetime.now(UTC) + self._offset

    def turn_to(self, moment: datetime) -> None:
        """Go on from this moment; never back."""
        with self._lock:
            self._offset = max(self._offset, moment - datetime.now(UTC))

    def start_at(self, moment: datetime) -> None:
        """Begin the story in the past."""
        with self._lock:
            self._offset = moment - datetime.now(UTC)

    def let_go(self) -> None:
        """Be the real time from now on."""
        with self._lock:
            self._offset = timedelta(0)


def demo(*, port: int | None, days: int | None, exit_when_done: bool) -> int:
    """Run until Ctrl-C, or until the history is there."""
    began = time.monotonic()
    telemetry.configure("error")
    length = company_story.DAYS if days is None else max(0, min(days, company_story.DAYS))
    clock = StoryClock()
    first = now().replace(minute=0, second=0, microsecond=0) - length * DAY
    clock.start_at(first)
    chosen = _port(port)
    password = secrets.token_urlsafe(12)
    with (
        temporary_home("auditor-demo-") as home,
        _starting(AwsEmulator()) as started,
        ClusterApi(clock=clock) as cluster,
        Receiver(clock=clock) as receiver,
    ):
        settings = Settings(
            home=home,
            port=chosen,
            base_url=f"http://127.0.0.1:{chosen}",
            egress_allow="127.0.0.0/8",
            secure_cookies=False,
        ).model_copy(
            update={
                "database_url": None,
                "broker_url": None,
                "claim_database_url": None,
                "ledger_database_url": None,
                "ledger_key_file": None,
            }
        )
        with Installation.open(settings, clock=clock, services=SERVICES) as here, call_pool(settings) as pool:
            tenant = add_user(
                here,
                slug=SLUG,
                email=OFFICER,
                name="Compliance officer",
                role="owner",
                password_hash=Passwords().hash(password),
                demo=True,
                tenant_name=company.NAME,
            )
            receiver.trust(here.add_webhook(tenant, receiver.url, by="demo"))
            failed: list[BaseException] = []
            told, over = threading.Event(), threading.Event()

            def tell(ticker: Ticker) -> None:
                def story() -> None:
                    try:
                        _live(here, tenant, _World(started(), cluster), clock, ticker, first, length)
                        told.set()
                        took = time.monotonic() - began
                        print(
                            f"  {2 * (length + 1)} runs in {took:.0f} s. Webhooks arrived: {len(receiver.messages)}",
                            flush=True,
                        )
                    except BaseException as error:  # noqa: BLE001  (the main thread must hear of it, whatever it was)
                        if over.is_set():  # its world is being cleared away: a signal now would leave half of it behind
                            return
                        failed.append(error)
                        print(f"auditor: the story broke off: {error!r}", file=sys.stderr, flush=True)
                    if exit_when_done or failed:
                        os.kill(os.getpid(), signal.SIGTERM)

                threading.Thread(target=story, name="story", daemon=True).start()

            def ready() -> None:
                print(f"\n  {company.NAME}, a demo (simulated account {ACCOUNT})\n", flush=True)
                print(f"  looks at  {', '.join(SERVICES)}", flush=True)
                print(f"  open      {settings.base_url}\n  user      {OFFICER}\n  password  {password}", flush=True)
                print(f"  webhooks  {receiver.url}  (what a receiver sees)\n", flush=True)
                print("  Six weeks of history are filling in. Ctrl-C stops everything.", flush=True)

            code = together(here, Work(here, pool), ready=ready, started=tell, watch_after=told)
            over.set()
    return 1 if failed else code


@dataclass(frozen=True)
class _World:
    """What the company has: an account, and a cluster in it."""

    account: AwsEmulator
    cluster: ClusterApi

    def turn_to(self, day: int, at: datetime) -> None:
        """Let happen what happens on a day."""
        self.account.set_clock(at)
        for event in company_story.events_on(day):
            event.act(self.account)
        for turn in cluster_story.events_on(day):
            turn.act(self.cluster)


def _live(
    here: Installation,
    tenant: UUID,
    world: _World,
    clock: StoryClock,
    ticker: Ticker,
    first: datetime,
    length: int,
) -> None:
    """The days one by one: account and cluster change, the schedule comes due, the workers look."""
    emulator = world.account
    os.environ.update(emulator.environment())
    print(f"  account   AWS_ENDPOINT_URL={emulator.url}  (emulated; any key pair signs in)", flush=True)
    company.build(emulator, first)
    clock.turn_to(first)
    cluster_company.build(world.cluster)
    token = world.cluster.account_token(*cluster_company.AUDITOR)
    config = world.cluster.kubeconfig(here.settings.home / "kubeconfig", token=token)
    print(f"  cluster   KUBECONFIG={config}  (emulated)", flush=True)
    asked = Source(
        tenant,
        tenant,
        "kubernetes",
        "meadowbrook",
        "meadowbrook",
        "",
        endpoint_url=world.cluster.url,
        access=ClusterAccess("", url=world.cluster.url, authority=world.cluster.authority),
    )
    cluster, _ = identified(here, asked, token)
    source = Source(
        tenant, public_id(tenant, "source", "aws", ACCOUNT), "aws", ACCOUNT, "production", endpoint_url=emulator.url
    )
    for day in range(length + 1):
        at = first + day * DAY
        clock.turn_to(at)
        world.turn_to(day, clock())
        if day == 0:
            with here.open_tenant(tenant) as books:
                books.add_source(source, Scope(), regions=company.REGIONS, every=DAY.total_seconds(), now=first)
                books.add_source(cluster, Scope(), regions=(), every=DAY.total_seconds(), now=first)
        ticker.ring()
        for one in (source, cluster):
            _finished(here, tenant, run_id(tenant, one.id, at))
        _progress(day, length)
    clock.let_go()
    emulator.set_clock(None)


def _finished(here: Installation, tenant: UUID, run: UUID) -> None:
    """Wait for the run that the schedule plans for the day, to its end."""
    while True:
        with here.open_tenant(tenant) as books, suppress(TenancyError):  # not planned yet
            if books.run(run).state != "running":
                return
        time.sleep(0.05)


def _progress(day: int, length: int) -> None:
    if sys.stdout.isatty():
        print(f"\r  day {day} of {length}", end="\n" if day == length else "", flush=True)
    elif day % 7 == 0:
        print(f"  day {day} of {length}", flush=True)


@contextmanager
def _starting(emulator: AwsEmulator) -> Iterator[Callable[[], AwsEmulator]]:
    """Start the emulator beside the database: what it gives waits until the account answers."""
    with ThreadPoolExecutor(1) as pool:
        starting = pool.submit(emulator.start)

        def started() -> AwsEmulator:
            starting.result()
            return emulator

        try:
            yield started
        finally:
            starting.exception()
            emulator.stop()


def _port(wanted: int | None) -> int:
    """The port asked for, else the usual one, else any that is free."""
    for port in (8420, 0) if wanted is None else (wanted,):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                if port == 0 or wanted is not None:
                    raise ConfigurationError(
                        f"port {port} cannot be bound: {error.strerror}", advice="Choose another --port"
                    ) from error
                continue
            return int(probe.getsockname()[1])
    raise RuntimeError("the last try gives a port or an error")
