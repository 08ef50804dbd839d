"""A large cluster for benchmarks: many pods under numbered Deployments, every third or so badly kept."""

from __future__ import annotations

from typing import Any

from auditor.simulators.kubernetes_api import ClusterApi
from auditor.simulators.kubernetes_objects import account, namespace
from auditor.simulators.kubernetes_workloads import HARDENED, container, pod_spec, run

_REPLICAS = 5


def large(cluster: ClusterApi, *, pods: int = 2080, namespaces: int = 20) -> int:
    """Fill the cluster with this many pods, five to a Deployment, and answer how many objects were made."""
    before = cluster.store.version
    for number in range(namespaces):
        level = "restricted" if number % 3 else "privileged"
        cluster.put(namespace(_name(number), {"pod-security.kubernetes.io/enforce": level}))
        cluster.put(account(_name(number), "app", mounts_token=False))
    for number, done in enumerate(range(0, pods, _REPLICAS)):
        spec = _spec(number)
        place = _name(number % namespaces)
        run(cluster, "Deployment", place, f"bench-{number:05d}", spec, replicas=min(_REPLICAS, pods - done))
    return cluster.store.version - before


def _name(number: int) -> str:
    return f"bench-{number:03d}"


def _spec(number: int) -> dict[str, Any]:
    security = HARDENED if number % 3 else {"privileged": number % 6 == 0}
    ports = [{"name": "http", "containerPort": 8080, "protocol": "TCP"}]
    env = [{"name": "LOG_LEVEL", "value": "info"}, {"name": "PASSWORD_MIN_LENGTH", "value": "12"}]
    image = f"registry.meadowbrook.example/bench/app-{number:05d}:1.0.{number % 9}"
    return pod_spec(container("app", image, security=security, ports=ports, env=env))
