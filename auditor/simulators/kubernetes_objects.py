"""The cluster's smaller objects, each in a line: namespaces, accounts, roles and bindings, services, policies, settings."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

RBAC = "rbac.authorization.k8s.io"
Document = dict[str, Any]


def thing(api_version: str, kind: str, name: str, namespace: str = "", **parts: Any) -> Document:
    """Any object; ``parts`` are its further top-level fields."""
    meta = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": api_version, "kind": kind, "metadata": meta, **parts}


def namespace(name: str, labels: Mapping[str, str] | None = None) -> Document:
    """A namespace with its labels."""
    made = thing("v1", "Namespace", name, spec={"finalizers": ["kubernetes"]}, status={"phase": "Active"})
    made["metadata"]["labels"] = dict(labels or {})
    return made


def account(place: str, name: str, *, mounts_token: bool | None = None) -> Document:
    """A service account; ``mounts_token=None`` says nothing, which means yes."""
    made = thing("v1", "ServiceAccount", name, place)
    return made if mounts_token is None else made | {"automountServiceAccountToken": mounts_token}


def rule(verbs: str, resources: str, *, groups: str = "", names: Sequence[str] = ()) -> Document:
    """A rule from words with commas between; the empty group is the core."""
    made: Document = {"apiGroups": groups.split(","), "resources": resources.split(","), "verbs": verbs.split(",")}
    return made | ({"resourceNames": list(names)} if names else {})


def role(name: str, *rules: Document, place: str = "", labels: Mapping[str, str] | None = None) -> Document:
    """A Role in a namespace, or a ClusterRole where no namespace is given."""
    made = thing(f"{RBAC}/v1", "Role" if place else "ClusterRole", name, place, rules=list(rules))
    made["metadata"] |= {"labels": dict(labels)} if labels else {}
    return made


def binding(name: str, to: str, *subjects: str, place: str = "") -> Document:
    """A binding to ``Role/name`` or ``ClusterRole/name`` of subjects such as ``User/x``, ``Group/x``, ``billing/account``."""
    kind, _, role_name = to.partition("/")
    made = thing(f"{RBAC}/v1", "RoleBinding" if place else "ClusterRoleBinding", name, place)
    made["roleRef"] = {"apiGroup": RBAC, "kind": kind, "name": role_name}
    if subjects:  # a binding without subjects has no such field at all
        made["subjects"] = [_subject(one) for one in subjects]
    return made


def _subject(text: str) -> Document:
    kind, _, name = text.partition("/")
    if kind in {"User", "Group"}:
        return {"kind": kind, "apiGroup": RBAC, "name": name}
    return {"kind": "ServiceAccount", "name": name, "namespace": kind}


def service(place: str, name: str, type_: str = "ClusterIP", **more: Any) -> Document:
    """A service for the pods of one app."""
    port = {"name": "http", "protocol": "TCP", "port": 80, "targetPort": 8080}
    if type_ in {"NodePort", "LoadBalancer"}:
        port["nodePort"] = 30000 + sum(map(ord, place + name)) % 2767
    spec = {"type": type_, "selector": {"app": name}, "ports": [port], "sessionAffinity": "None", **more}
    return thing("v1", "Service", name, place, spec=spec, status={"loadBalancer": {}})


def policy(place: str, name: str, spec: Document) -> Document:
    """A NetworkPolicy."""
    return thing("networking.k8s.io/v1", "NetworkPolicy", name, place, spec={"podSelector": {}, **spec})


def ingress(place: str, name: str, hosts: Sequence[str], tls: Sequence[str]) -> Document:
    """An Ingress for hosts, with TLS for some of them."""
    backend = {"service": {"name": name, "port": {"number": 80}}}
    paths = {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}
    spec: Document = {"ingressClassName": "nginx", "rules": [{"host": host, "http": paths} for host in hosts]}
    if tls:
        spec["tls"] = [{"hosts": list(tls), "secretName": f"{name}-tls"}]
    return thing("networking.k8s.io/v1", "Ingress", name, place, spec=spec, status={"loadBalancer": {}})


def secret(place: str, name: str, type_: str = "Opaque", **values: str) -> Document:
    """A secret of made-up values."""
    data = {key.replace("_", "."): b64encode(value.encode()).decode() for key, value in values.items()}
    return thing("v1", "Secret", name, place, type=type_, data=data)


def settings(place: str, name: str, values: Mapping[str, str]) -> Document:
    """A ConfigMap."""
    return thing("v1", "ConfigMap", name, place, data=dict(values))


def definition(group: str, version: str, plural: str, kind: str, *, namespaced: bool = True) -> Document:
    """A custom resource's definition, open to any content."""
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    names = {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"}
    spec = {
        "group": group,
        "names": names,
        "scope": "Namespaced" if namespaced else "Cluster",
        "versions": [{"name": version, "served": True, "storage": True, "schema": schema}],
    }
    return thing("apiextensions.k8s.io/v1", "CustomResourceDefinition", f"{plural}.{group}", spec=spec)


def webhooks(kind: str, name: str, *, failure_policy: str, skips: Sequence[str] = ()) -> Document:
    """A Validating- or MutatingWebhookConfiguration with one webhook, which may skip namespaces."""
    selector: Document = {}
    if skips:
        place = "kubernetes.io/metadata.name"
        selector = {"matchExpressions": [{"key": place, "operator": "NotIn", "values": list(skips)}]}
    where = {"service": {"namespace": "policy", "name": name, "path": "/", "port": 443}, "caBundle": "Li4u"}
    rules = [{"operations": ["CREATE", "UPDATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}]
    hook = {
        "name": f"{name}.meadowbrook.example",
        "clientConfig": where,
        "rules": rules,
        "failurePolicy": failure_policy,
        "matchPolicy": "Equivalent",
        "namespaceSelector": selector,
        "objectSelector": {},
        "sideEffects": "None",
        "timeoutSeconds": 10,
        "admissionReviewVersions": ["v1"],
    }
    return thing("admissionregistration.k8s.io/v1", kind, name, webhooks=[hook])
