"""Which workload a pod belongs to: owner references followed up to the controller that people wrote.

Where replica sets or jobs could not be seen, their names tell whose they are, as deployments and cron jobs build them: a
pod must not become a workload of another name because a listing was refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from auditor.collectors.kubernetes import apps, batch
from auditor.collectors.kubernetes._about import Owner
from auditor.collectors.kubernetes._controllers import OWNING, Controller
from auditor.collectors.kubernetes.core_pods import Pod, pod
from auditor.domain.reading import Unseen
from auditor.domain.resource_type import Joined, Member, Population, ResourceType, Spread

HASH = "pod-template-hash"
SCHEDULED = re.compile(r"(?P<name>.+)-\d{8,}")
"""A job of a cron job is called by it and the minute that it was scheduled for."""
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
    """A workload: its kind and name, its controller or why that was not seen, and its pods with their ids.

    A pod that nothing controls is a workload of its own, of kind Pod. ``more`` says why there may be other pods.
    """

    kind: str
    name: str
    namespace: str
    controller: Controller | Unseen | None
    pods: tuple[Member, ...]
    more: str | None

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
        more = None if kind == "Pod" else joined.of(pod).unseen
        group = Group(kind, name, namespace, _controller(joined, namespace, kind, name), tuple(members), more)
        yield Member(group.id, "global", group)


WORKLOADS = Spread(workloads, shown_by=INPUTS)
"""One document per workload, for types that look at pods: give them ``INPUTS`` and whatever else they join."""


def _controllers(joined: Joined) -> dict[str, Population]:
    return {kind: joined.of(declared) for kind, declared in CONTROLLERS.items()}


def _controller(joined: Joined, namespace: str, kind: str, name: str) -> Controller | Unseen | None:
    if kind not in CONTROLLERS:
        return None
    found = joined.of(CONTROLLERS[kind]).find(f"{namespace}/{kind}/{name}")
    return found.document if isinstance(found, Member) else found


def _top(joined: Joined, of: Pod) -> Owner:
    """The controller that people wrote, or the pod itself where nothing in the API controls it.

    What an operator's own resource controls stays with the controller below it, which is what runs the pods.
    """
    owner = of.owner
    if owner is None or of.mirror:
        return Owner("Pod", of.name)
    match _controller(joined, of.namespace, owner.kind, owner.name):
        case Controller(owner=above):
            pass
        case Unseen() if owner.kind == "Job":
            above = _cron_job_of(joined, of.namespace, owner)
        case _:
            above = _deployment_of(of, owner)
    return above if above is not None and above.kind in OWNING else owner


def _deployment_of(of: Pod, owner: Owner) -> Owner | None:
    """The deployment of a replica set that could not be seen, which is called by it and the hash of its template."""
    ending = f"-{of.labels.get(HASH, '')}"
    if owner.kind != "ReplicaSet" or len(ending) < 2 or not owner.name.endswith(ending):
        return None
    return Owner("Deployment", owner.name.removesuffix(ending))


def _cron_job_of(joined: Joined, namespace: str, job: Owner) -> Owner | None:
    """The cron job of a job that could not be seen, if there is one of that name, or nobody knows."""
    named = SCHEDULED.fullmatch(job.name)
    if named is None or _controller(joined, namespace, "CronJob", named["name"]) is None:
        return None
    return Owner("CronJob", named["name"])
