"""What runs at Meadowbrook: workloads of every kind, hardened and not, and those that a hasty reader gets wrong."""

from __future__ import annotations

from typing import Any

from auditor.simulators.kubernetes_api import ClusterApi
from auditor.simulators.kubernetes_workloads import HARDENED, container, pod, pod_spec, run, schedule

REGISTRY = "registry.meadowbrook.example"
_DIGEST = "sha256:" + "5f" * 32
_LEAK = "correct-horse"


def work(cluster: ClusterApi) -> None:
    """Make all of the company's workloads with their pods."""
    _kept_well(cluster)
    _kept_badly(cluster)
    _hidden_in_corners(cluster)
    _images(cluster)
    _secrets(cluster)
    _bare(cluster)


def _image(name: str, tag: str = "2.14.1") -> str:
    return f"{REGISTRY}/meadowbrook/{name}:{tag}"


def _port(**more: int) -> list[dict[str, Any]]:
    return [{"name": "http", "containerPort": 8080, "protocol": "TCP", **more}]


def _host_path(name: str, path: str) -> dict[str, Any]:
    return {"volumes": [{"name": name, "hostPath": {"path": path, "type": ""}}]}


def _kept_well(cluster: ClusterApi) -> None:
    pinned = f"{REGISTRY}/meadowbrook/patient-portal@{_DIGEST}"
    run(
        cluster, "Deployment", "portal", "patient-portal", pod_spec(container("web", pinned, ports=_port())), replicas=3
    )
    run(cluster, "Deployment", "portal", "scheduling", pod_spec(container("api", _image("scheduling"), ports=_port())))
    # Added, and harmless: the one capability that the restricted level allows.
    low_port = {**HARDENED, "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}}
    run(
        cluster,
        "Deployment",
        "telehealth",
        "signaling",
        pod_spec(container("api", _image("signaling"), security=low_port)),
    )
    # Root is ruled out by the pod, and the container says nothing against it.
    quiet = {key: value for key, value in HARDENED.items() if key not in {"runAsNonRoot", "runAsUser"}}
    run(
        cluster,
        "Deployment",
        "policy",
        "image-signatures",
        pod_spec(container("hook", _image("signatures"), security=quiet)),
    )


def _kept_badly(cluster: ClusterApi) -> None:
    spec = pod_spec(container("api", _image("records-api"), ports=_port(hostPort=8080)))
    run(cluster, "Deployment", "records", "records-api", spec)
    relay = {"capabilities": {"add": ["NET_ADMIN", "SYS_TIME"]}, "allowPrivilegeEscalation": False}
    spec = pod_spec(container("relay", _image("media-relay"), security=relay), hostNetwork=True)
    run(cluster, "Deployment", "telehealth", "media-relay", spec | {"dnsPolicy": "ClusterFirstWithHostNet"})
    # Unset means true: a process may gain more rights than its parent has.
    unset = {key: value for key, value in HARDENED.items() if key != "allowPrivilegeEscalation"}
    spec = pod_spec(container("api", _image("billing-api"), security=unset, probed=False), mounts_token=True)
    run(cluster, "Deployment", "billing", "billing-api", spec)
    bare = container("job", _image("claims"), security=None, limited=False, probed=False)
    schedule(cluster, "billing", "claims", pod_spec(bare, security={}, mounts_token=None))
    # No security context in the pod or the container, nor an account of its own.
    spec = pod_spec(
        container("forms", _image("intake"), security=None), account="default", security={}, mounts_token=None
    )
    run(cluster, "Deployment", "intake", "intake-forms", spec, replicas=1)
    agent = container("agent", _image("node-agent"), security={"privileged": True}, probed=False)
    spec = pod_spec(agent, security={}, mounts_token=None, hostPID=True, hostIPC=True, **_host_path("logs", "/var/log"))
    run(cluster, "DaemonSet", "monitoring", "node-agent", spec)
    front = {"capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}, "runAsUser": 101, "runAsNonRoot": True}
    spec = pod_spec(container("nginx", _image("ingress"), security=front), account="ingress-nginx", mounts_token=True)
    run(cluster, "Deployment", "ingress-nginx", "ingress-nginx", spec)
    runner = container("runner", _image("runner"), security={"privileged": True}, probed=False)
    spec = pod_spec(
        runner, account="runner", security={}, mounts_token=None, **_host_path("docker", "/var/run/docker.sock")
    )
    run(cluster, "Deployment", "ci-runners", "runner", spec)


def _hidden_in_corners(cluster: ClusterApi) -> None:
    # The main container is spotless; what prepares it is not.
    tuning = container("sysctl", _image("tuning"), security={"privileged": True}, probed=False)
    spec = pod_spec(container("router", _image("dicom-router")), init=[tuning])
    run(cluster, "Deployment", "imaging", "dicom-router", spec)
    chown = container("chown", _image("tuning"), security={"runAsUser": 0, "runAsNonRoot": False}, probed=False)
    run(cluster, "Deployment", "imaging", "viewer", pod_spec(container("viewer", _image("viewer")), init=[chown]))
    # The pod forbids root, one of its containers takes it back.
    root = {**HARDENED, "runAsNonRoot": False, "runAsUser": 0}
    spec = pod_spec(container("app", _image("fax")), container("spool", _image("fax-spool"), security=root))
    run(cluster, "Deployment", "telehealth", "fax-gateway", spec, replicas=1)
    # A sidecar is an init container that stays.
    proxy = container("proxy", _image("proxy"), security={"capabilities": {"add": ["NET_RAW"]}}, restartPolicy="Always")
    run(
        cluster,
        "Deployment",
        "etl",
        "loader",
        pod_spec(container("loader", _image("loader")), init=[proxy]),
        replicas=1,
    )
    # Someone is looking into a running pod; its controller's template knows nothing of it.
    spec = pod_spec(container("app", _image("viewer")))
    stored = run(cluster, "StatefulSet", "imaging", "archive", spec, replicas=2)
    debugger = container("debugger", "busybox:1.37", security={"privileged": True}, limited=False, probed=False)
    change = {"spec": {"ephemeralContainers": [debugger | {"targetContainerName": "app"}]}}
    cluster.patch("Pod", f"{stored['metadata']['name']}-1", change, namespace="imaging")


def _images(cluster: ClusterApi) -> None:
    images = {
        "port-no-tag": f"{REGISTRY}:5000/meadowbrook/report",  # the colon is a port's, there is no tag
        "latest": f"{REGISTRY}/meadowbrook/report:latest",
        "tag-and-digest": f"{REGISTRY}:5000/meadowbrook/report:1.2@{_DIGEST}",
        "public": "docker.io/library/nginx:1.29",
        "short": "nginx:1.29",  # the same one, in the words that people use
    }
    for name, image in images.items():
        run(cluster, "Deployment", "etl", f"report-{name}", pod_spec(container("report", image)), replicas=1)


def _secrets(cluster: ClusterApi) -> None:
    from_key = {"secretKeyRef": {"name": "records-db", "key": "password"}}
    env = [{"name": "PGPASSWORD", "valueFrom": from_key}, {"name": "PGDATA", "value": "/data"}]
    claim: dict[str, Any] = {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data-records-db-0"}}]}
    mounted = [{"name": "data", "mountPath": "/data"}]
    spec = pod_spec(container("postgres", _image("postgres", "17.4"), env=env, volumeMounts=mounted), **claim)
    run(cluster, "StatefulSet", "records", "records-db", spec, replicas=1)
    whole = container("gateway", _image("claims"), envFrom=[{"secretRef": {"name": "claims-gateway"}}])
    run(cluster, "Deployment", "billing", "clearing", pod_spec(whole), replicas=1)
    written = [{"name": "DB_PASSWORD", "value": _LEAK}, {"name": "PASSWORD_MIN_LENGTH", "value": "12"}]
    nightly = container("export", _image("export"), env=written, envFrom=[{"configMapRef": {"name": "warehouse"}}])
    schedule(cluster, "etl", "export", pod_spec(nightly))
    told = container("sync", _image("sync"), args=["--user=etl", f"--password={_LEAK}"])
    schedule(cluster, "etl", "sync", pod_spec(told), cron="*/15 * * * *")
    as_files: dict[str, Any] = {
        "volumes": [{"name": "session", "secret": {"secretName": "portal-session", "defaultMode": 420}}]
    }
    sessions = container(
        "sessions", _image("sessions"), volumeMounts=[{"name": "session", "mountPath": "/run/session"}]
    )
    run(cluster, "Deployment", "portal", "sessions", pod_spec(sessions, **as_files))


def _bare(cluster: ClusterApi) -> None:
    shell = container("shell", "alpine", security={"privileged": True}, limited=False, probed=False)
    root = _host_path("root", "/")
    spec = pod_spec(shell, account="default", security={}, mounts_token=None, hostPID=True, **root)
    pod(cluster, "etl", "debug-shell", spec)
    pod(cluster, "default", "hello", pod_spec(container("hello", "nginx:1.29"), account="default"))
    # It has ended: it stands in the list and does no harm any more.
    pod(cluster, "sandbox", "trial", pod_spec(shell, account="default", mounts_token=None), phase="Succeeded")
