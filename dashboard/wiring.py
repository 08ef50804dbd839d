"""Joins the pages to an installation: what a web process hands to ``create_app``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import Flask

from auditor.bootstrap import Installation, now
from auditor.domain.ports import Clock
from auditor.store.webhooks import Webhook
from auditor.trust.passwords import Passwords
from auditor.trust.principals import Principal
from dashboard import create_app
from dashboard.context import DashboardContext


def application(here: Installation, *, clock: Clock | None = None) -> Flask:
    """The dashboard over an installation; ``clock`` is the instant that pages show, the installation's by default."""
    secure = here.settings.secure_cookies
    return create_app(
        DashboardContext(
            open_read=here.app.reading,
            people=here.identities,
            passwords=Passwords(),
            webhooks=_Webhooks(here),
            evidence=_Evidence(here),
            library=here.library,
            clock=clock or here.clock,
            wall_clock=now,
            ready=here.app.answers,
            base_url=here.settings.base_url,
            secure_cookies=here.settings.base_url.startswith("https://") if secure is None else secure,
            proxies=here.settings.proxies,
        )
    )


class _Evidence:
    """Kept evidence by digest, as the finding's page shows it."""

    def __init__(self, here: Installation) -> None:
        self._here = here

    def __call__(self, tenant: UUID, digest: str) -> Mapping[str, Any]:
        told: Mapping[str, Any] = json.loads(self._here.objects.get(tenant, digest))
        return told


class _Webhooks:
    """``dashboard.context.Webhooks`` over the store: the principal's tenant and nobody else's."""

    def __init__(self, here: Installation) -> None:
        self._here = here

    def list(self, principal: Principal) -> tuple[Webhook, ...]:
        with self._here.open_tenant(principal.tenant) as books:
            return books.webhooks()

    def add(self, principal: Principal, url: str) -> str:
        return self._here.add_webhook(principal.tenant, url, by=str(principal.identity))

    def disable(self, principal: Principal, id: UUID) -> None:  # noqa: A002  (the word people use)
        at = self._here.clock()
        with self._here.open_tenant(principal.tenant) as books:
            books.webhook(id)
            books.disable_webhook(id, "switched off by a person", now=at)
            books.record_action(str(principal.identity), "webhook.disable", str(id), now=at)
