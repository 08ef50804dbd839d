"""The components of the control plane by the flags they run with, where their pods can be seen.

A managed control plane shows no pods: its flags are unseen then, never wrong. Where a component runs on several nodes, a
fact holds only if it holds for each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from auditor.collectors.kubernetes._tables import minor
from auditor.collectors.kubernetes.core_nodes import node
from auditor.collectors.kubernetes.core_pods import Pod, pod
from auditor.collectors.kubernetes.server import server
from auditor.domain.reading import Reading, Seen, Unseen
from auditor.domain.resource_type import DerivedType, Joined, Population

MANAGED = "managed control plane: flags are not visible"
NOT_ASKED = "the configuration of kubelets is not read: that takes the right to nodes/proxy, which is as good as root"
MODERN = frozenset({"VersionTLS12", "VersionTLS13"})
MODERN_SINCE = (1, 22)
"""The version since which TLS 1.2 is the least that components speak."""


@dataclass(frozen=True, slots=True)
class ApiServer:
    """The API server. ``authorizes`` are its modes; of days, files and megabytes of audit log the least of all its pods.

    A number without limit reads as 0 days or files, as the flag does: nothing is deleted by age or number then.
    """

    name: str
    pods: tuple[str, ...]
    refuses_anonymous: Reading[bool]
    modes: Reading[tuple[str, ...]]
    audit_policy: Reading[bool]
    audit_written: Reading[bool]
    audit_days: Reading[int | None]
    audit_files: Reading[int | None]
    audit_megabytes: Reading[int | None]
    encrypts_secrets: Reading[bool]
    has_certificate: Reading[bool]
    speaks_modern_tls: Reading[bool]


@dataclass(frozen=True, slots=True)
class Etcd:
    """The store behind the API server, and what it asks of its clients and peers."""

    name: str
    pods: tuple[str, ...]
    asks_clients: Reading[bool]
    asks_peers: Reading[bool]
    makes_own_certificates: Reading[bool]
    has_certificates: Reading[bool]


@dataclass(frozen=True, slots=True)
class Kubelets:
    """The kubelets of a cluster together."""

    name: str
    refuse_anonymous: Reading[bool]


api_server = DerivedType(
    "kubernetes.api_server", version=1, title="API server and its flags", over="account", inputs=(pod, server)
)
etcd = DerivedType("kubernetes.etcd", version=1, title="etcd and its flags", over="account", inputs=(pod,))
kubelets = DerivedType(
    "kubernetes.kubelets", version=1, title="Kubelets and their settings", over="account", inputs=(node,)
)


@api_server.document
def describe_api_server(joined: Joined) -> ApiServer:
    """The API server as the weakest of its pods runs."""
    seen = _component("kube-apiserver", joined.of(pod))
    return ApiServer(
        name=joined.account,
        pods=seen.pods,
        refuses_anonymous=_refuses_anonymous(seen),
        modes=_modes(seen),
        audit_policy=seen.each(lambda flags: bool(flags.get("audit-policy-file"))),
        audit_written=seen.each(
            lambda flags: bool(flags.get("audit-log-path") or flags.get("audit-webhook-config-file"))
        ),
        audit_days=seen.least("audit-log-maxage"),
        audit_files=seen.least("audit-log-maxbackup"),
        audit_megabytes=seen.least("audit-log-maxsize"),
        encrypts_secrets=seen.each(lambda flags: bool(flags.get("encryption-provider-config"))),
        has_certificate=seen.each(
            lambda flags: bool(flags.get("tls-cert-file")) and bool(flags.get("tls-private-key-file"))
        ),
        speaks_modern_tls=_modern(seen, joined.of(server)),
    )


@etcd.document
def describe_etcd(joined: Joined) -> Etcd:
    """The store as the weakest of its pods runs."""
    seen = _component("etcd", joined.of(pod))
    files = ("cert-file", "key-file", "peer-cert-file", "peer-key-file")
    return Etcd(
        name=joined.account,
        pods=seen.pods,
        asks_clients=seen.each(lambda flags: _true(flags, "client-cert-auth")),
        asks_peers=seen.each(lambda flags: _true(flags, "peer-client-cert-auth")),
        makes_own_certificates=seen.each(
            lambda flags: not _true(flags, "auto-tls") and not _true(flags, "peer-auto-tls")
        ).map(lambda none: not none),
        has_certificates=seen.each(lambda flags: all(flags.get(name) for name in files)),
    )


@kubelets.document
def describe_kubelets(joined: Joined) -> Kubelets:
    """The kubelets, into which nobody looks who is not trusted with the nodes."""
    return Kubelets(joined.account, Unseen(NOT_ASKED))


@dataclass(frozen=True, slots=True)
class _Component:
    """The pods of one component, and what holds for each of them."""

    pods: tuple[str, ...]
    flags: tuple[Mapping[str, str], ...]
    hidden: str | None

    def each(self, holds: Callable[[Mapping[str, str]], bool]) -> Reading[bool]:
        """Whether it holds for every pod; one for which it does not decides."""
        if not all(holds(flags) for flags in self.flags):
            return Seen(value=False)
        return self.seen(value=True)

    def seen(self, value: bool) -> Reading[bool]:  # noqa: FBT001  (the value of a fact)
        """The value, if all pods of the component were seen."""
        if self.hidden is not None:
            return Unseen(self.hidden)
        return Seen(value) if self.flags else Unseen(MANAGED)

    def told(self, name: str) -> Reading[tuple[str | None, ...]]:
        """The values of a flag, pod by pod."""
        return self.seen(value=True).map(lambda _: tuple(flags.get(name) for flags in self.flags))

    def least(self, name: str) -> Reading[int | None]:
        """The least number that a flag has in any pod; ``None`` where one does not set it."""
        told = self.told(name)
        if isinstance(told, Unseen):
            return told
        numbers = [value if value is None or not value.isdecimal() else int(value) for value in told.value]
        if any(isinstance(value, str) for value in numbers):
            return Unseen(f"--{name} is no number")
        known = [value for value in numbers if isinstance(value, int)]
        return Seen(min(known) if len(known) == len(numbers) else None)


def _component(name: str, population: Population) -> _Component:
    found: list[Pod] = sorted(
        (one.document for one in population.members if one.document.component == name), key=lambda one: str(one.name)
    )
    return _Component(tuple(one.name for one in found), tuple(one.flags or {} for one in found), population.unseen)


def _true(flags: Mapping[str, str], name: str) -> bool:
    return flags.get(name, "").lower() in {"true", "1", "t"}


def _refuses_anonymous(seen: _Component) -> Reading[bool]:
    """A file may limit strangers to health paths instead of the flag; what it says is not visible."""
    refused = seen.each(lambda flags: flags.get("anonymous-auth", "").lower() in {"false", "0", "f"})
    files = seen.told("authentication-config")
    if refused == Seen(value=False) and isinstance(files, Seen) and any(files.value):
        return Unseen("--authentication-config may limit strangers: the file is not visible")
    return refused


def _modes(seen: _Component) -> Reading[tuple[str, ...]]:
    """The modes that every pod has, and AlwaysAllow where any has it; without the flag that is the default."""
    files, told = seen.told("authorization-config"), seen.told("authorization-mode")
    if isinstance(files, Seen) and any(files.value):
        return Unseen("--authorization-config replaces the flag: the file is not visible")
    if isinstance(told, Unseen):
        return told
    sets = [frozenset((value or "AlwaysAllow").split(",")) for value in told.value]
    weakest = frozenset.intersection(*sets) | (frozenset().union(*sets) & {"AlwaysAllow"})
    return Seen(tuple(sorted(weakest)))


def _modern(seen: _Component, population: Population) -> Reading[bool]:
    """Unset is modern since some version; where the server told none, an unset flag is unseen."""
    told = seen.told("tls-min-version")
    if isinstance(told, Unseen):
        return told
    if any(value is not None and value not in MODERN for value in told.value):
        return Seen(value=False)
    if all(told.value):
        return Seen(value=True)
    for member in population.members:
        version: Reading[str] = member.document.version
        if isinstance(version, Unseen):
            return version
        parts = minor(version.value)
        if parts is not None:
            return Seen(parts >= MODERN_SINCE)
    return Unseen(population.unseen or "the API server told no version")
