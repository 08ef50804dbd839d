"""Gateways of the Gateway API: listeners and the certificates they terminate TLS with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from auditor.collectors.kubernetes._about import fields, labels_of, name_of, namespace_of
from auditor.collectors.kubernetes._listing import listing
from auditor.domain.reading import Readings
from auditor.domain.resource_type import ResourceType


@dataclass(frozen=True, slots=True)
class Listener:
    """One listener: its protocol as written (HTTP, HTTPS, TLS, TCP, UDP), its TLS mode, and Secrets with certificates.

    A Secret of another namespace reads ``namespace/name``.
    """

    name: str
    protocol: str
    port: int
    hostname: str | None
    tls_mode: str | None
    certificates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway and its listeners."""

    name: str
    namespace: str
    labels: Mapping[str, str]
    gateway_class: str
    listeners: tuple[Listener, ...]


gateway = ResourceType(
    "kubernetes.gateway",
    version=1,
    title="Gateway",
    place="account",
    listing=listing(
        "gateway.networking.k8s.io/v1:gateways",
        "Gateway",
        keep=(
            "spec.gatewayClassName",
            "spec.listeners[].name",
            "spec.listeners[].protocol",
            "spec.listeners[].port",
            "spec.listeners[].hostname",
            "spec.listeners[].tls.mode",
            "spec.listeners[].tls.certificateRefs[].name",
            "spec.listeners[].tls.certificateRefs[].namespace",
        ),
        unsupported=True,
    ),
)


@gateway.document
def describe(seen: Readings) -> Gateway:
    """The gateway as it was written; a listener with TLS that names no mode terminates it."""
    spec = fields(seen, "spec")
    return Gateway(
        name=name_of(seen),
        namespace=namespace_of(seen),
        labels=labels_of(seen),
        gateway_class=str(spec.get("gatewayClassName") or ""),
        listeners=tuple(
            Listener(
                name=str(one["name"]),
                protocol=str(one.get("protocol") or ""),
                port=int(one.get("port") or 0),
                hostname=one.get("hostname"),
                tls_mode=None if one.get("tls") is None else str(one["tls"].get("mode") or "Terminate"),
                certificates=tuple(
                    f"{ref['namespace']}/{ref['name']}" if ref.get("namespace") else str(ref["name"])
                    for ref in (one.get("tls") or {}).get("certificateRefs") or ()
                ),
            )
            for one in spec.get("listeners") or ()
        ),
    )
