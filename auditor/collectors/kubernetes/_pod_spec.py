"""What a pod asks of its host: the kept paths of a pod's specification, wherever it stands, and its reading.

Values of variables are withheld while pages come; kept are the place, the patterns a value shows, and its mark.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from auditor.collectors.kubernetes._about import texts, words
from auditor.domain.redaction import variable, withhold

LISTS: Mapping[str, str] = {
    "containers": "container",
    "initContainers": "init",
    "ephemeralContainers": "ephemeral",
}
_CONTAINER = (
    "name",
    "image",
    "restartPolicy",
    "securityContext.privileged",
    "securityContext.allowPrivilegeEscalation",
    "securityContext.runAsNonRoot",
    "securityContext.runAsUser",
    "securityContext.readOnlyRootFilesystem",
    "securityContext.capabilities.add",
    "securityContext.capabilities.drop",
    "securityContext.seccompProfile.type",
    "securityContext.windowsOptions.hostProcess",
    "ports[].containerPort",
    "ports[].hostPort",
    "ports[].protocol",
    "resources.requests",
    "resources.limits",
    "env[].name",
    "env[].valueFrom.secretKeyRef.name",
    "env[].valueFrom.configMapKeyRef.name",
    "envFrom[].secretRef.name",
    "envFrom[].configMapRef.name",
    "volumeMounts[].name",
    "volumeMounts[].readOnly",
    "livenessProbe.periodSeconds",
    "readinessProbe.periodSeconds",
)
_POD = (
    "hostNetwork",
    "hostPID",
    "hostIPC",
    "serviceAccountName",
    "automountServiceAccountToken",
    "os.name",
    "runtimeClassName",
    "securityContext.runAsNonRoot",
    "securityContext.runAsUser",
    "securityContext.seccompProfile.type",
    "securityContext.windowsOptions.hostProcess",
    "resources.requests",
    "resources.limits",
    "volumes[].name",
    "volumes[].hostPath.path",
    "volumes[].secret.secretName",
    "volumes[].persistentVolumeClaim.claimName",
)


@dataclass(frozen=True, slots=True)
class Container:
    """One container as it was written, its ``role`` container, init or ephemeral; ``None`` means that it says nothing and something else decides.

    ``liveness`` and ``readiness`` tell whether there is such a probe. ``secrets`` are patterns and names of variables that
    hold a literal secret, ``secret_variables`` the names of those that are filled from a Secret.
    """

    name: str
    role: str
    sidecar: bool
    image: str
    privileged: bool
    privilege_escalation: bool | None
    run_as_non_root: bool | None
    run_as_user: int | None
    read_only_root: bool
    capabilities_added: tuple[str, ...]
    capabilities_dropped: tuple[str, ...]
    seccomp: str | None
    host_process: bool | None
    ports: tuple[int, ...]
    host_ports: tuple[int, ...]
    requests: Mapping[str, str]
    limits: Mapping[str, str]
    liveness: bool
    readiness: bool
    secrets: tuple[str, ...]
    secret_variables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HostPath:
    """A directory or file of the host that is mounted; ``writable`` if any container may write to it, or none mounts it."""

    path: str
    writable: bool


@dataclass(frozen=True, slots=True)
class PodSpec:
    """A pod's specification: what it shares with its host, who it runs as, and its containers of all three kinds."""

    host_network: bool
    host_pid: bool
    host_ipc: bool
    service_account: str
    automount_token: bool | None
    windows: bool
    run_as_non_root: bool | None
    run_as_user: int | None
    seccomp: str | None
    host_process: bool | None
    host_paths: tuple[HostPath, ...]
    requests: Mapping[str, str]
    limits: Mapping[str, str]
    secret_volumes: tuple[str, ...]
    claims: tuple[str, ...]
    containers: tuple[Container, ...]


def paths(prefix: str) -> tuple[str, ...]:
    """What is kept of a pod's specification that stands under this path."""
    return (
        *(f"{prefix}.{path}" for path in _POD),
        *(f"{prefix}.{name}[].{path}" for name in LISTS for path in _CONTAINER),
    )


