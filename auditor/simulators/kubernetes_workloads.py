"""Workloads as a real cluster holds them: controllers with the pods they made, and every default that a server fills in.

The small cluster has no controllers, so what they would do is done here: ReplicaSets under Deployments, Jobs under CronJobs,
pods under all of them, and pods that nobody owns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from auditor.simulators.kubernetes_api import ClusterApi

HARDENED: Mapping[str, Any] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "runAsUser": 10001,
}
POD_HARDENED: Mapping[str, Any] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
_RESOURCES = {"limits": {"cpu": "500m", "memory": "256Mi"}, "requests": {"cpu": "50m", "memory": "64Mi"}}
_PROBE: Mapping[str, Any] = {
    "httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTP"},
    "timeoutSeconds": 1,
    "periodSeconds": 10,
    "successThreshold": 1,
    "failureThreshold": 3,
}
_NODES = ("worker-1", "worker-2", "worker-3")


def container(
    name: str,
    image: str,
    *,
    security: Mapping[str, Any] | None = HARDENED,
    limited: bool = True,
    probed: bool = True,
    **more: Any,
) -> dict[str, Any]:
    """A container with a server's defaults; ``security=None`` leaves its security context out, as many do."""
    made: dict[str, Any] = {
        "name": name,
        "image": image,
        "imagePullPolicy": "Always" if image.endswith(":latest") else "IfNotPresent",
        "resources": _RESOURCES if limited else {},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    }
    if probed:
        made |= {
            "livenessProbe": _PROBE,
            "readinessProbe": {**_PROBE, "httpGet": {**_PROBE["httpGet"], "path": "/ready"}},
        }
    return made | ({} if security is None else {"securityContext": dict(security)}) | more


def pod_spec(
    *containers: Mapping[str, Any],
    init: Sequence[Mapping[str, Any]] = (),
    account: str = "app",
    mounts_token: bool | None = False,
    security: Mapping[str, Any] = POD_HARDENED,
    **more: Any,
) -> dict[str, Any]:
    """A pod's spec with a server's defaults; ``mounts_token=None`` leaves the choice to the service account."""
    spec: dict[str, Any] = {
        "containers": [dict(one) for one in containers],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "serviceAccountName": account,
        "serviceAccount": account,
        "securityContext": dict(security),
        "schedulerName": "default-scheduler",
    }
    if init:
        spec["initContainers"] = [dict(one) for one in init]
    if mounts_token is not None:
        spec["automountServiceAccountToken"] = mounts_token
    return spec | more


def run(
    cluster: ClusterApi, kind: str, namespace: str, name: str, spec: Mapping[str, Any], *, replicas: int = 2
) -> dict[str, Any]:
    """Make a Deployment, StatefulSet or DaemonSet with its pods, and answer the controller as it is stored."""
    labels = {"app": name}
    controller = _object("apps/v1", kind, namespace, name, labels)
    controller["spec"] = {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": spec},
    }
    if kind != "DaemonSet":
        controller["spec"]["replicas"] = replicas
    if kind == "StatefulSet":
        controller["spec"]["serviceName"] = name
    stored = cluster.put(controller)
    if kind == "Deployment":
        _replica_set(cluster, stored, replicas)
    else:
        names = [f"{name}-{number}" for number in range(replicas)]
        if kind == "DaemonSet":
            names = [f"{name}-{_short(name, node)}" for node in _NODES]
        for number, each in enumerate(names):
            pod(cluster, namespace, each, spec, owner=stored, labels=labels, node=_NODES[number % len(_NODES)])
    return stored


def schedule(
    cluster: ClusterApi, namespace: str, name: str, spec: Mapping[str, Any], *, cron: str = "0 3 * * *"
) -> dict[str, Any]:
    """Make a CronJob with the Job and the pod of its last turn, and answer the CronJob as it is stored."""
    once = {**spec, "restartPolicy": "OnFailure"}
    template = {"spec": {"backoffLimit": 2, "template": {"metadata": {"labels": {"app": name}}, "spec": once}}}
    cron_job = _object("batch/v1", "CronJob", namespace, name, {"app": name})
    cron_job["spec"] = {"schedule": cron, "concurrencyPolicy": "Forbid", "suspend": False, "jobTemplate": template}
    stored = cluster.put(cron_job)
    job = _object("batch/v1", "Job", namespace, f"{name}-29401200", {"app": name}, owner=stored)
    job["spec"] = template["spec"] | {"completions": 1, "parallelism": 1}
    made = cluster.put(job)
    pod(
        cluster, namespace, f"{name}-29401200-{_short(name)}", once, owner=made, labels={"app": name}, phase="Succeeded"
    )
    return stored


