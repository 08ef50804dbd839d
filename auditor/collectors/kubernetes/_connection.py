"""Ways into a cluster: a kubeconfig context, the service account of the pod we run in, or an address with its CA and a token.

Each asserts who we are before anything is asked. A cluster of EKS is such an address, whose tokens are made as they are needed.
"""

from __future__ import annotations

import os
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3
import yaml
from kubernetes import config
from kubernetes.client import ApiClient, Configuration

from auditor import __version__
from auditor.collectors.hearing import ShowsItsPeer
from auditor.collectors.kubernetes._client import PAGE, ClusterCaller
from auditor.collectors.pace import BURST, RATE, Bucket, LocalBucket
from auditor.domain.errors import CollectionError
from auditor.domain.ports import CallFailed

_LIBRARY: Any = config  # its functions have no types
WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
QUESTION = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}


class _Connection(ShowsItsPeer, urllib3.connection.HTTPSConnection):
    """A connection whose responses say which certificate it was made to."""


class _Pool(urllib3.HTTPSConnectionPool):
    """Connections that show their peer."""

    ConnectionCls = _Connection


@dataclass(frozen=True, slots=True)
class Door:
    """An address, the certificate (PEM) that alone is trusted there, and the token that opens it.

    A token that lasts ``lasts`` seconds is asked for again when they are over; any is when the cluster refuses it.
    """

    url: str
    authority: str
    token: Callable[[], str]
    lasts: float | None = None


def connect(
    *,
    kubeconfig: Path | None = None,
    context: str | None = None,
    inside: bool | None = None,
    name: str | None = None,
    namespaces: Sequence[str] = (),
    threads: int = 16,
    bucket: Bucket | None = None,
    page: int = PAGE,
) -> ClusterCaller:
    """The cluster of a kubeconfig context, or, where there is no kubeconfig, the one that this pod runs in.

    ``inside`` says which of the two, where it must not be found out; ``name`` is what it is called instead of its context.

    Raises:
        CollectionError: No usable configuration, or the cluster does not accept it.
    """
    if inside is None:
        inside = _is_inside(kubeconfig, context)
    try:
        called = "in-cluster" if inside else _context_name(kubeconfig, context)
        load = _LIBRARY.load_incluster_config if inside else _from_file(kubeconfig, context)
        return _caller(load, name or called, namespaces=namespaces, threads=threads, bucket=bucket, page=page)
    except (config.ConfigException, yaml.YAMLError, OSError, TypeError, ValueError, KeyError) as error:
        raise CollectionError(
            f"there is no way into a cluster: {_first_line(error)}",
            advice="Name a kubeconfig with --kubeconfig and a context in it with --context, or run inside the cluster",
        ) from error


def connect_address(
    door: Door,
    *,
    name: str,
    namespaces: Sequence[str] = (),
    threads: int = 16,
    bucket: Bucket | None = None,
    page: int = PAGE,
    clock: Callable[[], float] = time.monotonic,
) -> ClusterCaller:
    """The cluster at an address.

    Raises:
        CollectionError: It cannot be reached, is not the one of the certificate, or does not accept the token.
    """
    trust = b64encode(door.authority.encode()).decode()
    cluster = {"server": door.url, "certificate-authority-data": trust}

    def load(client_configuration: Configuration) -> None:
        told = {
            "clusters": [{"name": "it", "cluster": cluster}],
            "users": [{"name": "we", "user": {"token": door.token()}}],
            "contexts": [{"name": "here", "context": {"cluster": "it", "user": "we"}}],
            "current-context": "here",
        }
        until = clock() + (door.lasts or 0.0)
        _LIBRARY.load_kube_config_from_dict(told, client_configuration=client_configuration, persist_config=False)
        if door.lasts is not None:
            hooked: Any = client_configuration  # the library declares that there is no hook
            hooked.refresh_api_key_hook = _renewing(door.token, until, door.lasts, clock)

    return _caller(load, name, namespaces=namespaces, threads=threads, bucket=bucket, page=page)


