"""Six weeks in Meadowbrook's cluster, day by day, beside those in its account: what opens is closed again, and one rollout is just that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from auditor.simulators.kubernetes_api import ClusterApi
from auditor.simulators.kubernetes_objects import binding, policy
from auditor.simulators.kubernetes_workloads import roll_out

DEBUGGED = ("billing", "billing-api")
"""Namespace and name of the Deployment that runs privileged for some days."""
BINDING = "release-night"
OPENED = ("portal", "default-deny")


@dataclass(frozen=True)
class ClusterEvent:
    """Something that happens in the cluster on a day of the story."""

    day: int
    title: str
    act: Callable[[ClusterApi], None]


def events_on(day: int) -> tuple[ClusterEvent, ...]:
    """What happens on a day, in order."""
    return tuple(event for event in STORY if event.day == day)


def _privileged(*, on: bool) -> Callable[[ClusterApi], None]:
    def act(cluster: ClusterApi) -> None:
        namespace, name = DEBUGGED
        deployment = cluster.get("Deployment", name, namespace=namespace)
        if deployment is None:
            raise LookupError(f"no Deployment {namespace}/{name}")
        first = deployment["spec"]["template"]["spec"]["containers"][0]
        security = {key: value for key, value in first.get("securityContext", {}).items() if key != "privileged"}
        first["securityContext"] = security | ({"privileged": True} if on else {})
        cluster.put(deployment)
        roll_out(cluster, namespace, name, first["image"])

    return act


def _everything_allowed(cluster: ClusterApi) -> None:
    cluster.put(binding(BINDING, "ClusterRole/cluster-admin", "monitoring/app"))


def _nothing_more_allowed(cluster: ClusterApi) -> None:
    cluster.delete("ClusterRoleBinding", BINDING)


def _open_portal(cluster: ClusterApi) -> None:
    namespace, name = OPENED
    cluster.delete("NetworkPolicy", name, namespace=namespace)


def _close_portal(cluster: ClusterApi) -> None:
    cluster.put(policy(*OPENED, {"policyTypes": ["Ingress", "Egress"]}))


def _new_release(cluster: ClusterApi) -> None:
    roll_out(cluster, "portal", "scheduling", "registry.meadowbrook.example/meadowbrook/scheduling:2.15.0")


STORY: tuple[ClusterEvent, ...] = (
    ClusterEvent(4, "Someone debugs the billing service in a privileged container", _privileged(on=True)),
    ClusterEvent(7, "The billing service runs without privileges again", _privileged(on=False)),
    ClusterEvent(14, "The monitoring account becomes cluster-admin for a release night", _everything_allowed),
    ClusterEvent(16, "The monitoring account is what it was", _nothing_more_allowed),
    ClusterEvent(20, "The portal loses the policy that denies traffic by default", _open_portal),
    ClusterEvent(28, "The portal denies traffic by default again", _close_portal),
    ClusterEvent(36, "A new release of the scheduling service is rolled out, which turns nothing", _new_release),
)
