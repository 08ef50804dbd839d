"""Ingresses and gateways with the certificates that they name: whether every host is served over TLS."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from auditor.collectors.kubernetes._members import found_or, member_of
from auditor.collectors.kubernetes.core_configuration import secret
from auditor.collectors.kubernetes.gateway import Gateway, gateway
from auditor.collectors.kubernetes.networking import CERTIFICATES, Ingress, Tls, ingress
from auditor.domain.reading import Reading, Unseen
from auditor.domain.resource_type import DerivedType, Joined

ARN, PORTS = CERTIFICATES
EVERY_HOST = "every host"


@dataclass(frozen=True, slots=True)
class EntryTls:
    """An entry and what it serves in clear; certificates it names that do not exist are ``missing``.

    ``certificate_elsewhere`` is an annotation by which the controller takes its certificate from outside the cluster.
    """

    name: str
    namespace: str
    certificate_elsewhere: bool
    uncovered: tuple[str, ...]
    missing: Reading[tuple[str, ...]]


ingress_tls = DerivedType(
    "kubernetes.ingress_tls",
    version=1,
    title="Ingress and its certificates",
    over=ingress,
    inputs=(ingress, secret),
)
gateway_tls = DerivedType(
    "kubernetes.gateway_tls",
    version=1,
    title="Gateway and its certificates",
    over=gateway,
    inputs=(gateway, secret),
)


@ingress_tls.document
def describe_ingress(joined: Joined) -> EntryTls:
    """The ingress with each host that no certificate is for."""
    own: Ingress = member_of(joined).document
    hosts = (*own.hosts, *(("",) if own.default_backend and not own.hosts else ()))
    return EntryTls(
        name=own.name,
        namespace=own.namespace,
        certificate_elsewhere=_elsewhere(own.certificate_annotations),
        uncovered=tuple(host or EVERY_HOST for host in hosts if not any(_is_for(one, host) for one in own.tls)),
        missing=_missing(joined, own.namespace, {one.secret for one in own.tls if one.secret}),
    )


@gateway_tls.document
def describe_gateway(joined: Joined) -> EntryTls:
    """The gateway with each host that it answers for in clear and under no certificate as well; others may only redirect."""
    own: Gateway = member_of(joined).document
    sealed = [one for one in own.listeners if one.protocol in {"HTTPS", "TLS"}]
    clear = dict.fromkeys(one.hostname or "" for one in own.listeners if one.protocol == "HTTP")
    served = [one.hostname or "" for one in sealed]
    return EntryTls(
        name=own.name,
        namespace=own.namespace,
        certificate_elsewhere=False,
        uncovered=tuple(
            host or EVERY_HOST for host in clear if not any(not name or covers(name, host) for name in served)
        ),
        missing=_missing(joined, own.namespace, {name for one in sealed for name in one.certificates}),
    )


def covers(pattern: str, host: str) -> bool:
    """Whether a certificate's host is that of a rule; a star stands for one label, and a rule's star for itself alone."""
    pattern, host = pattern.lower(), host.lower()
    if pattern == host:
        return True
    first, _, rest = host.partition(".")
    return pattern.startswith("*.") and bool(rest) and first != "*" and pattern[2:] == rest


def _is_for(tls: Tls, host: str) -> bool:
    """An entry that names no hosts is for all of them."""
    return not tls.hosts or any(covers(pattern, host) for pattern in tls.hosts)


def _elsewhere(annotations: Mapping[str, str]) -> bool:
    if annotations.get(ARN):
        return True
    try:
        listens = json.loads(annotations.get(PORTS) or "[]")
    except ValueError:
        return False
    return isinstance(listens, list) and any(isinstance(one, dict) and "HTTPS" in one for one in listens)


def _missing(joined: Joined, namespace: str, names: set[str]) -> Reading[tuple[str, ...]]:
    """The named Secrets that do not exist; a name may carry a namespace of its own."""
    population = joined.of(secret)
    found = {name: population.find(_secret_id(namespace, name)) for name in names}
    hidden = sorted({f"{secret.title}: {one.reason}" for one in found.values() if isinstance(one, Unseen)})
    return found_or((name for name, one in found.items() if one is None), hidden)


def _secret_id(namespace: str, name: str) -> str:
    above, _, own = name.rpartition("/")
    return f"{above or namespace}/Secret/{own}"
