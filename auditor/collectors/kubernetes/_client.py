"""The only door to the kubernetes library: lists as raw JSON pages, its refusals as answers, its waits honoured.

Enters: an operation (``apps/v1:deployments``) and what the listing says of its kind. Leaves: pages. Guards that one listing
is of one version of the cluster: where a page is of another one, or its token has run out, what came is taken back
(``StartOver``) and the listing begins anew. Nothing is ever written: every request is a GET, but for the one that asks who
we are.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from threading import Lock
from typing import Any
from urllib.parse import quote, urlencode

import urllib3
from kubernetes.client import ApiClient
from kubernetes.client.exceptions import ApiException

from auditor.collectors.hearing import Ear, peer_of
from auditor.collectors.kubernetes._listing import METADATA_ONLY, NAMESPACES, ONE
from auditor.collectors.kubernetes._refusals import WAITING, first_line, object_in, refusal
from auditor.collectors.kubernetes._requests import (
    NAMED_SECRETS,
    READ_SECRET,
    VERSION,
    action_of,
    named,
    parts,
    path_of,
    secret_path,
)
from auditor.collectors.pace import Bucket, rate_key
from auditor.domain.calls import Hear, Heard, unheard
from auditor.domain.ports import CallFailed, StartOver
from auditor.domain.provider import host_of
from auditor.domain.resource_type import WITHIN
from auditor.domain.source import GLOBAL

PAGE = 500
TRIES = 4
LONGEST_WAIT = 30.0
"""Seconds we wait for a server that asks for it; one that asks for more is told as throttled."""
TIMEOUT = (5.0, 60.0)
CHUNK = 64 * 1024
JSON = "application/json"
METADATA = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
"""No second choice behind it: a server that cannot leave contents out shall answer nothing."""
PASSING = frozenset({500, 502, 504})
"""What a moment's wait may mend, though the server does not say how long."""


