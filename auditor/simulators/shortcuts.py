"""Where moto wastes time at every request: reading a directory, inspecting a class. Half of its time goes there."""

from __future__ import annotations

from functools import cache
from typing import Any

import moto.core.responses as moto_responses
from moto.core.utils import method_names_from_class
from moto.moto_server.werkzeug_app import DomainDispatcherApplication


def take_shortcuts() -> None:
    """Remember which backend a host means and which methods a class has; patches moto once, in this process."""
    by_host: dict[str | None, Any] = {}
    found = DomainDispatcherApplication.get_backend_for_host

    def get_backend_for_host(self: Any, host: str | None) -> Any:
        if host not in by_host:
            by_host[host] = found(self, host)
        return by_host[host]

    dispatcher: Any = DomainDispatcherApplication
    dispatcher.get_backend_for_host = get_backend_for_host
    responses: Any = moto_responses
    responses.method_names_from_class = cache(method_names_from_class)
