"""May they: decided from the Roles and bindings that lie in the cluster's own store, by one function for all askers.

Requests, access reviews and rules reviews go through here, so they cannot disagree. Aggregated ClusterRoles are filled
as the real controller fills them; the roles every cluster is born with stand at the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from auditor.simulators.kubernetes_identities import MASTERS, Identity
from auditor.simulators.kubernetes_requests import Asked
from auditor.simulators.kubernetes_store import Store

API = "rbac.authorization.k8s.io"


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether, and by which binding."""

    allowed: bool
    reason: str = ""


def decide(store: Store, who: Identity, asked: Asked) -> Decision:
    """Whether one may do what is asked.

    Members of ``system:masters`` may do everything, whatever the store says: the real server asks no role about them.
    """
    if MASTERS in who.groups:
        return Decision(allowed=True)
    for rule, why in rules_of(store, who, asked.namespace):
        if _covers(rule, asked):
            return Decision(allowed=True, reason=why)
    return Decision(allowed=False)


def rules_of(store: Store, who: Identity, namespace: str) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Every rule that holds for one in a namespace (none means the whole cluster), and the binding that gave it.

    A binding to a role that does not exist gives nothing; so does one without subjects.
    """
    for binding in store.documents("ClusterRoleBinding"):
        subject = _subject(binding, who, "")
        if subject:
            for rule in _rules(store, binding["roleRef"], ""):
                yield rule, _because(binding, subject, "")
    if namespace:
        for binding in store.documents("RoleBinding", namespace=namespace):
            subject = _subject(binding, who, namespace)
            if subject:
                for rule in _rules(store, binding["roleRef"], namespace):
                    # A RoleBinding is about objects of its namespace: paths outside the API need the other kind.
                    if not rule.get("nonResourceURLs"):
                        yield rule, _because(binding, subject, namespace)


def _subject(binding: Mapping[str, Any], who: Identity, namespace: str) -> str:
    for subject in binding.get("subjects") or ():
        name = subject.get("name", "")
        place = subject.get("namespace") or namespace
        match subject.get("kind"):
            case "User" if name == who.user:
                return f'User "{name}"'
            case "Group" if name in who.groups:
                return f'Group "{name}"'
            case "ServiceAccount" if place and who.user == f"system:serviceaccount:{place}:{name}":
                return f'ServiceAccount "{name}/{place}"'
            case _:
                continue
    return ""


def _because(binding: Mapping[str, Any], subject: str, namespace: str) -> str:
    name, role = binding["metadata"]["name"], binding["roleRef"]
    kind, place = ("RoleBinding", f"{name}/{namespace}") if namespace else ("ClusterRoleBinding", name)
    return f'RBAC: allowed by {kind} "{place}" of {role["kind"]} "{role["name"]}" to {subject}'


def _rules(store: Store, role: Mapping[str, Any], namespace: str) -> tuple[Mapping[str, Any], ...]:
    if role["kind"] == "Role" and not namespace:
        return ()
    place = namespace if role["kind"] == "Role" else ""
    found = store.find(store.kinds.named(role["kind"]), place, role["name"])
    return tuple(found.document.get("rules") or ()) if found else ()


def _covers(rule: Mapping[str, Any], asked: Asked) -> bool:
    if not _has(rule, "verbs", asked.verb):
        return False
    if not asked.is_resource:
        return any(_path_covered(pattern, asked.path) for pattern in rule.get("nonResourceURLs") or ())
    resources = rule.get("resources") or ()
    meant = "*" in resources or asked.combined in resources
    meant = meant or (bool(asked.subresource) and f"*/{asked.subresource}" in resources)
    names = rule.get("resourceNames") or ()
    return meant and _has(rule, "apiGroups", asked.group) and (not names or asked.name in names)


def _has(rule: Mapping[str, Any], field: str, value: str) -> bool:
    told = rule.get(field) or ()
    return "*" in told or value in told


def _path_covered(pattern: str, path: str) -> bool:
    return pattern in {"*", path} or (pattern.endswith("*") and path.startswith(pattern.rstrip("*")))


def aggregate(store: Store) -> None:
    """Write into each aggregated ClusterRole the rules of the roles it selects, until nothing changes any more."""
    settled = False
    while not settled:
        settled = True
        for role in store.documents("ClusterRole"):
            if role.get("aggregationRule"):
                rules = _gathered(store, role)
                if rules != (role.get("rules") or []):
                    store.patch("ClusterRole", role["metadata"]["name"], {"rules": rules})
                    settled = False


def _gathered(store: Store, role: Mapping[str, Any]) -> list[Any]:
    rules: list[Any] = []
    selectors = role["aggregationRule"].get("clusterRoleSelectors") or ()
    for other in store.documents("ClusterRole"):
        labels = other["metadata"].get("labels") or {}
        if other is not role and any(_selects(selector, labels) for selector in selectors):
            rules += [rule for rule in other.get("rules") or () if rule not in rules]
    return rules


def _selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    wanted = (selector.get("matchLabels") or {}).items()
    return all(labels.get(key) == value for key, value in wanted) and all(
        _expressed(one, labels) for one in selector.get("matchExpressions") or ()
    )


def _expressed(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = expression["key"], expression.get("values") or ()
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels


_HEALTH = ["/healthz", "/livez", "/readyz", "/version", "/version/"]
_ISSUER = [
    "/.well-known/openid-configuration",
    "/.well-known/openid-configuration/",
    "/openid/v1/jwks",
    "/openid/v1/jwks/",
]
_READ = ["get", "list", "watch"]
_WRITE = ["create", "delete", "deletecollection", "patch", "update"]
_PLAIN = ["configmaps", "endpoints", "persistentvolumeclaims", "pods", "pods/log", "serviceaccounts", "services"]
_WORK = ["daemonsets", "deployments", "replicasets", "statefulsets"]
_INTO = {"view": "edit", "edit": "admin"}


def born_with() -> Iterator[dict[str, Any]]:
    """The ClusterRoles and bindings of a new cluster, as far as their being there matters to an auditor."""
    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    yield _role("cluster-admin", [everything, {"nonResourceURLs": ["*"], "verbs": ["*"]}])
    yield _role("system:discovery", [_paths("/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*", *_HEALTH)])
    yield _role("system:public-info-viewer", [_paths(*_HEALTH), _paths("/.well-known", "/.well-known/*")])
    yield _role("system:service-account-issuer-discovery", [_paths(*_ISSUER)])
    reviews = ["selfsubjectaccessreviews", "selfsubjectrulesreviews"]
    asking = _on(["authorization.k8s.io"], reviews, ["create"])
    yield _role("system:basic-user", [asking, _on(["authentication.k8s.io"], ["selfsubjectreviews"], ["create"])])
    parts = {
        "view": [_on([""], [*_PLAIN, "namespaces"], _READ), _on(["apps"], _WORK, _READ)],
        "edit": [_on([""], ["pods/exec", "secrets"], [*_READ, *_WRITE]), _on(["", "apps"], [*_PLAIN, *_WORK], _WRITE)],
        "admin": [_on([API], ["rolebindings", "roles"], [*_READ, *_WRITE])],
    }
    for name, rules in parts.items():
        label = f"rbac.authorization.k8s.io/aggregate-to-{name}"
        into = {f"rbac.authorization.k8s.io/aggregate-to-{_INTO[name]}": "true"} if name in _INTO else {}
        yield _role(f"system:aggregate-to-{name}", rules, {label: "true"})
        selector = {"clusterRoleSelectors": [{"matchLabels": {label: "true"}}]}
        yield _role(name, [], into) | {"aggregationRule": selector}
    yield _bound("cluster-admin", MASTERS)
    yield _bound("system:discovery", "system:authenticated")
    yield _bound("system:public-info-viewer", "system:authenticated", "system:unauthenticated")
    yield _bound("system:service-account-issuer-discovery", "system:serviceaccounts")
    yield _bound("system:basic-user", "system:authenticated")


def _on(groups: list[str], resources: list[str], verbs: list[str]) -> dict[str, Any]:
    return {"apiGroups": groups, "resources": resources, "verbs": verbs}


def _paths(*paths: str) -> dict[str, Any]:
    return {"nonResourceURLs": sorted(set(paths)), "verbs": ["get"]}


def _meta(name: str, labels: Mapping[str, str] | None = None) -> dict[str, Any]:
    return {
        "name": name,
        "labels": {"kubernetes.io/bootstrapping": "rbac-defaults", **(labels or {})},
        "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"},
    }


def _role(name: str, rules: list[dict[str, Any]], labels: Mapping[str, str] | None = None) -> dict[str, Any]:
    return {"apiVersion": f"{API}/v1", "kind": "ClusterRole", "metadata": _meta(name, labels), "rules": rules}


def _bound(role: str, *groups: str) -> dict[str, Any]:
    return {
        "apiVersion": f"{API}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": _meta(role),
        "subjects": [{"kind": "Group", "apiGroup": API, "name": group} for group in groups],
        "roleRef": {"apiGroup": API, "kind": "ClusterRole", "name": role},
    }
