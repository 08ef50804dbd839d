"""Secrets that ingresses and gateways take certificates from, and until when these are good, told without opening one.

What cert-manager keeps says its last day itself. Every other certificate lies in a Secret, which is not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from auditor.collectors.kubernetes._members import gap, member_of
from auditor.collectors.kubernetes.certmanager import Certificate, certificate
from auditor.collectors.kubernetes.gateway import gateway
from auditor.collectors.kubernetes.networking import ingress
from auditor.domain.reading import Reading, Seen, Unseen
from auditor.domain.resource_type import DerivedType, Joined, Member, Population, Spread
from auditor.domain.source import GLOBAL

NOT_READ = "the certificate lies in a Secret, which is not read: cert-manager tells nothing of it and nobody opted in"
NOT_ISSUED = "cert-manager has issued no certificate yet"


@dataclass(frozen=True, slots=True)
class SecretCertificate:
    """A Secret with a certificate that the cluster serves or cert-manager keeps, and the certificate's last day."""

    name: str
    namespace: str
    not_after: Reading[datetime]


def secrets(joined: Joined) -> Iterator[Member]:
    """Every Secret that an entry or a certificate names, by id."""
    named = {(one.document.namespace, one.document.secret) for one in joined.of(certificate).members}
    for one in joined.of(ingress).members:
        named |= {(one.document.namespace, tls.secret) for tls in one.document.tls if tls.secret}
    for one in joined.of(gateway).members:
        for listener in one.document.listeners:
            for name in listener.certificates:
                above, _, own = name.rpartition("/")
                named.add((above or one.document.namespace, own))
    for namespace, name in sorted(named):
        if name:
            yield Member(f"{namespace}/Secret/{name}", GLOBAL, (namespace, name))


secret_certificate = DerivedType(
    "kubernetes.secret_certificate",
    version=1,
    title="Certificate in a Secret",
    over=Spread(secrets, (ingress, gateway, certificate)),
    inputs=(ingress, gateway, certificate),
)


@secret_certificate.document
def describe(joined: Joined) -> SecretCertificate:
    """The Secret with its certificate's last day, if anybody but the Secret tells it."""
    namespace, name = member_of(joined).document
    return SecretCertificate(name, namespace, _not_after(joined.of(certificate), namespace, name))


def _not_after(population: Population, namespace: str, name: str) -> Reading[datetime]:
    kept: list[Certificate] = [
        one.document for one in population.members if (one.document.namespace, one.document.secret) == (namespace, name)
    ]
    ends = [one.not_after for one in kept if one.not_after is not None]
    if ends:
        return Seen(min(ends))
    return Unseen(NOT_ISSUED if kept else gap(certificate, population) or NOT_READ)
