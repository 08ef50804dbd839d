"""Namespaces and workloads under their network policies, and what else bounds a namespace.

Policies of a plug-in's own kind may do the work of one that is missing; what they say is not read. So where they stand, a
missing policy is unseen instead of missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from auditor.collectors.kubernetes import calico, cilium
from auditor.collectors.kubernetes._controllers import Controller
from auditor.collectors.kubernetes._joins import in_namespace
from auditor.collectors.kubernetes._members import gap, member_of
from auditor.collectors.kubernetes._owners import INPUTS, WORKLOADS, Group
from auditor.collectors.kubernetes.core_namespaces import Namespace, namespace, quota
from auditor.collectors.kubernetes.core_pods import Pod, pod
from auditor.collectors.kubernetes.networking import policy
from auditor.domain.cluster_network import Direction, NetworkPolicy, denied_by_default, selecting
from auditor.domain.reading import Reading, Seen, Unseen
from auditor.domain.resource_type import DerivedType, Joined, ResourceType

OTHERS: tuple[ResourceType, ...] = (
    cilium.policy,
    cilium.clusterwide_policy,
    calico.policy,
    calico.global_policy,
)
"""Kinds of policy that plug-ins bring along."""
OVER = frozenset({"Succeeded", "Failed"})
"""Phases in which a pod runs no more."""


@dataclass(frozen=True, slots=True)
class BoundedNamespace:
    """A namespace with its default per direction, its quotas, and whether any pod runs in it."""

    name: str
    has_pods: Reading[bool]
    denies_ingress: Reading[bool]
    denies_egress: Reading[bool]
    policies: tuple[str, ...]
    quotas: Reading[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class CoveredWorkload:
    """A workload, those of its pods that no policy selects, and whether it lives in its node's network, which none governs.

    ``members`` are all its pods by id.
    """

    name: str
    namespace: str
    kind: str
    members: tuple[str, ...]
    host_network: Reading[bool]
    uncovered: Reading[tuple[str, ...]]


bounded_namespace = DerivedType(
    "kubernetes.bounded_namespace",
    version=1,
    title="Namespace, its traffic and its quotas",
    over=namespace,
    inputs=(namespace, pod, policy, quota, *OTHERS),
)
covered_workload = DerivedType(
    "kubernetes.covered_workload",
    version=2,
    title="Workload and its network policies",
    over=WORKLOADS,
    inputs=(*INPUTS, policy, *OTHERS),
)


@bounded_namespace.document
def describe_namespace(joined: Joined) -> BoundedNamespace:
    """The namespace as its policies and quotas bound it."""
    own: Namespace = member_of(joined).document
    policies = in_namespace(joined.of(policy), own.name)
    quotas = tuple(sorted(one.name for one in in_namespace(joined.of(quota), own.name)))
    missing = gap(quota, joined.of(quota))
    return BoundedNamespace(
        name=own.name,
        has_pods=_has_pods(joined, own.name),
        denies_ingress=_denied(joined, own.name, "Ingress"),
        denies_egress=_denied(joined, own.name, "Egress"),
        policies=tuple(sorted(one.name for one in policies)),
        quotas=Unseen(missing) if missing is not None and not quotas else Seen(quotas),
    )


@covered_workload.document
def describe_workload(joined: Joined) -> CoveredWorkload:
    """The workload's pods, by its template where it has none, held against the policies of their namespace."""
    group: Group = member_of(joined).document
    policies: tuple[NetworkPolicy, ...] = in_namespace(joined.of(policy), group.namespace)
    pods: list[Pod] = [member.document for member in group.pods if member.document.phase not in OVER]
    labels = {one.name: one.labels for one in pods}
    specs = [one.spec for one in pods]
    if not group.pods and isinstance(group.controller, Controller):
        labels[f"template of {group.name}"] = group.controller.pod_labels
        specs += [group.controller.template] if group.controller.template is not None else []
    uncovered = tuple(sorted(name for name, own in labels.items() if not selecting(policies, own)))
    in_node_network = bool(specs) and all(spec.host_network for spec in specs)
    doubt = _elsewhere(joined, group.namespace) if uncovered else group.more
    return CoveredWorkload(
        name=group.name,
        namespace=group.namespace,
        kind=group.kind,
        members=tuple(member.id for member in group.pods),
        host_network=Seen(in_node_network) if group.more is None else Unseen(group.more),
        uncovered=Seen(uncovered) if doubt is None else Unseen(doubt),
    )


def _has_pods(joined: Joined, name: str) -> Reading[bool]:
    population = joined.of(pod)
    if any(one.phase not in OVER for one in in_namespace(population, name)):
        return Seen(value=True)
    return Seen(value=False) if population.unseen is None else Unseen(population.unseen)


def _denied(joined: Joined, name: str, direction: Direction) -> Reading[bool]:
    """Denied only counts if every policy was seen: another one may undo it."""
    missing = gap(policy, joined.of(policy))
    if missing is not None:
        return Unseen(missing)
    if denied_by_default(in_namespace(joined.of(policy), name), direction):
        return Seen(value=True)
    doubt = _elsewhere(joined, name)
    return Seen(value=False) if doubt is None else Unseen(doubt)


def _elsewhere(joined: Joined, name: str) -> str | None:
    """Why something that was not read may do what no policy here does."""
    return next(_doubts(joined, name), None)


def _doubts(joined: Joined, name: str) -> Iterator[str]:
    missing = gap(policy, joined.of(policy))
    if missing is not None:
        yield missing
    for kind in OTHERS:
        population = joined.of(kind)
        if in_namespace(population, name) or in_namespace(population, ""):
            yield f"{kind.title}: there are some for this namespace, and what they say is not read"
        told = gap(kind, population)
        if told is not None:
            yield told
