"""EKS clusters as AWS runs them: who reaches the API, what it logs, how its secrets are stored, and how old it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from auditor.collectors.aws._listed import listed
from auditor.collectors.aws._tables import supported_until
from auditor.domain.network import Addresses
from auditor.domain.reading import Reading, Readings, Seen, Unseen
from auditor.domain.resource_type import Listing, Read, ResourceType

EVERYWHERE = ("0.0.0.0/0",)
"""Who reaches a public endpoint that names nobody."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster's own settings; ``public_prefix`` is the shortest public prefix that reaches its API, null where none."""

    name: str
    version: Reading[str | None]
    supported_until: Reading[datetime]
    public_endpoint: Reading[bool]
    public_ranges: Reading[tuple[str, ...]]
    public_prefix: Reading[int | None]
    logs: Reading[tuple[str, ...]]
    secrets_key: Reading[str | None]


def clusters(page: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The listed names."""
    return ({"name": name} for name in page.get("clusters", ()))


cluster = ResourceType(
    "aws.eks.cluster",
    version=2,
    title="EKS cluster",
    listing=Listing(
        "eks:list_clusters",
        items=clusters,
        id="arn:{partition}:eks:{region}:{account}:cluster/{name}",
        keep=("name",),
    ),
    details={
        "described": Read(
            "eks:describe_cluster",
            name="{name}",
            keep=(
                "cluster.version",
                "cluster.resourcesVpcConfig.endpointPublicAccess",
                "cluster.resourcesVpcConfig.publicAccessCidrs",
                "cluster.logging.clusterLogging[].types",
                "cluster.logging.clusterLogging[].enabled",
                "cluster.encryptionConfig[].resources",
                "cluster.encryptionConfig[].provider.keyArn",
            ),
        ),
    },
)


@cluster.document
def describe_cluster(seen: Readings) -> Cluster:
    """The cluster with its ranges added up, so that two halves of the world are the world."""
    described = seen["described"].map(lambda answer: answer["cluster"])
    network = described.map(lambda known: known.get("resourcesVpcConfig") or {})
    public = _public(network)
    version = described.map(lambda known: known.get("version"))
    ranges = _ranges(public, network)
    return Cluster(
        name=listed(seen["name"]),
        version=version,
        supported_until=supported_until("eks_versions", version, "Kubernetes"),
        public_endpoint=public,
        public_ranges=ranges,
        public_prefix=_widest(ranges),
        logs=described.map(_logs),
        secrets_key=described.map(_secrets_key),
    )


def _public(network: Reading[Mapping[str, Any]]) -> Reading[bool]:
    if isinstance(network, Unseen):
        return network
    public = network.value.get("endpointPublicAccess")
    return Unseen("endpointPublicAccess is not in the answer") if public is None else Seen(bool(public))


def _ranges(public: Reading[bool], network: Reading[Mapping[str, Any]]) -> Reading[tuple[str, ...]]:
    if isinstance(public, Unseen):
        return public
    if not public.value:
        return Seen(())
    return network.map(lambda known: tuple(known.get("publicAccessCidrs") or EVERYWHERE))


def _widest(ranges: Reading[tuple[str, ...]]) -> Reading[int | None]:
    try:
        return ranges.map(lambda known: Addresses.of(known).widest())
    except ValueError:
        return Unseen("publicAccessCidrs hold something that is no range")


def _logs(known: Mapping[str, Any]) -> tuple[str, ...]:
    setups = (known.get("logging") or {}).get("clusterLogging") or ()
    return tuple(sorted({str(kind) for setup in setups if setup.get("enabled") for kind in setup.get("types") or ()}))


def _secrets_key(known: Mapping[str, Any]) -> str | None:
    keys = (
        (entry.get("provider") or {}).get("keyArn")
        for entry in known.get("encryptionConfig") or ()
        if "secrets" in (entry.get("resources") or ())
    )
    return next((str(key) for key in keys if key), None)
