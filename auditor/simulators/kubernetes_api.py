"""A small Kubernetes cluster as its users hold it: start it, change its world, make it fail, point any client at it.

It speaks TLS on loopback with an authority of its own, knows who asks by bearer token, and decides by the roles in its
store. Held to exchanges recorded from a 1.36.2 server by ``tests/contract/test_kubernetes_api.py``. Left out: selectors
but of a name, Table, the binary form, aggregated discovery, defaults and validation, and every writing verb over HTTP.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Any, Self

from auditor.simulators.kubernetes_desk import Desk
from auditor.simulators.kubernetes_faults import Trouble, Troubles
from auditor.simulators.kubernetes_identities import MASTERS, Identities
from auditor.simulators.kubernetes_rbac import aggregate, born_with
from auditor.simulators.kubernetes_server import Server
from auditor.simulators.kubernetes_store import Store
from auditor.simulators.kubernetes_tls import Certificates, make_certificates

_BORN_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")


class ClusterApi:
    """A cluster in threads of this process, gone when the ``with`` block ends.

    The world may be changed before, while and after it serves. ``clock`` is the cluster's own time: creation times and
    the ends of tokens go by it.
    """

    def __init__(self, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC), port: int = 0) -> None:
        self.store = Store(clock)
        self.identities = Identities(clock)
        self._port = port
        self._troubles = Troubles()
        self._server: Server | None = None
        self._certificates: Certificates | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Listen, with certificates made for this start; what every cluster is born with is there from then on."""
        if self.store.get("ClusterRole", "cluster-admin") is None:
            self._born()
        self._certificates = make_certificates()
        self._server = Server(self._certificates.context(), self._port, self._desk, self._troubles)
        self._server.start()

    def stop(self) -> None:
        """End every connection and return when the last has ended; stopping twice is fine."""
        server, self._server = self._server, None
        if server is not None:
            server.close()

    @property
    def url(self) -> str:
        """Where clients find it, such as ``https://127.0.0.1:40123``."""
        return f"https://{self._running().desk.address}"

    @property
    def authority(self) -> str:
        """The certificate, in PEM, of the authority that clients must trust."""
        if self._certificates is None:
            raise RuntimeError("the cluster has no certificates before its first start")
        return self._certificates.authority.decode()

    def put(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Create or replace an object and answer it as it is stored; see ``Store.put``."""
        stored = self.store.put(document)
        if document["kind"] == "ClusterRole":
            aggregate(self.store)
        return stored

    def put_all(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """Create or replace many, in order."""
        for document in documents:
            self.store.put(document)
        aggregate(self.store)

    def patch(
        self,
        kind: str,
        name: str,
        change: Mapping[str, Any],
        *,
        namespace: str = "",
        manager: str = "",
        subresource: str = "",
    ) -> dict[str, Any]:
        """Merge a change into an object; see ``Store.patch``."""
        stored = self.store.patch(kind, name, change, namespace=namespace, manager=manager, subresource=subresource)
        if stored["kind"] == "ClusterRole":
            aggregate(self.store)
        return stored

    def delete(self, kind: str, name: str, *, namespace: str = "") -> None:
        """Take an object away; with a namespace goes everything in it."""
        self.store.delete(kind, name, namespace=namespace)
        aggregate(self.store)

    def get(self, kind: str, name: str, *, namespace: str = "") -> dict[str, Any] | None:
        """A copy of an object, or None."""
        return self.store.get(kind, name, namespace=namespace)

    def token(self, user: str, groups: Iterable[str] = (), *, expires_at: datetime | None = None) -> str:
        """A bearer token of a user."""
        return self.identities.issue(user, groups, expires_at=expires_at)

    def admin_token(self) -> str:
        """A bearer token that may do everything."""
        return self.token("admin", [MASTERS])

    def account_token(self, namespace: str, name: str, *, expires_at: datetime | None = None) -> str:
        """A bearer token of a service account; it need not exist."""
        account = self.get("ServiceAccount", name, namespace=namespace)
        uid = str(account["metadata"]["uid"]) if account else ""
        return self.identities.issue_for_account(namespace, name, uid=uid, expires_at=expires_at)

    def revoke(self, token: str) -> None:
        """Know a token no more: requests with it are answered with 401."""
        self.identities.revoke(token)

    def kubeconfig(self, path: Path, *, token: str | None = None, token_file: Path | None = None) -> Path:
        """Write a configuration that any client loads, for this token (or the one in a file), and answer where it is.

        Without either it is an administrator's. The text is JSON, which is YAML.
        """
        user: dict[str, str] = {"tokenFile": str(token_file)} if token_file else {"token": token or self.admin_token()}
        trust = b64encode(self.authority.encode()).decode()
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "meadowbrook", "cluster": {"server": self.url, "certificate-authority-data": trust}}],
            "users": [{"name": "auditor", "user": user}],
            "contexts": [{"name": "meadowbrook", "context": {"cluster": "meadowbrook", "user": "auditor"}}],
            "current-context": "meadowbrook",
        }
        path.touch(mode=0o600)
        path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        return path

    def trouble(self, trouble: Trouble) -> None:
        """Add a trouble to those in force."""
        self._troubles.add(trouble)

    def clear_troubles(self) -> None:
        """Take back all troubles."""
        self._troubles.replace([])

    def compact(self) -> None:
        """Forget the past: the next page of a running listing is 410 with a fresh token, old watches meet ERROR 410."""
        self.store.compact()

    def latency(self, seconds: float) -> None:
        """Let every answer take this much longer."""
        self._running().latency = seconds

    def counts(self) -> dict[tuple[str, str], int]:
        """Requests per (verb, path template) since the last reset, refused and spoiled ones included."""
        return self._running().counts()

    def reset_counts(self) -> None:
        """Count from zero again."""
        self._running().counts(reset=True)

    def _born(self) -> None:
        for name in _BORN_NAMESPACES:
            self.store.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        self.put_all(born_with())

    def _desk(self, address: str) -> Desk:
        return Desk(self.store, self.identities, Event(), address)

    def _running(self) -> Server:
        if self._server is None:
            raise RuntimeError("the cluster is not running; call start() or use it in a with statement")
        return self._server