def scan_environment(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The literal variables of all containers with marks for values, and which of them look like a secret."""
    return withhold(
        variable(str(one["name"]), str(one["value"]), place=f"{container.get('name')}/{one['name']}")
        for name in LISTS
        for container in spec.get(name) or ()
        for one in container.get("env") or ()
        if one.get("value")
    )


def pod_spec(spec: Mapping[str, Any], environment: Mapping[str, Any] | None) -> PodSpec:
    """A kept specification with what the scan of its variables found."""
    security = spec.get("securityContext") or {}
    volumes = spec.get("volumes") or ()
    return PodSpec(
        host_network=bool(spec.get("hostNetwork")),
        host_pid=bool(spec.get("hostPID")),
        host_ipc=bool(spec.get("hostIPC")),
        service_account=str(spec.get("serviceAccountName") or "default"),
        automount_token=spec.get("automountServiceAccountToken"),
        windows=(spec.get("os") or {}).get("name") == "windows",
        run_as_non_root=security.get("runAsNonRoot"),
        run_as_user=security.get("runAsUser"),
        seccomp=(security.get("seccompProfile") or {}).get("type"),
        host_process=(security.get("windowsOptions") or {}).get("hostProcess"),
        host_paths=tuple(
            HostPath(str(volume["hostPath"].get("path") or ""), _writable(spec, str(volume["name"])))
            for volume in volumes
            if volume.get("hostPath") is not None
        ),
        requests=texts((spec.get("resources") or {}).get("requests")),
        limits=texts((spec.get("resources") or {}).get("limits")),
        secret_volumes=tuple(str(one["secret"].get("secretName")) for one in volumes if one.get("secret") is not None),
        claims=tuple(
            str(one["persistentVolumeClaim"].get("claimName"))
            for one in volumes
            if one.get("persistentVolumeClaim") is not None
        ),
        containers=tuple(_containers(spec, _secrets(environment))),
    )


def _containers(spec: Mapping[str, Any], secrets: Mapping[str, tuple[str, ...]]) -> Iterator[Container]:
    for key, role in LISTS.items():
        for told in spec.get(key) or ():
            yield _container(told, role, secrets.get(str(told.get("name")), ()))


def _container(told: Mapping[str, Any], role: str, secrets: tuple[str, ...]) -> Container:
    security = told.get("securityContext") or {}
    capabilities = security.get("capabilities") or {}
    ports = told.get("ports") or ()
    resources = told.get("resources") or {}
    variables = told.get("env") or ()
    return Container(
        name=str(told.get("name")),
        role=role,
        sidecar=role == "init" and told.get("restartPolicy") == "Always",
        image=str(told.get("image") or ""),
        privileged=bool(security.get("privileged")),
        privilege_escalation=security.get("allowPrivilegeEscalation"),
        run_as_non_root=security.get("runAsNonRoot"),
        run_as_user=security.get("runAsUser"),
        read_only_root=bool(security.get("readOnlyRootFilesystem")),
        capabilities_added=words(capabilities.get("add")),
        capabilities_dropped=words(capabilities.get("drop")),
        seccomp=(security.get("seccompProfile") or {}).get("type"),
        host_process=(security.get("windowsOptions") or {}).get("hostProcess"),
        ports=tuple(int(port["containerPort"]) for port in ports if port.get("containerPort")),
        host_ports=tuple(int(port["hostPort"]) for port in ports if port.get("hostPort")),
        requests=texts(resources.get("requests")),
        limits=texts(resources.get("limits")),
        liveness=told.get("livenessProbe") is not None,
        readiness=told.get("readinessProbe") is not None,
        secrets=secrets,
        secret_variables=tuple(
            str(one["name"]) for one in variables if (one.get("valueFrom") or {}).get("secretKeyRef") is not None
        ),
    )


def _secrets(environment: Mapping[str, Any] | None) -> Mapping[str, tuple[str, ...]]:
    """The hits in words, by container."""
    found: dict[str, tuple[str, ...]] = {}
    for hit in (environment or {}).get("hits", ()):
        container, _, variable = str(hit["place"]).partition("/")
        found[container] = (*found.get(container, ()), f"{hit['pattern']} in {variable}")
    return found


def _writable(spec: Mapping[str, Any], volume: str) -> bool:
    mounts = [
        mount
        for name in LISTS
        for container in spec.get(name) or ()
        for mount in container.get("volumeMounts") or ()
        if mount.get("name") == volume
    ]
    return not mounts or any(not mount.get("readOnly") for mount in mounts)
