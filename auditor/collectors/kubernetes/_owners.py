"""Which workload a pod belongs to: owner references followed up to the controller that people wrote.

Where replica sets could not be seen, the hash in a pod's label tells the name of its deployment, as deployments build it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from auditor.collectors.kubernetes import apps, batch
from auditor.collectors.kubernetes._about import Owner
from auditor.collectors.kubernetes._controllers import OWNING, Controller
from auditor.collectors.kubernetes.core_pods import Pod, pod
from auditor.domain.resource_type import Joined, Member, Population, ResourceType, Spread

HASH = "pod-template-hash"
CONTROLLERS: Mapping[str, ResourceType] = {
    "Deployment": apps.deployment,
    "ReplicaSet": apps.replica_set,
    "StatefulSet": apps.stateful_set,
    "DaemonSet": apps.daemon_set,
    "Job": batch.job,
    "CronJob": batch.cron_job,
}
INPUTS = (pod, *CONTROLLERS.values())


@dataclass(frozen=True, slots=True)
class Group:
    """A workload: its kind and name, the controller where that was seen, and its pods with their ids.

    A pod that nothing controls is a workload of its own, of kind Pod.
    """

    kind: str
    name: str
    namespace: str
    controller: Controller | None
    pods: tuple[Member, ...]

    @property
    def id(self) -> str:
        """How the workload is named as a resource."""
        return f"{self.namespace}/{self.kind}/{self.name}"


def workloads(joined: Joined) -> Iterator[Member]:
    """Every workload of the cluster by id: those that pods belong to, and controllers that have no pods now."""
    pods: dict[tuple[str, str, str], list[Member]] = {}
    for kind, population in _controllers(joined).items():
        for member in population.members:
            if member.document.owner is None or member.document.owner.kind not in OWNING:
                pods[member.document.namespace, kind, member.document.name] = []
    for member in joined.of(pod).members:
        top = _top(joined, member.document)
        pods.setdefault((member.document.namespace, top.kind, top.name), []).append(member)
    for (namespace, kind, name), members in sorted(pods.items()):
        group = Group(kind, name, namespace, _controller(joined, namespace, kind, name), tuple(members))
        yield Member(group.id, "global", group)


WORKLOADS = Spread(workloads, shown_by=INPUTS)
"""One document per workload, for types that look at pods: give them ``INPUTS`` and whatever else they join."""


def _controllers(joined: Joined) -> dict[str, Population]:
    return {kind: joined.of(declared) for kind, declared in CONTROLLERS.items()}


def _controller(joined: Joined, namespace: str, kind: str, name: str) -> Controller | None:
    if kind not in CONTROLLERS:
        return None
    found = joined.of(CONTROLLERS[kind]).find(f"{namespace}/{kind}/{name}")
    return found.document if isinstance(found, Member) else None


def _top(joined: Joined, of: Pod) -> Owner:
    """The controller that people wrote, or the pod itself where nothing in the API controls it.

    What an operator's own resource controls stays with the controller below it, which is what runs the pods.
    """
    owner = of.owner
    if owner is None or of.mirror:
        return Owner("Pod", of.name)
    seen = _controller(joined, of.namespace, owner.kind, owner.name)
    above = seen.owner if seen is not None else _deployment_of(of, owner)
    return above if above is not None and above.kind in OWNING else owner


def _deployment_of(of: Pod, owner: Owner) -> Owner | None:
    """The deployment of a replica set that could not be seen, which is called by it and the hash of its template."""
    ending = f"-{of.labels.get(HASH, '')}"
    if owner.kind != "ReplicaSet" or len(ending) < 2 or not owner.name.endswith(ending):
        return None
    return Owner("Deployment", owner.name.removesuffix(ending))
