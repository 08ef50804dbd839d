"""Web, worker, schedule, watches and ledger in one process: what ``auditor up`` and ``auditor demo`` share."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Event

from auditor.bootstrap import Installation, Work, follow
from auditor.domain.errors import ConfigurationError
from auditor.worker import embedded
from auditor.worker.app import make_app
from auditor.worker.checkpoints import Checkpoints
from auditor.worker.tasks import leases, register
from auditor.worker.tick import Ticker
from auditor.worker.watcher import Watcher
from dashboard.wiring import application


def together(
    here: Installation,
    work: Work,
    *,
    ready: Callable[[], None],
    started: Callable[[Ticker], None] = lambda _ticker: None,
    watch_after: Event | None = None,
) -> int:
    """Run until a signal; ``ready`` is called once all of it works, ``started`` gets the ticker before that.

    Clusters are watched at once, or as soon as ``watch_after`` is set.

    Raises:
        ConfigurationError: The port is taken.
    """
    from waitress.server import create_server  # noqa: PLC0415  (an extra: production serves otherwise)

    settings = here.settings
    try:
        server = create_server(application(here), host=settings.host, port=settings.port, threads=8, ident=None)
    except OSError as error:
        raise ConfigurationError(
            f"{settings.host}:{settings.port} cannot be bound: {error.strerror}",
            advice="Another Auditor may be running there; set AUDITOR_PORT and AUDITOR_BASE_URL",
        ) from error
    app = make_app(settings.model_copy(update={"broker_url": None}))  # a broker in memory: everybody is here
    lease_for = leases(settings.lease_seconds)
    ticker = Ticker(app, here.claims, work, here.clock, lease_for=lease_for)
    register(app, lambda: work, ring=ticker.ring, lease_for=lease_for)
    started(ticker)
    watcher = Watcher(here.claims, partial(follow, here), here.clock)

    def watch(stop: Event) -> None:
        while watch_after is not None and not watch_after.is_set() and not stop.is_set():
            watch_after.wait(1)
        watcher.run(stop)

    if not here.urls.ledger:  # a configured database, and the ledger is another process's
        return embedded.run(app, server, ticker, ready, watch=watch)
    with here.notary() as notary:
        return embedded.run(app, server, ticker, ready, watch=watch, checkpoints=Checkpoints(notary))
