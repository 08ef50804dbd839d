"""What refuses objects at the door: webhooks by how they fail, and whether anything enforces rules of ours at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from auditor.collectors.kubernetes._members import found_or, gaps, member_of
from auditor.collectors.kubernetes.admission import (
    AdmissionPolicyBinding,
    WebhookConfiguration,
    mutating_webhooks,
    policy_binding,
    validating_webhooks,
)
from auditor.domain.reading import Reading
from auditor.domain.resource_type import DerivedType, Joined, Member, Spread

ENGINES = {"kyverno": "Kyverno", "gatekeeper": "Gatekeeper", "kubewarden": "Kubewarden"}
"""Policy engines by a word in the names of their webhooks or of the services behind these."""
_WEBHOOKS = (validating_webhooks, mutating_webhooks)


@dataclass(frozen=True, slots=True)
class AdmissionWebhook:
    """A webhook configuration; ``failing_open`` are those of its webhooks that let everything in when they do not answer."""

    name: str
    mutating: bool
    webhooks: tuple[str, ...]
    failing_open: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Gatekeepers:
    """A cluster and what enforces rules there: engines by name, bindings of admission policies that deny."""

    name: str
    enforcing: Reading[tuple[str, ...]]


def configurations(joined: Joined) -> Iterator[Member]:
    """Every webhook configuration of both kinds."""
    return (one for kind in _WEBHOOKS for one in joined.of(kind).members)


admission_webhook = DerivedType(
    "kubernetes.admission_webhook",
    version=1,
    title="Admission webhook configuration",
    over=Spread(configurations, _WEBHOOKS),
    inputs=_WEBHOOKS,
)
gatekeepers = DerivedType(
    "kubernetes.gatekeepers",
    version=1,
    title="What enforces rules on new objects",
    over="account",
    inputs=(*_WEBHOOKS, policy_binding),
)


@admission_webhook.document
def describe_webhook(joined: Joined) -> AdmissionWebhook:
    """The configuration with its webhooks told apart."""
    own: WebhookConfiguration = member_of(joined).document
    return AdmissionWebhook(
        name=own.name,
        mutating=own.mutating,
        webhooks=tuple(one.name for one in own.webhooks),
        failing_open=tuple(one.name for one in own.webhooks if one.failure_policy == "Ignore"),
    )


@gatekeepers.document
def describe_gatekeepers(joined: Joined) -> Gatekeepers:
    """The cluster's gatekeepers; one that was found decides."""
    return Gatekeepers(joined.account, found_or(_enforcing(joined), gaps(joined, (*_WEBHOOKS, policy_binding))))


def _enforcing(joined: Joined) -> Iterator[str]:
    for member in configurations(joined):
        own: WebhookConfiguration = member.document
        told = " ".join((own.name, *(one.name for one in own.webhooks), *(one.service or "" for one in own.webhooks)))
        yield from (name for word, name in ENGINES.items() if own.webhooks and word in told.lower())
    for member in joined.of(policy_binding).members:
        bound: AdmissionPolicyBinding = member.document
        if "Deny" in bound.actions:
            yield f"ValidatingAdmissionPolicyBinding {bound.name}"
