"""Workloads: what the pods of one controller may do, told once for all of them, and apart where they differ.

Pods are judged as they run, as admission has completed them; a controller that has none now is judged by its template.
Where pods could not be listed the template may still show a fault, and clears of none: a pod may differ from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from auditor.collectors.kubernetes import _effective as effective
from auditor.collectors.kubernetes._availability import autoscaled_to, drained
from auditor.collectors.kubernetes._controllers import Controller
from auditor.collectors.kubernetes._images import image
from auditor.collectors.kubernetes._joins import any_of, in_namespace
from auditor.collectors.kubernetes._owners import INPUTS, WORKLOADS, Group
from auditor.collectors.kubernetes._pod_spec import Container, PodSpec
from auditor.collectors.kubernetes._rights import bound_by_name
from auditor.collectors.kubernetes.autoscaling import autoscaler
from auditor.collectors.kubernetes.core_configuration import service_account
from auditor.collectors.kubernetes.core_namespaces import limits, namespace
from auditor.collectors.kubernetes.core_services import service
from auditor.collectors.kubernetes.policy import budget
from auditor.collectors.kubernetes.rbac import cluster_role_binding, role_binding
from auditor.domain.reading import Reading, Seen, Unseen
from auditor.domain.resource_type import DerivedType, Joined, Member

ENVIRONMENTS = ("environment", "env", "app.kubernetes.io/environment", "stage")
"""Labels of a namespace by which people say what runs there; the first that is set counts."""
Words: TypeAlias = tuple[str | Unseen, ...]
"""What stands out, closed by an ``Unseen`` where more may."""


@dataclass(frozen=True, slots=True)
class Workload:
    """A controller with its pods, or a pod that nothing controls.

    Lists name what stands out, container by container; where pods of one workload differ, with the pods it holds for.
    ``members`` are the pods by id. ``environment`` is what its namespace says of itself. ``drainable`` tells whether a
    budget selects its pods and lets some go. ``grave_host_paths`` are those of the host paths that may be written to or are
    grave to read. ``mirror`` marks a pod that only shows a file on its node.
    """

    name: str
    namespace: str
    kind: str
    members: tuple[str, ...]
    mirror: bool
    windows: Reading[bool]
    environment: Reading[str | None]
    privileged: Words
    host_paths: Words
    grave_host_paths: Words
    runtime_sockets: Words
    host_network: Reading[bool]
    host_pid: Reading[bool]
    host_ipc: Reading[bool]
    host_ports: Words
    as_root: Words
    gaining_privileges: Words
    keeping_capabilities: Words
    capabilities_added: Words
    without_seccomp: Words
    writable_roots: Words
    secrets: Words
    images: Words
    moving_images: Words
    unpinned_images: Words
    registries: Words
    unbounded: Words
    without_cpu_limit: Words
    without_liveness: Words
    without_readiness: Words
    served: Reading[bool]
    service_account: Reading[str]
    token_mounted: Reading[bool]
    account_bound: Reading[bool]
    replicas: Reading[int | None]
    autoscaled_to: Reading[int | None]
    drainable: Reading[bool]


workload = DerivedType(
    "kubernetes.workload",
    version=2,
    title="Workload",
    over=WORKLOADS,
    inputs=(
        *INPUTS,
        namespace,
        limits,
        service,
        service_account,
        role_binding,
        cluster_role_binding,
        autoscaler,
        budget,
    ),
)


@dataclass(frozen=True, slots=True)
class _Variants:
    """The specifications of a workload's pods, each once, with the pods that have it; ``more`` says why there may be others."""

    told: tuple[tuple[PodSpec, tuple[str, ...]], ...]
    more: str | None

    def words(self, say: Callable[[PodSpec], Iterable[str]]) -> Words:
        """What is said of the specifications, each word once; one that does not hold for all pods names those it does."""
        said: dict[str, list[str]] = {}
        for spec, pods in self.told:
            for word in dict.fromkeys(say(spec)):
                said.setdefault(word, []).extend(pods)
        pods_in_all = sum(len(pods) for _, pods in self.told)
        return self.closed(
            word if len(holders) == pods_in_all else f"{word} in {_few(holders)}" for word, holders in said.items()
        )

    def containers(self, say: Callable[[PodSpec, Container], str | None]) -> Words:
        """What is said of containers."""
        return self.words(lambda spec: effective.by_container(spec, say))

    def any(self, say: Callable[[PodSpec], bool]) -> Reading[bool]:
        """Whether it holds for any pod."""
        return self.doubted(Seen(value=any(say(spec) for spec, _ in self.told)))

    def images(self, wanted: Callable[[str], bool]) -> Words:
        """Images of this kind."""
        return self.words(lambda spec: (one.image for one in spec.containers if wanted(one.image)))

    def all_of(self, say: Callable[[PodSpec], Iterable[str]]) -> Words:
        """What is said of any specification, in order, whichever pods it holds for."""
        return self.closed(sorted({word for spec, _ in self.told for word in say(spec)}))

    def closed(self, words: Iterable[str]) -> Words:
        """These words, and that there may be more."""
        return (*words, *(() if self.more is None else (Unseen(self.more),)))

    def doubted(self, reading: Reading[bool]) -> Reading[bool]:
        """The reading, unless it denies what a pod that was not seen may show."""
        return Unseen(self.more) if self.more is not None and reading == Seen(value=False) else reading


