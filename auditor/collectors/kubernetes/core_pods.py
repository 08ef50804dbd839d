"""Pods as they run: what each container may do, whose they are, and the flags of those that run the control plane."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from auditor.collectors.kubernetes._about import (
    Owner,
    annotations_of,
    fields,
    labels_of,
    name_of,
    namespace_of,
    owner_of,
    told,
)
from auditor.collectors.kubernetes._listing import listing
from auditor.collectors.kubernetes._pod_spec import PodSpec, paths, pod_spec, scan_environment
from auditor.domain.reading import Readings
from auditor.domain.resource_type import ResourceType

MIRROR = "kubernetes.io/config.mirror"
"""The annotation of a pod that only mirrors a file on its node: nothing in the API made it."""
COMPONENTS = frozenset({"kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd"})
FLAGS = frozenset(
    "anonymous-auth authentication-config authorization-mode authorization-config audit-policy-file audit-log-path "
    "audit-webhook-config-file audit-log-maxage audit-log-maxbackup audit-log-maxsize encryption-provider-config "
    "tls-cert-file tls-private-key-file tls-min-version tls-cipher-suites client-ca-file insecure-port "
    "enable-admission-plugins disable-admission-plugins profiling client-cert-auth auto-tls cert-file key-file "
    "trusted-ca-file peer-client-cert-auth peer-auto-tls peer-cert-file peer-key-file peer-trusted-ca-file".split()
)
"""The flags that are kept of control-plane components; none of them holds a secret."""


@dataclass(frozen=True, slots=True)
class Pod:
    """A running pod. ``flags`` are those of a control-plane component by name (a flag without a value is ``true``), null for others."""

    name: str
    namespace: str
    labels: Mapping[str, str]
    owner: Owner | None
    mirror: bool
    phase: str
    spec: PodSpec
    component: str | None
    flags: Mapping[str, str] | None


def add(item: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a pod beyond its paths: what stands for its variables, and what only its whole tells."""
    spec = item.get("spec") or {}
    return {
        "environment": scan_environment(spec),
        "mirror": MIRROR in annotations_of(item),
        **_control_plane(item["metadata"], spec),
    }


pod = ResourceType(
    "kubernetes.pod",
    version=2,
    title="Pod",
    place="account",
    listing=listing(
        "core/v1:pods",
        "Pod",
        keep=(*paths("spec"), "status.phase"),
        add=add,
        added=("environment", "mirror", "component", "flags"),
    ),
)


@pod.document
def describe(seen: Readings) -> Pod:
    """The pod as it was written."""
    return Pod(
        name=name_of(seen),
        namespace=namespace_of(seen),
        labels=labels_of(seen),
        owner=owner_of(seen),
        mirror=bool(told(seen, "mirror")),
        phase=str(fields(seen, "status").get("phase") or "Unknown"),
        spec=pod_spec(fields(seen, "spec"), told(seen, "environment")),
        component=told(seen, "component"),
        flags=told(seen, "flags"),
    )


def _control_plane(about: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, Any]:
    """The flags of a control-plane component, kept only for what runs in kube-system under such a label."""
    component = (about.get("labels") or {}).get("component")
    if about.get("namespace") != "kube-system" or component not in COMPONENTS:
        return {}
    flags: dict[str, str] = {}
    for container in spec.get("containers") or ():
        if container.get("name") == component:
            flags.update(_flags((*(container.get("command") or ()), *(container.get("args") or ()))))
    return {"component": component, "flags": flags}


def _flags(arguments: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for position, argument in enumerate(arguments):
        name, given, value = str(argument).partition("=")
        if name.startswith("--") and name[2:] in FLAGS:
            following = str(arguments[position + 1]) if position + 1 < len(arguments) else "--"
            yield name[2:], value if given else "true" if following.startswith("-") else following
