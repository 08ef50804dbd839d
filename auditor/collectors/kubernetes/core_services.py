"""Services: how far they carry what pods serve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from auditor.collectors.kubernetes._about import (
    Owner,
    fields,
    labels_of,
    name_of,
    namespace_of,
    owner_of,
    picked,
    texts,
    words,
)
from auditor.collectors.kubernetes._listing import listing
from auditor.domain.network import is_world
from auditor.domain.reading import Reading, Readings, Seen, Unseen
from auditor.domain.resource_type import ResourceType

SCHEMES = (
    "service.beta.kubernetes.io/aws-load-balancer-scheme",
    "service.beta.kubernetes.io/aws-load-balancer-internal",
    "service.beta.kubernetes.io/aws-load-balancer-type",
    "cloud.google.com/load-balancer-type",
    "networking.gke.io/load-balancer-type",
    "service.beta.kubernetes.io/azure-load-balancer-internal",
    "service.beta.kubernetes.io/load-balancer-source-ranges",
)
"""Annotations by which clouds are told who may reach a load balancer."""


@dataclass(frozen=True, slots=True)
class Service:
    """A service; ``type`` is ClusterIP, NodePort, LoadBalancer or ExternalName. ``annotations`` are those of ``SCHEMES``.

    ``internal`` says that a cloud was told to keep its load balancer off the internet, ``open_to_world`` that no ranges
    narrow who may reach one.
    """

    name: str
    namespace: str
    labels: Mapping[str, str]
    owner: Owner | None
    type: str
    selector: Mapping[str, str]
    annotations: Mapping[str, str]
    external_ips: tuple[str, ...]
    source_ranges: tuple[str, ...]
    node_ports: tuple[int, ...]
    load_balancer_class: str | None
    internal: bool
    open_to_world: Reading[bool]


def add(item: Mapping[str, Any]) -> dict[str, Any]:
    """The annotations that say who may reach it."""
    return {"annotations": picked(item, SCHEMES)}


service = ResourceType(
    "kubernetes.service",
    version=1,
    title="Service",
    place="account",
    listing=listing(
        "core/v1:services",
        "Service",
        keep=(
            "spec.type",
            "spec.selector",
            "spec.externalIPs",
            "spec.loadBalancerSourceRanges",
            "spec.loadBalancerClass",
            "spec.ports[].nodePort",
        ),
        add=add,
        added=("annotations",),
    ),
)


@service.document
def describe(seen: Readings) -> Service:
    """The service as it was set up."""
    spec, annotations = fields(seen, "spec"), texts(fields(seen, "annotations"))
    return Service(
        name=name_of(seen),
        namespace=namespace_of(seen),
        labels=labels_of(seen),
        owner=owner_of(seen),
        type=str(spec.get("type") or "ClusterIP"),
        selector=texts(spec.get("selector")),
        annotations=annotations,
        external_ips=words(spec.get("externalIPs")),
        source_ranges=words(spec.get("loadBalancerSourceRanges")),
        node_ports=tuple(int(port["nodePort"]) for port in spec.get("ports") or () if port.get("nodePort")),
        load_balancer_class=spec.get("loadBalancerClass"),
        internal=is_internal(annotations),
        open_to_world=_open(words(spec.get("loadBalancerSourceRanges")), annotations),
    )


def is_internal(annotations: Mapping[str, str]) -> bool:
    """Whether an annotation of any cloud asks for a load balancer of the private network; the oldest names a range instead."""
    told = {name.rpartition("/")[2]: value.strip().lower() for name, value in annotations.items()}
    return (
        told.get("aws-load-balancer-scheme") == "internal"
        or told.get("load-balancer-type") == "internal"
        or told.get("azure-load-balancer-internal") == "true"
        or told.get("aws-load-balancer-internal") in {"true", "0.0.0.0/0"}
    )


def _open(ranges: tuple[str, ...], annotations: Mapping[str, str]) -> Reading[bool]:
    """Whether everybody may reach it: no ranges at all, or ranges that add up to the world. The field goes before the annotation."""
    noted = annotations.get("service.beta.kubernetes.io/load-balancer-source-ranges", "")
    chosen = ranges or tuple(one.strip() for one in noted.split(",") if one.strip())
    try:
        return Seen(not chosen or is_world(chosen))
    except ValueError:
        return Unseen("the source ranges hold something that is no range")