@workload.document
def describe(joined: Joined) -> Workload:
    """The workload as its pods run; by its template where it has none, by the controller's numbers where it has these."""
    group = _group(joined)
    variants = _variants(group)
    pods = [member.document for member in group.pods]
    controller = group.controller
    labels = pods[0].labels if pods else controller.pod_labels if isinstance(controller, Controller) else {}
    account = _account(variants)
    replicas = _replicas(controller)
    return Workload(
        name=group.name,
        namespace=group.namespace,
        kind=group.kind,
        members=tuple(member.id for member in group.pods),
        mirror=any(pod.mirror for pod in pods),
        windows=variants.any(lambda spec: spec.windows),
        environment=_environment(joined, group.namespace),
        privileged=variants.containers(effective.privileged),
        host_paths=variants.words(lambda spec: (one.path for one in spec.host_paths)),
        grave_host_paths=variants.words(effective.grave_paths),
        runtime_sockets=variants.words(effective.sockets),
        host_network=variants.any(lambda spec: spec.host_network),
        host_pid=variants.any(lambda spec: spec.host_pid),
        host_ipc=variants.any(lambda spec: spec.host_ipc),
        host_ports=variants.containers(effective.host_port),
        as_root=variants.containers(effective.as_root),
        gaining_privileges=variants.containers(effective.gaining),
        keeping_capabilities=variants.containers(effective.keeping),
        capabilities_added=variants.all_of(effective.capabilities),
        without_seccomp=variants.containers(effective.unfiltered),
        writable_roots=variants.containers(effective.writable_root),
        secrets=variants.containers(effective.literal_secret),
        images=variants.images(bool),
        moving_images=variants.images(lambda name: not image(name).fixed),
        unpinned_images=variants.images(lambda name: image(name).digest is None),
        registries=variants.all_of(lambda spec: (image(one.image).registry for one in spec.containers)),
        unbounded=_limited(joined, group, variants, effective.unbounded),
        without_cpu_limit=_limited(joined, group, variants, effective.without_cpu_limit),
        without_liveness=variants.containers(effective.without_liveness),
        without_readiness=variants.containers(effective.without_readiness),
        served=variants.doubted(
            any_of(
                joined.of(service),
                group.namespace,
                lambda one: bool(one.selector) and one.selector.items() <= labels.items(),
            )
        ),
        service_account=account,
        token_mounted=_token_mounted(joined, group, variants),
        account_bound=_bound(joined, group.namespace, account),
        replicas=replicas,
        autoscaled_to=autoscaled_to(joined.of(autoscaler), group.namespace, group.kind, group.name),
        drainable=variants.doubted(drained(joined.of(budget), group.namespace, labels, replicas)),
    )