def pod(
    cluster: ClusterApi,
    namespace: str,
    name: str,
    spec: Mapping[str, Any],
    *,
    owner: Mapping[str, Any] | None = None,
    labels: Mapping[str, str] | None = None,
    node: str = _NODES[0],
    phase: str = "Running",
) -> dict[str, Any]:
    """Make one pod, owned or bare, placed on a node."""
    made = _object("v1", "Pod", namespace, name, labels or {"app": name}, owner=owner)
    made["spec"] = {**spec, "nodeName": node, "priority": 0, "enableServiceLinks": True}
    ready = "True" if phase == "Running" else "False"
    made["status"] = {
        "phase": phase,
        "conditions": [{"type": "Ready", "status": ready, "lastProbeTime": None, "lastTransitionTime": None}],
        "qosClass": "Burstable",
    }
    return cluster.put(made)


def roll_out(cluster: ClusterApi, namespace: str, name: str, image: str) -> None:
    """Give a Deployment's first container a new image: a new ReplicaSet with new pods, and the old one at zero.

    Raises:
        LookupError: There is no such Deployment.
    """
    deployment = cluster.get("Deployment", name, namespace=namespace)
    if deployment is None:
        raise LookupError(f"no Deployment {namespace}/{name}")
    deployment["spec"]["template"]["spec"]["containers"][0]["image"] = image
    stored = cluster.put(deployment)
    for old in cluster.store.documents("ReplicaSet", namespace=namespace):
        if owned_by(old, stored):
            for gone in cluster.store.documents("Pod", namespace=namespace):
                if owned_by(gone, old):
                    cluster.delete("Pod", gone["metadata"]["name"], namespace=namespace)
            cluster.patch("ReplicaSet", old["metadata"]["name"], {"spec": {"replicas": 0}}, namespace=namespace)
    _replica_set(cluster, stored, int(stored["spec"]["replicas"]))


def owned_by(document: Mapping[str, Any], owner: Mapping[str, Any]) -> bool:
    """Whether an object was made for another one."""
    references = document["metadata"].get("ownerReferences", ())
    return any(one["uid"] == owner["metadata"]["uid"] for one in references)


def _replica_set(cluster: ClusterApi, deployment: Mapping[str, Any], replicas: int) -> None:
    meta, spec = deployment["metadata"], deployment["spec"]["template"]["spec"]
    namespace, name = meta["namespace"], meta["name"]
    template_hash = _short(name, repr(spec), length=9)
    labels = {"app": name, "pod-template-hash": template_hash}
    made = _object("apps/v1", "ReplicaSet", namespace, f"{name}-{template_hash}", labels, owner=deployment)
    template = {"metadata": {"labels": labels}, "spec": spec}
    made["spec"] = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    stored = cluster.put(made)
    for number in range(replicas):
        each = f"{name}-{template_hash}-{_short(name, str(number))}"
        pod(cluster, namespace, each, spec, owner=stored, labels=labels, node=_NODES[number % len(_NODES)])


def _object(
    api_version: str,
    kind: str,
    namespace: str,
    name: str,
    labels: Mapping[str, str],
    *,
    owner: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    meta: dict[str, Any] = {"name": name, "namespace": namespace, "labels": dict(labels)}
    if owner is not None:
        reference = {key: owner[key] for key in ("apiVersion", "kind")}
        reference |= {"name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}
        meta["ownerReferences"] = [{**reference, "controller": True, "blockOwnerDeletion": True}]
    return {"apiVersion": api_version, "kind": kind, "metadata": meta}


def _short(*words: str, length: int = 5) -> str:
    """A suffix as controllers append, the same in every build."""
    return sha256("/".join(words).encode()).hexdigest()[:length]
