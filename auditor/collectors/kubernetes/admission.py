"""What the API server asks before it lets something in: webhooks and admission policies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from auditor.collectors.kubernetes._about import fields, labels_of, name_of, told, words
from auditor.collectors.kubernetes._listing import listing
from auditor.collectors.kubernetes._selectors import selector
from auditor.domain.cluster_network import Selector
from auditor.domain.reading import Readings
from auditor.domain.resource_type import ResourceType

_GROUP = "admissionregistration.k8s.io/v1"


@dataclass(frozen=True, slots=True)
class Webhook:
    """One webhook; ``failure_policy`` is Fail or Ignore. ``service`` reads ``namespace/name``, null where a URL is called."""

    name: str
    failure_policy: str
    service: str | None
    namespaces: Selector | None
    operations: tuple[str, ...]
    resources: tuple[str, ...]
    timeout_seconds: int


@dataclass(frozen=True, slots=True)
class WebhookConfiguration:
    """Webhooks that stand and fall together."""

    name: str
    labels: Mapping[str, str]
    mutating: bool
    webhooks: tuple[Webhook, ...]


@dataclass(frozen=True, slots=True)
class AdmissionPolicy:
    """A validating admission policy."""

    name: str
    failure_policy: str


@dataclass(frozen=True, slots=True)
class AdmissionPolicyBinding:
    """Where a policy is in force, and what happens then: Deny, Warn, Audit."""

    name: str
    policy: str
    actions: tuple[str, ...]


def _webhooks(name: str, title: str, operation: str, kind: str) -> ResourceType:
    declared = ResourceType(
        name,
        version=1,
        title=title,
        place="account",
        listing=listing(
            operation,
            kind,
            keep=(
                "webhooks[].name",
                "webhooks[].failurePolicy",
                "webhooks[].clientConfig.service.namespace",
                "webhooks[].clientConfig.service.name",
                "webhooks[].namespaceSelector",
                "webhooks[].rules[].operations",
                "webhooks[].rules[].resources",
                "webhooks[].timeoutSeconds",
            ),
            namespaced=False,
        ),
    )

    @declared.document
    def describe(seen: Readings) -> WebhookConfiguration:
        return WebhookConfiguration(
            name=name_of(seen),
            labels=labels_of(seen),
            mutating=kind.startswith("Mutating"),
            webhooks=tuple(_webhook(one) for one in told(seen, "webhooks") or ()),
        )

    return declared


def _webhook(told_of: Mapping[str, Any]) -> Webhook:
    service = (told_of.get("clientConfig") or {}).get("service")
    rules = told_of.get("rules") or ()
    return Webhook(
        name=str(told_of["name"]),
        failure_policy=str(told_of.get("failurePolicy") or "Fail"),
        service=None if service is None else f"{service.get('namespace')}/{service.get('name')}",
        namespaces=selector(told_of.get("namespaceSelector")),
        operations=tuple(sorted({word for rule in rules for word in words(rule.get("operations"))})),
        resources=tuple(sorted({word for rule in rules for word in words(rule.get("resources"))})),
        timeout_seconds=int(told_of.get("timeoutSeconds") or 10),
    )


validating_webhooks = _webhooks(
    "kubernetes.validating_webhook_configuration",
    "Validating webhook configuration",
    f"{_GROUP}:validatingwebhookconfigurations",
    "ValidatingWebhookConfiguration",
)
mutating_webhooks = _webhooks(
    "kubernetes.mutating_webhook_configuration",
    "Mutating webhook configuration",
    f"{_GROUP}:mutatingwebhookconfigurations",
    "MutatingWebhookConfiguration",
)
policy = ResourceType(
    "kubernetes.validating_admission_policy",
    version=1,
    title="Validating admission policy",
    place="account",
    listing=listing(
        f"{_GROUP}:validatingadmissionpolicies",
        "ValidatingAdmissionPolicy",
        keep=("spec.failurePolicy",),
        namespaced=False,
        unsupported=True,
    ),
)
policy_binding = ResourceType(
    "kubernetes.validating_admission_policy_binding",
    version=1,
    title="Validating admission policy binding",
    place="account",
    listing=listing(
        f"{_GROUP}:validatingadmissionpolicybindings",
        "ValidatingAdmissionPolicyBinding",
        keep=("spec.policyName", "spec.validationActions"),
        namespaced=False,
        unsupported=True,
    ),
)


@policy.document
def describe_policy(seen: Readings) -> AdmissionPolicy:
    """The policy; unset means that it fails closed."""
    return AdmissionPolicy(name_of(seen), str(fields(seen, "spec").get("failurePolicy") or "Fail"))


@policy_binding.document
def describe_policy_binding(seen: Readings) -> AdmissionPolicyBinding:
    """The binding and what it does."""
    spec = fields(seen, "spec")
    return AdmissionPolicyBinding(
        name_of(seen), str(spec.get("policyName") or ""), words(spec.get("validationActions"))
    )
