"""A plain client of the small cluster, over its real socket: no library between a test and what is sent."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from auditor.simulators.kubernetes_api import ClusterApi

METADATA_ONLY = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
PODS = "/api/v1/namespaces/shop/pods"


@dataclass(frozen=True)
class Told:
    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)

    @property
    def events(self) -> list[tuple[str, dict[str, Any]]]:
        found = [json.loads(line) for line in self.raw.splitlines()]
        return [(event["type"], event["object"]) for event in found]


class Asker:
    """Asks a running cluster over one connection that is opened anew when it was lost."""

    def __init__(self, cluster: ClusterApi, timeout: float | None = 10) -> None:
        self.cluster = cluster
        self._admin = cluster.admin_token()
        context = ssl.create_default_context(cadata=cluster.authority)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        self._connection = http.client.HTTPSConnection(urlsplit(cluster.url).netloc, context=context, timeout=timeout)

    def __call__(
        self, path: str, *, token: str | None = "", accept: str = "application/json", body: object = None
    ) -> Told:
        """GET, or POST where there is a body; an empty token is the administrator's, None sends none."""
        headers = {"Accept": accept}
        if token is not None:
            headers["Authorization"] = f"Bearer {token or self._admin}"
        sent = json.dumps(body).encode() if body is not None else None
        try:
            self._connection.request("GET" if body is None else "POST", path, body=sent, headers=headers)
            response = self._connection.getresponse()
            return Told(response.status, dict(response.headers), response.read())
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise

    def close(self) -> None:
        self._connection.close()


def pod(name: str, namespace: str = "shop") -> dict[str, Any]:
    spec = {"containers": [{"name": "app", "image": "shop:1"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace}, "spec": spec}
