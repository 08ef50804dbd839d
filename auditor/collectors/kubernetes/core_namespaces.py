"""Namespaces, and the quotas and default limits that stand in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from auditor.collectors.kubernetes._about import fields, labels_of, name_of, namespace_of, texts
from auditor.collectors.kubernetes._listing import listing
from auditor.domain.reading import Readings
from auditor.domain.resource_type import ResourceType

POD_SECURITY = "pod-security.kubernetes.io/"
LEVELS = ("privileged", "baseline", "restricted")


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace with its Pod Security labels; a level is null where the label is missing or names none."""

    name: str
    labels: Mapping[str, str]
    terminating: bool
    enforce: str | None
    warn: str | None
    audit: str | None
    enforce_version: str | None


@dataclass(frozen=True, slots=True)
class ResourceQuota:
    """What all of a namespace may use together."""

    name: str
    namespace: str
    hard: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class LimitRange:
    """Limits and requests that the API server writes into pods that name none, by container."""

    name: str
    namespace: str
    default_limits: Mapping[str, str]
    default_requests: Mapping[str, str]


namespace = ResourceType(
    "kubernetes.namespace",
    version=1,
    title="Namespace",
    place="account",
    listing=listing("core/v1:namespaces", "Namespace", keep=("status.phase",), namespaced=False),
)
quota = ResourceType(
    "kubernetes.resource_quota",
    version=1,
    title="Resource quota",
    place="account",
    listing=listing("core/v1:resourcequotas", "ResourceQuota", keep=("spec.hard",)),
)
limits = ResourceType(
    "kubernetes.limit_range",
    version=1,
    title="Limit range",
    place="account",
    listing=listing(
        "core/v1:limitranges",
        "LimitRange",
        keep=("spec.limits[].type", "spec.limits[].default", "spec.limits[].defaultRequest"),
    ),
)


@namespace.document
def describe_namespace(seen: Readings) -> Namespace:
    """The namespace with its labels told apart."""
    labels = labels_of(seen)
    return Namespace(
        name=name_of(seen),
        labels=labels,
        terminating=fields(seen, "status").get("phase") == "Terminating",
        enforce=_level(labels, "enforce"),
        warn=_level(labels, "warn"),
        audit=_level(labels, "audit"),
        enforce_version=labels.get(f"{POD_SECURITY}enforce-version"),
    )


@quota.document
def describe_quota(seen: Readings) -> ResourceQuota:
    """The quota's hard limits."""
    return ResourceQuota(name_of(seen), namespace_of(seen), texts(fields(seen, "spec").get("hard")))


@limits.document
def describe_limits(seen: Readings) -> LimitRange:
    """The defaults of all its entries about containers; the last one wins."""
    entries = [one for one in fields(seen, "spec").get("limits") or () if one.get("type") == "Container"]
    default: dict[str, str] = {}
    requested: dict[str, str] = {}
    for one in entries:
        default.update(texts(one.get("default")))
        requested.update(texts(one.get("defaultRequest")))
    return LimitRange(name_of(seen), namespace_of(seen), default, requested)


def _level(labels: Mapping[str, str], mode: str) -> str | None:
    level = labels.get(f"{POD_SECURITY}{mode}")
    return level if level in LEVELS else None
