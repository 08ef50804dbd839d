"""Access reviews: what one may do, told by the function that decides about requests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from auditor.simulators.kubernetes_answers import Answer, bad_request, document
from auditor.simulators.kubernetes_identities import AUTHENTICATED, Identity
from auditor.simulators.kubernetes_rbac import decide, rules_of
from auditor.simulators.kubernetes_requests import Asked
from auditor.simulators.kubernetes_store import Store


def review(store: Store, who: Identity, resource: str, body: bytes) -> Answer:
    """The answer to a review that was posted; nothing is stored."""
    try:
        posted = json.loads(body)
        spec = posted.get("spec") or {}
        if resource == "selfsubjectreviews":
            return _answer("authentication.k8s.io", "SelfSubjectReview", None, {"userInfo": _told(who)})
        if resource == "selfsubjectrulesreviews":
            status = _rules(store, who, str(spec.get("namespace", "")))
            return _answer("authorization.k8s.io", "SelfSubjectRulesReview", {}, status)
        if resource == "selfsubjectaccessreviews":
            return _answer("authorization.k8s.io", "SelfSubjectAccessReview", spec, _access(store, who, spec))
        other = Identity(str(spec.get("user", "")), (*spec.get("groups", ()), AUTHENTICATED))
        return _answer("authorization.k8s.io", "SubjectAccessReview", spec, _access(store, other, spec))
    except (ValueError, AttributeError, TypeError):
        return bad_request("the object provided is unrecognized (must be of type review)")


def _answer(group: str, kind: str, spec: Mapping[str, Any] | None, status: Mapping[str, Any]) -> Answer:
    head: dict[str, Any] = {"kind": kind, "apiVersion": f"{group}/v1", "metadata": {}}
    return document(head | ({} if spec is None else {"spec": spec}) | {"status": status}, 201)


def _access(store: Store, who: Identity, spec: Mapping[str, Any]) -> dict[str, Any]:
    if "resourceAttributes" in spec:
        told = spec["resourceAttributes"]
        asked = Asked(
            str(told.get("verb", "")),
            "",
            group=str(told.get("group", "")),
            version=str(told.get("version", "")),
            resource=str(told.get("resource", "")),
            subresource=str(told.get("subresource", "")),
            namespace=str(told.get("namespace", "")),
            name=str(told.get("name", "")),
        )
    else:
        told = spec.get("nonResourceAttributes", {})
        asked = Asked(str(told.get("verb", "")), str(told.get("path", "")))
    decision = decide(store, who, asked)
    return {"allowed": decision.allowed} | ({"reason": decision.reason} if decision.reason else {})


def _rules(store: Store, who: Identity, namespace: str) -> dict[str, Any]:
    resource_rules, path_rules = [], []
    for rule, _ in rules_of(store, who, namespace):
        if rule.get("nonResourceURLs"):
            path_rules.append({"verbs": rule["verbs"], "nonResourceURLs": rule["nonResourceURLs"]})
        else:
            names = {"resourceNames": rule["resourceNames"]} if rule.get("resourceNames") else {}
            one = {
                "verbs": rule["verbs"],
                "apiGroups": rule.get("apiGroups", []),
                "resources": rule.get("resources", []),
            }
            resource_rules.append(one | names)
    return {"resourceRules": resource_rules, "nonResourceRules": path_rules, "incomplete": False}


def _told(who: Identity) -> dict[str, Any]:
    told: dict[str, Any] = {"username": who.user, "groups": list(who.groups)}
    return told | ({"uid": who.uid} if who.uid else {}) | ({"extra": who.extra} if who.extra else {})