def _group(joined: Joined) -> Group:
    if joined.member is None:
        raise RuntimeError("a workload is described as a member")
    group: Group = joined.member.document
    return group


def _variants(group: Group) -> _Variants:
    told: list[tuple[PodSpec, list[str]]] = []
    for member in group.pods:
        spec: PodSpec = member.document.spec
        known = next((pods for other, pods in told if other == spec), None)
        if known is None:
            told.append((spec, [member.document.name]))
        else:
            known.append(member.document.name)
    if not told and isinstance(group.controller, Controller) and group.controller.template is not None:
        told.append((group.controller.template, []))
    return _Variants(tuple((spec, tuple(pods)) for spec, pods in told), group.more)


def _account(variants: _Variants) -> Reading[str]:
    if variants.more is not None:
        return Unseen(variants.more)
    return Seen(variants.told[0][0].service_account if variants.told else "default")


def _replicas(controller: Controller | Unseen | None) -> Reading[int | None]:
    return controller if isinstance(controller, Unseen) else Seen(None if controller is None else controller.replicas)


def _limited(
    joined: Joined, group: Group, variants: _Variants, say: Callable[[PodSpec, Container], str | None]
) -> Words:
    """What is said of resources; a template is completed by the namespace's defaults, as its pods would be."""
    said = variants.containers(say)
    if group.pods or not said:
        return said
    ranges = in_namespace(joined.of(limits), group.namespace)
    if joined.of(limits).unseen is not None:
        return (Unseen(str(joined.of(limits).unseen)),)
    default_limits = {name: value for one in ranges for name, value in one.default_limits.items()}
    default_requests = {name: value for one in ranges for name, value in one.default_requests.items()}

    def completed(spec: PodSpec) -> PodSpec:
        return replace(spec, limits={**default_limits, **spec.limits}, requests={**default_requests, **spec.requests})

    return variants.words(lambda spec: effective.by_container(completed(spec), say))


def _environment(joined: Joined, name: str) -> Reading[str | None]:
    match joined.of(namespace).find(f"/Namespace/{name}"):
        case Member(document=seen):
            return Seen(next((seen.labels[label] for label in ENVIRONMENTS if label in seen.labels), None))
        case Unseen() as hidden:
            return hidden
        case _:
            return Seen(None)


def _token_mounted(joined: Joined, group: Group, variants: _Variants) -> Reading[bool]:
    """Whether any pod gets a token: the pod's own word before its account's, and yes where both are silent.

    What only mirrors a file on its node gets none: a node may not mount what the API holds into it.
    """
    if group.pods and all(member.document.mirror for member in group.pods):
        return Seen(value=False)
    space = group.namespace
    hidden: Unseen | None = None
    for spec, _ in variants.told:
        mounted = spec.automount_token
        if mounted is None:
            match joined.of(service_account).find(f"{space}/ServiceAccount/{spec.service_account}"):
                case Member(document=seen):
                    mounted = seen.automount_token
                case Unseen() as reason:
                    hidden = reason
                    continue
        if mounted is None or mounted:
            return Seen(value=True)
    return variants.doubted(Seen(value=False)) if hidden is None else hidden


def _bound(joined: Joined, space: str, account: Reading[str]) -> Reading[bool]:
    """Whether a binding names the service account; one that was seen decides."""
    if isinstance(account, Unseen):
        return account
    populations = (joined.of(role_binding), joined.of(cluster_role_binding))
    if any(bound_by_name(one, space, account.value) for one in populations):
        return Seen(value=True)
    short = next((one.unseen for one in populations if one.unseen is not None), None)
    return Seen(value=False) if short is None else Unseen(short)


def _few(names: Sequence[str], most: int = 3) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
