"""What a container may do in the end: its own words before its pod's, and the API server's defaults where both are silent.

Each function takes a pod's specification and tells, container by container, what stands out, in words for a message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from auditor.collectors.kubernetes._pod_spec import Container, PodSpec

SOCKETS = (
    "/run/docker.sock",
    "/var/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/var/run/containerd/containerd.sock",
    "/run/k3s/containerd/containerd.sock",
    "/run/crio/crio.sock",
    "/var/run/crio/crio.sock",
)
GRAVE = ("", "/etc", "/run", "/var/run", "/var/lib/kubelet")
"""Directories of a host that are grave to mount even for reading; the first is all of it."""
SOCKET_NAMES = ("docker.sock", "containerd.sock", "crio.sock")
CONFINED = frozenset({"RuntimeDefault", "Localhost"})


def by_container(spec: PodSpec, told: Callable[[PodSpec, Container], str | None]) -> tuple[str, ...]:
    """What is told of each container, init and ephemeral ones included, without those of which nothing is."""
    return tuple(word for one in spec.containers if (word := told(spec, one)) is not None)


def named(container: Container) -> str:
    """The container, with its role where it is not an ordinary one."""
    return container.name if container.role == "container" else f"{container.name} ({container.role})"


def privileged(spec: PodSpec, container: Container) -> str | None:
    """A container that is its host: privileged, or a host process under Windows."""
    hosted = spec.host_process if container.host_process is None else container.host_process
    return named(container) if container.privileged or hosted else None


def as_root(spec: PodSpec, container: Container) -> str | None:
    """A container that may run as user 0: nothing forbids it, and no other user is named. The image may still name one."""
    forbidden = spec.run_as_non_root if container.run_as_non_root is None else container.run_as_non_root
    user = spec.run_as_user if container.run_as_user is None else container.run_as_user
    if forbidden or (user is not None and user > 0):
        return None
    return f"{named(container)} as user 0" if user == 0 else f"{named(container)} as the user of its image (unproven)"


def gaining(_: PodSpec, container: Container) -> str | None:
    """A container whose processes may gain powers: unset means that they may."""
    return None if container.privilege_escalation is False else named(container)


def keeping(_: PodSpec, container: Container) -> str | None:
    """A container that keeps the runtime's usual capabilities."""
    return None if "ALL" in {one.upper() for one in container.capabilities_dropped} else named(container)


def unfiltered(spec: PodSpec, container: Container) -> str | None:
    """A container whose system calls nothing filters."""
    return None if (container.seccomp or spec.seccomp) in CONFINED else named(container)


def writable_root(_: PodSpec, container: Container) -> str | None:
    """A container that may write to its own root file system."""
    return None if container.read_only_root else named(container)


def host_port(_: PodSpec, container: Container) -> str | None:
    """A container that binds ports of its host."""
    ports = ", ".join(str(port) for port in container.host_ports)
    return f"{named(container)} binds {ports}" if ports else None


def literal_secret(_: PodSpec, container: Container) -> str | None:
    """A container with something that looks like a secret among its variables."""
    return f"{named(container)} has {', '.join(container.secrets)}" if container.secrets else None


def capabilities(spec: PodSpec) -> frozenset[str]:
    """Every capability that a container adds, in capitals and without its prefix."""
    return frozenset(
        name.upper().removeprefix("CAP_") for container in spec.containers for name in container.capabilities_added
    )


def unbounded(spec: PodSpec, container: Container) -> str | None:
    """A container without a request for CPU or memory, or without a memory limit; its limits stand in for its requests.

    Ephemeral containers may have neither, and what a pod has as a whole holds for each of its containers.
    """
    if container.role == "ephemeral":
        return None
    limits = {**spec.limits, **container.limits}
    requests = {**spec.requests, **limits, **container.requests}
    lacking = [f"a {kind} request" for kind in ("cpu", "memory") if kind not in requests]
    lacking += [] if "memory" in limits else ["a memory limit"]
    return f"{named(container)} lacks {' and '.join(lacking)}" if lacking else None


def without_cpu_limit(spec: PodSpec, container: Container) -> str | None:
    """A container that may use all of a node's processors."""
    return None if container.role == "ephemeral" or "cpu" in {**spec.limits, **container.limits} else named(container)


def without_liveness(_: PodSpec, container: Container) -> str | None:
    """A main container that nobody would start anew when it hangs."""
    return named(container) if container.role == "container" and not container.liveness else None


def without_readiness(_: PodSpec, container: Container) -> str | None:
    """A main container that is sent requests before it is ready."""
    return named(container) if container.role == "container" and not container.readiness else None


def grave_paths(spec: PodSpec) -> Iterator[str]:
    """Mounted host paths that lead to the whole host, to its settings or to its other containers, or may be written to."""
    for one in spec.host_paths:
        path = one.path.rstrip("/")
        if one.writable or any(path == grave or (grave and path.startswith(f"{grave}/")) for grave in GRAVE):
            yield one.path


def sockets(spec: PodSpec) -> Iterator[str]:
    """Mounted host paths that are the runtime's socket, or directories that hold it."""
    for one in spec.host_paths:
        path = one.path.rstrip("/")
        below = f"{path}/"
        if any(name in path for name in SOCKET_NAMES) or any(socket.startswith(below) for socket in SOCKETS):
            yield one.path