class ClusterCaller:
    """One cluster, asked as one identity. Satisfies ``domain.ports.Caller``; make it with ``_connection.connect``."""

    def __init__(
        self,
        client: ApiClient,
        *,
        renew: Callable[[], ApiClient],
        name: str,
        identity: str,
        namespaces: Sequence[str],
        bucket: Bucket,
        page: int = PAGE,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._renew = renew
        self._namespaces = tuple(dict.fromkeys(namespaces))
        self._bucket = bucket
        self._page = page
        self._sleep = sleep
        self._lock = Lock()
        self._calls: Counter[str] = Counter()
        self._versions: dict[str, str] = {}
        self._ear = Ear()
        self.account = name
        self.identity = identity
        self.certificates: tuple[str, ...] = ()
        """The Secrets, as ``namespace/name``, that somebody opted in to have read; no other is."""
        self.partition = ""
        self.home = GLOBAL
        self.endpoint = ""  # there is no provider whose own address it could differ from
        self.host = host_of(str(client.configuration.host))

    def pages(
        self, operation: str, params: Mapping[str, Any], *, region: str, heard: Hear = unheard
    ) -> Iterator[Mapping[str, Any]]:
        """The list page by page, all of one version; see ``domain.ports.Caller``.

        Where only some namespaces are looked at, each is asked for its own; so it is where only some are in scope and the
        whole may not be listed. What one of them refuses is told when all the others have answered.

        Raises:
            CallFailed: The server refused, or the call broke after its tries.
            StartOver: The listing cannot go on as it began.
        """
        del region  # a cluster is one place
        try:
            for page in self._pages(operation, params):
                self._tell(heard)
                yield page
        except CallFailed:
            self._tell(heard)
            raise

    def _tell(self, heard: Hear) -> None:
        last = self._ear.take()
        if last is not None:
            heard(last)

    def _pages(self, operation: str, params: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        if params.get(ONE):
            yield self._one(operation, str(params[ONE]), params)
            return
        if operation == NAMED_SECRETS:
            yield {"items": [_named(one) for one in self.certificates]}
            return
        if operation == READ_SECRET:
            yield self._secret(str(params["named"]))
            return
        if self._namespaces and NAMESPACES in params:
            yield from self._one_by_one(operation, self._namespaces, params)
            return
        begun = False
        try:
            for page in self._listed(operation, "", params):
                begun = True
                yield self._mine(operation, page)
        except CallFailed as failure:
            alone = params.get(NAMESPACES)
            if begun or not alone or failure.kind != "denied":
                raise
            yield from self._one_by_one(operation, alone, params)

    def _secret(self, id_: str) -> Mapping[str, Any]:
        namespace, _, name = id_.split("/", 2)
        if f"{namespace}/{name}" not in self.certificates:
            raise RuntimeError("only Secrets that somebody named are read")
        action = f"get secrets/{name} in {namespace}"
        return self._answer("GET", secret_path(namespace, name), accept=JSON, action=action, operation=READ_SECRET)

    def _one_by_one(
        self, operation: str, namespaces: Sequence[str], params: Mapping[str, Any]
    ) -> Iterator[Mapping[str, Any]]:
        refused: CallFailed | None = None
        for namespace in namespaces:
            try:
                for page in self._listed(operation, namespace, params):
                    yield {**page, WITHIN: namespace}
            except StartOver:
                raise
            except CallFailed as failure:
                refused = refused or failure
        if refused is not None:
            raise refused

    def prepare(self, operation: str, *, region: str) -> None:
        """Nothing in a cluster needs preparing."""
        del region
        raise CallFailed("NotPreparable", "error", action=operation)

    def calls(self) -> Mapping[str, int]:
        """Requests sent so far, retries included, by operation."""
        with self._lock:
            return dict(self._calls)

    def versions(self) -> Mapping[str, str]:
        """The resource version that each finished listing was of, by operation."""
        with self._lock:
            return dict(self._versions)

    def action(self, operation: str) -> str:
        """The verb and resource that an operation needs, as people write it."""
        return action_of(operation)

    def release(self, service: str) -> None:
        """Connections are shared by all that a cluster shows, so nothing is let go of."""

    def ask(self, path: str, *, action: str, method: str = "GET", body: Any = None) -> Mapping[str, Any]:
        """One answer that is no list. Raises ``CallFailed`` as ``pages`` does."""
        return self._answer(method, path, accept=JSON, action=action, operation=action, body=body)

    def _listed(self, operation: str, namespace: str, params: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        if operation == VERSION:
            yield self._answer("GET", path_of(operation), accept=JSON, action=action_of(operation), operation=operation)
            return
        try:
            yield from self._whole(operation, operation, namespace, params)
        except CallFailed as missing:
            other = self._instead(operation) if missing.code == "NotFound" else None
            if other is None:
                raise
            yield from self._whole(operation, other, namespace, params)

    def _one(self, operation: str, id_: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """The list of one object, or of none if it is gone: asked for by name, which needs no other verb than the list does."""
        namespace, _, name = id_.split("/", 2)
        query = urlencode({"limit": self._page, "fieldSelector": named(name)}, quote_via=quote)
        action, accept = action_of(operation, namespace), METADATA if params.get(METADATA_ONLY) else JSON
        path = f"{path_of(operation, namespace)}?{query}"
        page = self._answer("GET", path, accept=accept, action=action, operation=operation)
        if (page.get("metadata") or {}).get("continue"):
            raise CallFailed("SelectorIgnored", "error", action=action)
        return {**page, "items": [item for item in page.get("items") or () if item["metadata"]["name"] == name]}

    def stream(self, path: str, *, accept: str, action: str, operation: str, silence: float) -> Generator[bytes]:
        """An answer as it comes, in pieces; the first is empty and says that the server began to answer.

        Raises:
            CallFailed: The server refused, also with fresh credentials, or the connection broke or was silent for too long.
        """
        used = self._client
        try:
            response = self._open(used, "GET", path, accept, operation, None, (TIMEOUT[0], silence))
            if response.status == 401 and self._renewed(used):
                response = self._open(self._client, "GET", path, accept, operation, None, (TIMEOUT[0], silence))
            if not 200 <= response.status < 300:
                raise refusal(response.status, response.headers, response.read(), action)
            try:
                yield b""
                yield from response.response.stream(CHUNK)
            finally:
                response.response.close()
        except (urllib3.exceptions.HTTPError, ApiException, OSError) as broken:
            raise CallFailed(type(broken).__name__, "error", action=action, message=first_line(broken)) from broken

    def _instead(self, operation: str) -> str | None:
        """The same kind in the version that the cluster prefers, where it has the group but not in the version we know.

        A group that is there in another version is not a group that is missing: taking it so would hide what it holds.
        """
        group, version, plural = parts(operation)
        if not group:
            return None
        path = f"/apis/{group}"
        try:
            served = self._answer("GET", path, accept=JSON, action=f"get {path}", operation=f"get {path}")
        except CallFailed as failure:
            if failure.code == "NotFound":
                return None
            raise
        there = [str(one["version"]) for one in served.get("versions") or ()]
        preferred = str((served.get("preferredVersion") or {}).get("version") or "")
        return None if version in there or not preferred else f"{group}/{preferred}:{plural}"

    def _whole(
        self, operation: str, served: str, namespace: str, params: Mapping[str, Any]
    ) -> Iterator[Mapping[str, Any]]:
        """The pages of one list, all of one version of the cluster."""
        action, path = action_of(operation, namespace), path_of(served, namespace)
        accept = METADATA if params.get(METADATA_ONLY) else JSON
        token, version = "", None
        while True:
            query = urlencode({"limit": self._page} | ({"continue": token} if token else {}), quote_via=quote)
            page = self._answer("GET", f"{path}?{query}", accept=accept, action=action, operation=operation)
            about = page.get("metadata") or {}
            if version is not None and about.get("resourceVersion") != version:
                raise StartOver("Inconsistent", "error", action=action, message="the pages are of two versions")
            version = about.get("resourceVersion")
            yield page
            before, token = token, str(about.get("continue") or "")
            if not token:
                break
            if token == before:
                raise CallFailed("PageRepeated", "error", action=action)
        with self._lock:
            self._versions[f"{operation} {namespace}".strip()] = str(version)

    def _mine(self, operation: str, page: Mapping[str, Any]) -> Mapping[str, Any]:
        """A page of the cluster's namespaces holds those alone that are looked at."""
        if not self._namespaces or operation != "core/v1:namespaces":
            return page
        kept = [item for item in page.get("items") or () if item["metadata"]["name"] in self._namespaces]
        return {**page, "items": kept}

    def _answer(
        self, method: str, path: str, *, accept: str, action: str, operation: str, body: Any = None
    ) -> Mapping[str, Any]:
        """One page; asked again where its connection broke, after the wait that the server asks for, or as we are now."""
        renewed = False
        failure = CallFailed("NotTried", "error", action=action)
        for attempt in range(TRIES):
            last = attempt + 1 == TRIES
            client = self._client
            try:
                status, headers, data = self._send(client, method, path, accept, operation, body)
                if 200 <= status < 300:
                    return object_in(data)
            except (urllib3.exceptions.HTTPError, ApiException, OSError, ValueError) as broken:
                code = "Unreadable" if isinstance(broken, ValueError) else type(broken).__name__
                failure = CallFailed(code, "error", action=action, message=first_line(broken))
                if not last:
                    self._sleep(0.1 * 2**attempt)
                continue
            failure = refusal(status, headers, data, action)
            if status == 401 and not renewed and self._renewed(client):
                renewed = True
            elif status in WAITING and not last and failure.retry_after <= LONGEST_WAIT:
                self._sleep(failure.retry_after or 0.2 * 2**attempt)
            elif status in PASSING and not last:
                self._sleep(0.2 * 2**attempt)
            else:
                raise failure
        raise failure

    def _send(
        self, client: ApiClient, method: str, path: str, accept: str, operation: str, body: Any
    ) -> tuple[int, Mapping[str, str], bytes]:
        self._ear.take()  # what an earlier request was answered is nothing to this one
        response = self._open(client, method, path, accept, operation, body, TIMEOUT)
        self._ear.last = Heard(response.headers.get("Audit-Id", ""), self.host, peer_of(response.response))
        return response.status, response.headers, response.read()

    def _open(
        self,
        client: ApiClient,
        method: str,
        path: str,
        accept: str,
        operation: str,
        body: Any,
        timeout: tuple[float, float],
    ) -> Any:
        """One request, its answer not read yet; what the library gives is not typed."""
        wait = self._bucket.take(rate_key(self.account, GLOBAL, "kubernetes"))
        if wait > 0:
            self._sleep(wait)
        with self._lock:
            self._calls[operation] += 1
        headers = {"Accept": accept} | ({"Content-Type": JSON} if body is not None else {})
        request = client.param_serialize(method, path, header_params=headers, body=body, auth_settings=["BearerToken"])
        return client.call_api(*request, _request_timeout=timeout)

    def _renewed(self, used: ApiClient) -> bool:
        """Take fresh credentials, unless another thread has done so since; false where there are none."""
        with self._lock:
            if self._client is not used:
                return True
            try:
                self._client = self._renew()
            except Exception:  # noqa: BLE001  (files and helper programs fail in ways of their own: then the refusal stands)
                return False
            return True


def _named(certificate: str) -> Mapping[str, Any]:
    namespace, _, name = certificate.partition("/")
    return {"metadata": {"namespace": namespace, "name": name}}
