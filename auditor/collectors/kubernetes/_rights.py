"""Which bindings give a service account rights: by its own name, as a user, or through the groups of all service accounts."""

from __future__ import annotations

from collections.abc import Mapping

from auditor.domain.cluster_rights import Binding, Subject
from auditor.domain.resource_type import Population

DISCOVERY = frozenset(
    {
        "system:discovery",
        "system:basic-user",
        "system:public-info-viewer",
        "system:service-account-issuer-discovery",
    }
)
"""Cluster roles that only tell what the API is, and who one is."""
EVERY = "system:serviceaccounts"
"""The group of all service accounts; with a colon and a namespace behind it that of all in there."""


def bound_by_name(population: Population, namespace: str, name: str) -> tuple[str, ...]:
    """The ids of bindings that name this very service account."""
    return population.once(_by_account).get((namespace, name), ())


def bound_by_group(population: Population, namespace: str) -> tuple[str, ...]:
    """The ids of bindings that give all service accounts, or all of this namespace, more than discovery."""
    groups = population.once(_by_group)
    return (*groups.get(EVERY, ()), *groups.get(f"{EVERY}:{namespace}", ()))


def _by_account(population: Population) -> Mapping[tuple[str, str], tuple[str, ...]]:
    found: dict[tuple[str, str], dict[str, None]] = {}
    for member in population.members:
        for subject in member.document.subjects:
            account = _account(subject, member.document)
            if account is not None:
                found.setdefault(account, {})[member.id] = None
    return {account: tuple(ids) for account, ids in found.items()}


def _by_group(population: Population) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = {}
    for member in population.members:
        binding: Binding = member.document
        if binding.role_kind == "ClusterRole" and binding.role in DISCOVERY:
            continue
        for subject in binding.subjects:
            if subject.kind == "Group" and subject.name.partition(":")[0] == "system":
                found.setdefault(subject.name, {})[member.id] = None
    return {group: tuple(ids) for group, ids in found.items()}


def _account(subject: Subject, binding: Binding) -> tuple[str, str] | None:
    """The service account that a subject is, also where it is spelled as a user."""
    if subject.kind == "ServiceAccount":
        return subject.namespace or binding.namespace, subject.name
    parts = subject.name.split(":")
    if subject.kind == "User" and len(parts) == 4 and parts[:2] == ["system", "serviceaccount"]:
        return parts[2], parts[3]
    return None
