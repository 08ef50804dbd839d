"""Roles and their bindings, as written; what they add up to per subject is worked out where they are joined."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from auditor.collectors.kubernetes._about import fields, labels_of, name_of, namespace_of, told, words
from auditor.collectors.kubernetes._listing import listing
from auditor.collectors.kubernetes._selectors import selector
from auditor.domain.cluster_rights import Binding, PolicyRule, Role, Subject
from auditor.domain.reading import Readings
from auditor.domain.resource_type import ResourceType


def _roles(name: str, title: str, operation: str, kind: str, *, namespaced: bool) -> ResourceType:
    declared = ResourceType(
        name,
        version=1,
        title=title,
        place="account",
        listing=listing(
            operation,
            kind,
            keep=("rules", "aggregationRule"),
            namespaced=namespaced,
        ),
    )
    declared.document(_describe_role)
    return declared


def _bindings(name: str, title: str, operation: str, kind: str, *, namespaced: bool) -> ResourceType:
    declared = ResourceType(
        name,
        version=1,
        title=title,
        place="account",
        listing=listing(
            operation,
            kind,
            keep=(
                "roleRef.kind",
                "roleRef.name",
                "subjects[].kind",
                "subjects[].name",
                "subjects[].namespace",
            ),
            namespaced=namespaced,
        ),
    )
    declared.document(_describe_binding)
    return declared


def _describe_role(seen: Readings) -> Role:
    return Role(
        name=name_of(seen),
        namespace=namespace_of(seen),
        labels=labels_of(seen),
        rules=tuple(_rule(one) for one in told(seen, "rules") or ()),
        gathers=tuple(
            found
            for one in fields(seen, "aggregationRule").get("clusterRoleSelectors") or ()
            if (found := selector(one)) is not None
        ),
    )


def _describe_binding(seen: Readings) -> Binding:
    namespace = namespace_of(seen)
    return Binding(
        name=name_of(seen),
        namespace=namespace,
        labels=labels_of(seen),
        role_kind=str(fields(seen, "roleRef").get("kind") or ""),
        role=str(fields(seen, "roleRef").get("name") or ""),
        subjects=tuple(
            Subject(str(one["kind"]), str(one["name"]), str(one.get("namespace") or ""))
            for one in told(seen, "subjects") or ()
        ),
    )


def _rule(rule: Mapping[str, Any]) -> PolicyRule:
    return PolicyRule(
        verbs=words(rule.get("verbs")),
        groups=words(rule.get("apiGroups")),
        resources=words(rule.get("resources")),
        names=words(rule.get("resourceNames")),
        paths=words(rule.get("nonResourceURLs")),
    )


_GROUP = "rbac.authorization.k8s.io/v1"
role = _roles("kubernetes.role", "Role", f"{_GROUP}:roles", "Role", namespaced=True)
cluster_role = _roles(
    "kubernetes.cluster_role", "Cluster role", f"{_GROUP}:clusterroles", "ClusterRole", namespaced=False
)
role_binding = _bindings(
    "kubernetes.role_binding", "Role binding", f"{_GROUP}:rolebindings", "RoleBinding", namespaced=True
)
cluster_role_binding = _bindings(
    "kubernetes.cluster_role_binding",
    "Cluster role binding",
    f"{_GROUP}:clusterrolebindings",
    "ClusterRoleBinding",
    namespaced=False,
)
