"""Roles, bindings and service accounts seen together: what each subject may do, and which bindings should not be.

One document per subject that a binding names, per role and per binding, whichever of the two kinds they are. Rights that
flow from a group stand at the group; components of the cluster do not answer for the roles that every cluster gives them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from auditor.collectors.kubernetes._members import found_or, gap, gaps, member_of
from auditor.collectors.kubernetes.core_configuration import service_account
from auditor.collectors.kubernetes.rbac import cluster_role, cluster_role_binding, role, role_binding
from auditor.domain.cluster_rights import Binding, Holding, Right, Rights, Role
from auditor.domain.reading import Reading, Seen, Unseen
from auditor.domain.resource_type import DerivedType, Joined, Member, Population, Spread
from auditor.domain.source import GLOBAL

RBAC = "rbac.authorization.k8s.io"
READ_SECRETS = Right(("get", "list", "watch"), "", ("secrets",), by_name=False)
RAISE_RIGHTS = (
    Right(("escalate",), RBAC, ("roles",)),
    Right(("escalate",), RBAC, ("clusterroles",), cluster_wide=True),
    Right(("bind",), RBAC, ("roles", "clusterroles")),
    Right(("impersonate",), "", ("serviceaccounts",)),
    Right(("impersonate",), "", ("users", "groups"), cluster_wide=True),
)
MAKE_PODS = (
    Right(("create",), "", ("pods", "pods/exec", "pods/attach", "replicationcontrollers")),
    Right(("create",), "apps", ("deployments", "daemonsets", "statefulsets", "replicasets")),
    Right(("create",), "batch", ("jobs", "cronjobs")),
)
MINT_TOKENS = Right(("create",), "", ("serviceaccounts/token",))
CHANGE_WEBHOOKS = Right(
    ("create", "update", "patch", "delete", "deletecollection"),
    "admissionregistration.k8s.io",
    ("validatingwebhookconfigurations", "mutatingwebhookconfigurations"),
    cluster_wide=True,
)
REACH_KUBELETS = Right(
    ("get", "create", "update", "patch", "delete", "list", "watch"), "", ("nodes/proxy",), cluster_wide=True
)
FOR_STRANGERS = frozenset({"system:public-info-viewer"})
FOR_ANYONE_KNOWN = frozenset({*FOR_STRANGERS, "system:discovery", "system:basic-user"})
"""Roles that every cluster binds to all callers with a credential."""


@dataclass(frozen=True, slots=True)
class HeldRights:
    """A subject and, for each power that matters, the bindings it comes through; ``system`` is a component of the cluster."""

    name: str
    kind: str
    system: bool
    administers: Reading[tuple[str, ...]]
    administers_namespaces: Reading[tuple[str, ...]]
    reads_secrets: Reading[tuple[str, ...]]
    raises_rights: Reading[tuple[str, ...]]
    makes_pods: Reading[tuple[str, ...]]
    mints_tokens: Reading[tuple[str, ...]]
    changes_webhooks: Reading[tuple[str, ...]]
    reaches_kubelets: Reading[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class WrittenRole:
    """A role of either kind; ``wildcards`` are its rules that say "all" somewhere, in words."""

    name: str
    namespace: str
    built_in: bool
    bound: Reading[bool]
    wildcards: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WrittenBinding:
    """A binding of either kind; ``strangers`` get more than every caller does, ``stale`` service accounts do not exist."""

    name: str
    namespace: str
    role: str
    strangers: tuple[str, ...]
    names_accounts: bool
    stale: Reading[tuple[str, ...]]


_RULES = (cluster_role, role)
_BINDINGS = (cluster_role_binding, role_binding)


def subjects(joined: Joined) -> Iterator[Member]:
    """Every subject that a binding names, with what it holds."""
    given = Rights(
        _roles(joined, clusterwide=True),
        _roles(joined, clusterwide=False),
        tuple(one.document for kind in _BINDINGS for one in joined.of(kind).members),
        gap(cluster_role, joined.of(cluster_role)),
        gap(role, joined.of(role)),
        tuple(gaps(joined, _BINDINGS)),
    )
    for held in given.holdings():
        who = held.subject
        yield Member(f"{who.namespace}/{who.kind}/{who.name}", GLOBAL, held)


def either_role(joined: Joined) -> Iterator[Member]:
    """Every role of both kinds."""
    return (one for kind in _RULES for one in joined.of(kind).members)


def either_binding(joined: Joined) -> Iterator[Member]:
    """Every binding of both kinds."""
    return (one for kind in _BINDINGS for one in joined.of(kind).members)


subject = DerivedType(
    "kubernetes.subject",
    version=1,
    title="Subject of role bindings",
    over=Spread(subjects, _BINDINGS),
    inputs=(*_RULES, *_BINDINGS),
)
any_role = DerivedType(
    "kubernetes.any_role",
    version=1,
    title="Role or cluster role",
    over=Spread(either_role, _RULES),
    inputs=(*_RULES, *_BINDINGS),
)
any_binding = DerivedType(
    "kubernetes.any_binding",
    version=1,
    title="Role binding or cluster role binding",
    over=Spread(either_binding, _BINDINGS),
    inputs=(*_BINDINGS, service_account),
)


@subject.document
def describe_subject(joined: Joined) -> HeldRights:
    """The subject's powers, each by the bindings that give it."""
    held: Holding = member_of(joined).document
    return HeldRights(
        name=held.subject.told,
        kind=held.subject.kind,
        system=held.subject.system,
        administers=held.everything(namespaced=False),
        administers_namespaces=held.everything(namespaced=True),
        reads_secrets=held.of(READ_SECRETS),
        raises_rights=held.of(*RAISE_RIGHTS, custom=True),
        makes_pods=held.of(*MAKE_PODS),
        mints_tokens=held.of(MINT_TOKENS),
        changes_webhooks=held.of(CHANGE_WEBHOOKS),
        reaches_kubelets=held.of(REACH_KUBELETS),
    )


