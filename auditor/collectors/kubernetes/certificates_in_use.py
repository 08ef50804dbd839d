"""Secrets that ingresses and gateways take certificates from, and until when these are good, told without opening one that nobody named.

What cert-manager keeps says its last day itself. Every other certificate lies in a Secret, which is read only where somebody
named it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from auditor.collectors.kubernetes._members import gap, member_of
from auditor.collectors.kubernetes.certmanager import Certificate, certificate
from auditor.collectors.kubernetes.gateway import gateway
from auditor.collectors.kubernetes.networking import ingress
from auditor.collectors.kubernetes.tls_secrets import tls_secret
from auditor.domain.reading import Reading, Seen, Unseen
from auditor.domain.resource_type import DerivedType, Joined, Member, Population, Spread
from auditor.domain.source import GLOBAL

NOT_READ = (
    "the certificate lies in a Secret that is not read: cert-manager tells nothing of it, and nobody opted in with "
    "auditor source certificates"
)
NOT_ISSUED = "cert-manager has issued no certificate yet"


@dataclass(frozen=True, slots=True)
class SecretCertificate:
    """A Secret with a certificate that the cluster serves or cert-manager keeps, and the certificate's last day."""

    name: str
    namespace: str
    not_after: Reading[datetime]


def secrets(joined: Joined) -> Iterator[Member]:
    """Every Secret that an entry, a certificate or an opt-in names, by id."""
    named = {(one.document.namespace, one.document.name) for one in joined.of(tls_secret).members}
    named |= {(one.document.namespace, one.document.secret) for one in joined.of(certificate).members}
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
    version=2,
    title="Certificate in a Secret",
    over=Spread(secrets, (ingress, gateway, certificate)),
    inputs=(ingress, gateway, certificate, tls_secret),
)


@secret_certificate.document
def describe(joined: Joined) -> SecretCertificate:
    """The Secret with its certificate's last day: its own word where it was read, else cert-manager's."""
    namespace, name = member_of(joined).document
    read = joined.of(tls_secret).find(f"{namespace}/Secret/{name}")
    told = _kept(joined.of(certificate), namespace, name)
    if isinstance(read, Member) and (isinstance(told, Unseen) or isinstance(read.document.not_after, Seen)):
        told = read.document.not_after
    return SecretCertificate(name, namespace, told)


def _kept(population: Population, namespace: str, name: str) -> Reading[datetime]:
    kept: list[Certificate] = [
        one.document for one in population.members if (one.document.namespace, one.document.secret) == (namespace, name)
    ]
    ends = [one.not_after for one in kept if one.not_after is not None]
    if ends:
        return Seen(min(ends))
    return Unseen(NOT_ISSUED if kept else gap(certificate, population) or NOT_READ)
