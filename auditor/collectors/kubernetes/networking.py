"""Ingresses and network policies: what comes in under which certificate, and who may talk to whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from auditor.collectors.kubernetes._about import annotations_of, fields, labels_of, name_of, namespace_of, told, words
from auditor.collectors.kubernetes._listing import listing
from auditor.collectors.kubernetes._selectors import selector
from auditor.domain.cluster_network import NetworkPolicy, Rule, Selector
from auditor.domain.network import is_world
from auditor.domain.reading import Readings
from auditor.domain.resource_type import ResourceType

CERTIFICATES = ("alb.ingress.kubernetes.io/certificate-arn", "alb.ingress.kubernetes.io/listen-ports")
"""Annotations by which a controller takes its certificate from elsewhere."""


@dataclass(frozen=True, slots=True)
class Tls:
    """One certificate of an ingress and the hosts it is for; without a secret the controller's own is used."""

    hosts: tuple[str, ...]
    secret: str | None


@dataclass(frozen=True, slots=True)
class Ingress:
    """An ingress. An empty host in ``hosts`` is a rule for every host; ``snippets`` names annotations with raw configuration."""

    name: str
    namespace: str
    labels: Mapping[str, str]
    ingress_class: str | None
    hosts: tuple[str, ...]
    tls: tuple[Tls, ...]
    default_backend: bool
    snippets: tuple[str, ...]
    certificate_annotations: Mapping[str, str]


def add(item: Mapping[str, Any]) -> dict[str, Any]:
    """Names of snippet annotations (not what they say), and annotations that speak of certificates."""
    found = annotations_of(item)
    return {
        "snippets": sorted(name for name in found if name.endswith("-snippet")),
        "certificates": {name: found[name] for name in CERTIFICATES if name in found},
        "class_annotation": found.get("kubernetes.io/ingress.class"),
    }


ingress = ResourceType(
    "kubernetes.ingress",
    version=1,
    title="Ingress",
    place="account",
    listing=listing(
        "networking.k8s.io/v1:ingresses",
        "Ingress",
        keep=(
            "spec.ingressClassName",
            "spec.defaultBackend.service.name",
            "spec.rules[].host",
            "spec.tls[].hosts",
            "spec.tls[].secretName",
        ),
        add=add,
        added=("snippets", "certificates", "class_annotation"),
    ),
)
policy = ResourceType(
    "kubernetes.network_policy",
    version=1,
    title="Network policy",
    place="account",
    listing=listing("networking.k8s.io/v1:networkpolicies", "NetworkPolicy", keep=("spec",)),
)


@ingress.document
def describe_ingress(seen: Readings) -> Ingress:
    """The ingress with each host once, in order."""
    spec = fields(seen, "spec")
    return Ingress(
        name=name_of(seen),
        namespace=namespace_of(seen),
        labels=labels_of(seen),
        ingress_class=spec.get("ingressClassName") or told(seen, "class_annotation"),
        hosts=tuple(dict.fromkeys(str(rule.get("host") or "") for rule in spec.get("rules") or ())),
        tls=tuple(Tls(words(one.get("hosts")), one.get("secretName")) for one in spec.get("tls") or ()),
        default_backend=spec.get("defaultBackend") is not None,
        snippets=words(told(seen, "snippets")),
        certificate_annotations=fields(seen, "certificates"),
    )


@policy.document
def describe_policy(seen: Readings) -> NetworkPolicy:
    """The policy with its directions as the API implies them: ingress always, egress where there are egress rules."""
    spec = fields(seen, "spec")
    implied = ("Ingress", *(("Egress",) if spec.get("egress") else ()))
    return NetworkPolicy(
        name=name_of(seen),
        namespace=namespace_of(seen),
        selector=selector(spec.get("podSelector") or {}) or Selector({}, ()),
        types=words(spec.get("policyTypes")) or implied,
        ingress=tuple(_rule(one, "from") for one in spec.get("ingress") or ()),
        egress=tuple(_rule(one, "to") for one in spec.get("egress") or ()),
    )


def _rule(rule: Mapping[str, Any], side: str) -> Rule:
    peers = rule.get(side) or ()
    blocks = [peer["ipBlock"] for peer in peers if peer.get("ipBlock")]
    ranges = [str(block["cidr"]) for block in blocks if not block.get("except")]
    return Rule(
        tuple(_port(port) for port in rule.get("ports") or ()), len(peers), world=is_world(ranges, max_prefix=1)
    )


def _port(port: Mapping[str, Any]) -> str:
    last = port.get("endPort")
    return f"{port.get('protocol') or 'TCP'}/{port.get('port', '')}" + (f"-{last}" if last else "")