def _renewing(
    token: Callable[[], str], until: float, lasts: float, clock: Callable[[], float]
) -> Callable[[Configuration], None]:
    """What the library calls before each request: a token that is over is replaced. Two threads may both replace it."""

    def renew(configuration: Configuration) -> None:
        nonlocal until
        if clock() >= until:
            fresh = clock() + lasts
            configuration.api_key["BearerToken"] = f"Bearer {token()}"
            until = fresh

    return renew


def _caller(
    load: Callable[..., None], name: str, *, namespaces: Sequence[str], threads: int, bucket: Bucket | None, page: int
) -> ClusterCaller:
    def client() -> ApiClient:
        configuration = Configuration()
        load(client_configuration=configuration)
        configuration.retries = False  # the door waits and asks again by itself
        configuration.connection_pool_maxsize = threads
        made = ApiClient(configuration)
        pools = made.rest_client.pool_manager
        pools.pool_classes_by_scheme = {**pools.pool_classes_by_scheme, "https": _Pool}
        made.user_agent = f"auditor/{__version__}"
        return made

    try:
        caller = ClusterCaller(
            client(),
            renew=client,
            name=name,
            identity="",
            namespaces=namespaces,
            bucket=bucket or LocalBucket(RATE, BURST),
            page=page,
        )
        told = caller.ask(WHO, action="create selfsubjectreviews", method="POST", body=QUESTION)
        caller.identity = _user(told)
    except CallFailed as failure:
        if failure.code not in {"NotFound", "Forbidden"}:  # an older server, or one that does not tell
            raise CollectionError(
                f"the cluster {name} does not let us in: {failure.code} {failure.message}".rstrip(),
                advice="Check `kubectl auth whoami` with the same kubeconfig and context",
            ) from failure
        caller.identity = "unknown"
    return caller


def _user(told: Any) -> str:
    return str(((told.get("status") or {}).get("userInfo") or {}).get("username") or "unknown")


def _from_file(kubeconfig: Path | None, context: str | None) -> Callable[..., None]:
    def load(client_configuration: Configuration) -> None:
        _LIBRARY.load_kube_config(
            config_file=None if kubeconfig is None else str(kubeconfig),
            context=context,
            client_configuration=client_configuration,
            persist_config=False,
        )

    return load


def _context_name(kubeconfig: Path | None, context: str | None) -> str:
    contexts, active = _LIBRARY.list_kube_config_contexts(None if kubeconfig is None else str(kubeconfig))
    if context is None:
        return str(active["name"])
    if context not in {one["name"] for one in contexts}:
        known = ", ".join(sorted(str(one["name"]) for one in contexts))
        raise ValueError(f"no context is called {context}; there are {known}")
    return context


def cluster_names(kubeconfig: Path | None, context: str | None) -> tuple[str, ...]:
    """What a context and the cluster that it leads to are called.

    Raises:
        CollectionError: There is no such context.
    """
    try:
        called = _context_name(kubeconfig, context)
        contexts, _ = _LIBRARY.list_kube_config_contexts(None if kubeconfig is None else str(kubeconfig))
    except (config.ConfigException, yaml.YAMLError, OSError, TypeError, ValueError, KeyError) as error:
        raise CollectionError(f"there is no way into a cluster: {_first_line(error)}") from error
    found = next(one for one in contexts if one["name"] == called)
    return called, str(found["context"]["cluster"])


def _is_inside(kubeconfig: Path | None, context: str | None) -> bool:
    return kubeconfig is None and context is None and not _kubeconfig_exists() and _in_a_pod()


def _kubeconfig_exists() -> bool:
    return bool(os.environ.get("KUBECONFIG")) or (Path.home() / ".kube" / "config").exists()


def _in_a_pod() -> bool:
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST"))


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:300] if str(error) else type(error).__name__