@any_role.document
def describe_role(joined: Joined) -> WrittenRole:
    """The role with its wildcards, and whether any binding hands it to somebody."""
    own: Role = member_of(joined).document
    return WrittenRole(
        name=own.name,
        namespace=own.namespace,
        built_in=own.built_in,
        bound=_bound(joined, own),
        wildcards=tuple(
            f"verbs {_list(rule.verbs)} on {_list(rule.resources)} of groups {_list(rule.groups)}"
            for rule in own.rules
            if rule.wildcards
        ),
    )


@any_binding.document
def describe_binding(joined: Joined) -> WrittenBinding:
    """The binding held against the callers nobody named, and against the service accounts that exist."""
    own: Binding = member_of(joined).document
    accounts = [one for one in own.bound() if one.kind == "ServiceAccount"]
    known = joined.of(service_account)
    found = {one.told: known.find(f"{one.namespace}/ServiceAccount/{one.name}") for one in accounts}
    missing = [told for told, one in found.items() if one is None]
    hidden = sorted({f"{service_account.title}: {one.reason}" for one in found.values() if isinstance(one, Unseen)})
    return WrittenBinding(
        name=own.name,
        namespace=own.namespace,
        role=own.role,
        strangers=tuple(sorted(one.told for one in own.bound() if one.everybody and not _usual(own, one.name))),
        names_accounts=bool(accounts),
        stale=found_or(missing, hidden),
    )


def _usual(binding: Binding, name: str) -> bool:
    usual = FOR_ANYONE_KNOWN if name == "system:authenticated" else FOR_STRANGERS
    return binding.role_kind == "ClusterRole" and binding.role in usual


def _roles(joined: Joined, *, clusterwide: bool) -> tuple[Role, ...]:
    return tuple(one.document for one in joined.of(cluster_role if clusterwide else role).members)


def _bound(joined: Joined, own: Role) -> Reading[bool]:
    """A role of a namespace is handed out by its bindings alone, one of the cluster by both kinds."""
    kinds = (role_binding,) if own.namespace else _BINDINGS
    for kind in kinds:
        if (own.namespace, own.name) in joined.of(kind).once(_handed_out):
            return Seen(value=True)
    missing = tuple(gaps(joined, kinds))
    return Unseen("; ".join(missing)) if missing else Seen(value=False)


def _handed_out(population: Population) -> frozenset[tuple[str, str]]:
    bindings: list[Binding] = [one.document for one in population.members]
    return frozenset(
        (one.namespace if one.role_kind == "Role" else "", one.role) for one in bindings if any(one.bound())
    )


def _list(words: tuple[str, ...]) -> str:
    return ",".join(word or '""' for word in words) or "none"
