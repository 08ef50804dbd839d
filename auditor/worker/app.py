"""The Celery application and how its workers run; a broker is a doorbell here, the truth is rows.

Any message may be lost or doubled: the lease behind it runs out and the row is leased again under a higher fence.
So there are no chords, no delays, no retries by the broker and no result backend.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from celery import Celery
from celery.exceptions import SecurityWarning

from auditor.domain.ports import Queue

if TYPE_CHECKING:
    from auditor.settings import Settings

QUEUES: tuple[Queue, ...] = ("collect", "assess", "notify", "preflight", "upkeep", "export")
"""What is rung for. Sources to watch and refreshes to plan are leased as well, by those who do it themselves."""
HARD_LIMIT = 600
"""Seconds after which a task is killed; a lease is not held on for longer either."""
VISIBILITY = 900
PREFIX = "auditor."


def make_app(settings: Settings, *, prefix: str = PREFIX) -> Celery:
    """An application for the configured broker, without tasks yet; ``prefix`` keeps our keys apart on a shared Redis."""
    # Celery warns root because of pickled messages, which ours refuse; a newcomer would only be frightened.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    broker = "memory://localhost" if settings.broker_url is None else settings.broker_url.get_secret_value()
    app = Celery("auditor", broker=broker, set_as_current=False)
    app.conf.update(_CONFIGURATION, broker_transport_options=_transport(broker, prefix))
    app.conf.worker_enable_remote_control = settings.broker_url is not None  # nobody else could ask
    return app


def _transport(broker: str, prefix: str) -> dict[str, Any]:
    if broker.startswith("memory:"):
        return {"polling_interval": 0.05}  # as shipped it looks once a second: 4 messages a second
    return {
        "global_keyprefix": prefix,
        "visibility_timeout": VISIBILITY,
        "unacked_restore_interval": 2,  # as shipped what a killed worker held comes back after 100 s
        "unacked_restore_throttle": 1,
        "socket_connect_timeout": 5,
        "socket_timeout": 30,
        "socket_keepalive": True,
        "health_check_interval": 25,
        "retry_on_timeout": True,
    }


_CONFIGURATION: dict[str, Any] = {
    "accept_content": ["json"],
    "task_serializer": "json",
    "result_backend": None,
    "task_ignore_result": True,
    "task_store_errors_even_if_ignored": False,
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "task_time_limit": HARD_LIMIT,
    "task_soft_time_limit": HARD_LIMIT - 30,
    "task_create_missing_queues": True,
    "task_default_queue": "collect",
    "task_publish_retry_policy": {"max_retries": 1, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.2},
    "broker_connection_retry_on_startup": True,
    "broker_connection_timeout": 5,
    "worker_prefetch_multiplier": 1,
    "worker_max_tasks_per_child": 500,
    "worker_max_memory_per_child": 400_000,  # KiB
    "worker_soft_shutdown_timeout": 25,
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,  # or prints vanish
    "enable_utc": True,
    "timezone": "UTC",
}


def run_worker(app: Celery, queues: Sequence[Queue], *, processes: int) -> int:
    """Work on these queues in forked processes until told to stop; gives the exit code.

    SIGTERM ends it after the running tasks; what it had not begun stays queued.
    """
    worker = app.Worker(
        hostname=node_name(queues),
        queues=list(queues),
        pool="prefork",
        concurrency=processes,
        without_mingle=True,
        without_gossip=True,
        without_heartbeat=True,
        quiet=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


def node_name(queues: Sequence[Queue]) -> str:
    """How the worker of these queues is called on this machine; ``health`` pings it by this name."""
    import socket  # noqa: PLC0415  (asked by workers and their health check only)

    return f"{'-'.join(sorted(queues))}@{socket.gethostname()}"


def waiting(app: Celery, queue: Queue) -> int:
    """How many messages wait in a queue unbegun; zero if it was never used."""
    with app.connection_for_read() as connection:
        channel = connection.default_channel
        try:
            return int(channel.queue_declare(queue=queue, passive=True).message_count)
        except connection.channel_errors:
            return 0
