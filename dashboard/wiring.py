"""Joins the pages to an installation: what a web process hands to ``create_app``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID, uuid4

from flask import Flask

from auditor.bootstrap import Installation, now
from auditor.domain.bundle import Asked, Bundle, Estimate
from auditor.domain.ports import Clock
from auditor.domain.scope import Scope
from auditor.domain.source import Source, SourceKind
from auditor.exports.issuing import name_of
from auditor.store.preflights import Preflight
from auditor.store.reads.bundle_opening import estimate
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
            preflights=_Preflights(here),
            estate=_Estate(here),
            bundles=_Bundles(here),
            evidence=_Evidence(here),
            retention=here.settings.retention,
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


class _Preflights:
    """``dashboard.context.Preflights`` over the store."""

    def __init__(self, here: Installation) -> None:
        self._here = here

    def latest(self, principal: Principal, source: UUID) -> tuple[Source, Preflight | None]:
        with self._here.open_tenant(principal.tenant) as books:
            return books.source(source), books.latest_preflight(source)

    def ask(self, principal: Principal, source: UUID) -> None:
        at = self._here.clock()
        with self._here.open_tenant(principal.tenant) as books:
            books.ask_preflight(uuid4(), books.source(source).id, by=str(principal.identity), now=at)
            books.record_action(str(principal.identity), "source.test", str(source), now=at)


class _Estate:
    """``dashboard.context.Estate`` over the installation."""

    def __init__(self, here: Installation) -> None:
        self._here = here

    def change_scope(self, principal: Principal, source: UUID, scope: Scope, *, by: str, reason: str) -> None:
        self._here.change_scope(principal.tenant, source, scope, by=by, reason=reason)

    def leave_out(self, principal: Principal, kind: SourceKind, native_id: str, *, by: str, reason: str) -> None:
        with self._here.open_tenant(principal.tenant) as books:
            books.leave_out(kind, native_id, by=by, reason=reason, now=self._here.clock())

    def take_back(self, principal: Principal, kind: SourceKind, native_id: str, *, by: str, reason: str) -> None:
        with self._here.open_tenant(principal.tenant) as books:
            books.take_back(kind, native_id, by=by, reason=reason, now=self._here.clock())


class _Bundles:
    """``dashboard.context.Bundles`` over the installation."""

    def __init__(self, here: Installation) -> None:
        self._here = here

    def list(self, principal: Principal) -> tuple[Bundle, ...]:
        with self._here.open_tenant(principal.tenant) as books:
            return books.bundles()

    def sources(self, principal: Principal) -> tuple[Source, ...]:
        with self._here.open_tenant(principal.tenant) as books:
            return books.sources()

    def estimate(self, principal: Principal, asked: Asked) -> Estimate:
        with self._here.app.reading(principal.tenant) as connection:
            return estimate(connection, asked, self._here.library)

    def ask(self, principal: Principal, asked: Asked, *, by: str) -> None:
        with self._here.open_tenant(principal.tenant) as books:
            books.ask_bundle(uuid4(), asked, by=by, now=self._here.clock())

    def take(self, principal: Principal, id: UUID, *, by: str) -> tuple[str, int, Iterator[bytes]]:  # noqa: A002
        with self._here.open_tenant(principal.tenant) as books:
            bundle = books.take_bundle(id, by=by, now=self._here.clock())
        return name_of(bundle), bundle.bytes or 0, self._here.issuing().read(principal.tenant, bundle)
