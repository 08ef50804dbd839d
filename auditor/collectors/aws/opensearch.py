"""OpenSearch and Elasticsearch domains: how they are encrypted at rest and on the way, and who can reach them."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.collectors.aws._answers import inside
from auditor.collectors.aws._listed import listed
from auditor.domain.policy import open_to_strangers, statements_of
from auditor.domain.reading import Reading, Readings
from auditor.domain.resource_type import Listing, Read, ResourceType


@dataclass(frozen=True, slots=True)
class Domain:
    """A search domain; ``open_statements`` let anybody in from anywhere, a domain without a policy has none of them."""

    name: str
    encrypted: Reading[bool]
    nodes_encrypted: Reading[bool]
    https_only: Reading[bool]
    tls_policy: Reading[str | None]
    in_network: Reading[bool]
    has_policy: Reading[bool]
    open_statements: Reading[tuple[str, ...]]


domain = ResourceType(
    "aws.opensearch.domain",
    version=1,
    title="OpenSearch domain",
    listing=Listing(
        "opensearch:list_domain_names",
        items="DomainNames",
        id="arn:{partition}:es:{region}:{account}:domain/{DomainName}",
        keep=("DomainName", "EngineType"),
    ),
    details={
        "status": Read(
            "opensearch:describe_domain",
            DomainName="{DomainName}",
            keep=(
                "DomainStatus.EncryptionAtRestOptions.Enabled",
                "DomainStatus.NodeToNodeEncryptionOptions.Enabled",
                "DomainStatus.DomainEndpointOptions.EnforceHTTPS",
                "DomainStatus.DomainEndpointOptions.TLSSecurityPolicy",
                "DomainStatus.VPCOptions.VPCId",
                "DomainStatus.AccessPolicies",
            ),
        ),
    },
)


@domain.document
def describe_domain(seen: Readings) -> Domain:
    """The domain with its access policy read, so that a check sees only the statements that stand open."""
    status = seen["status"].map(lambda answer: inside(answer, "DomainStatus"))
    policy = status.map(lambda known: inside(known, "AccessPolicies"))
    return Domain(
        name=listed(seen["DomainName"]),
        encrypted=status.map(lambda known: bool(inside(known, "EncryptionAtRestOptions", "Enabled"))),
        nodes_encrypted=status.map(lambda known: bool(inside(known, "NodeToNodeEncryptionOptions", "Enabled"))),
        https_only=status.map(lambda known: bool(inside(known, "DomainEndpointOptions", "EnforceHTTPS"))),
        tls_policy=status.map(lambda known: inside(known, "DomainEndpointOptions", "TLSSecurityPolicy")),
        in_network=status.map(lambda known: bool(inside(known, "VPCOptions", "VPCId"))),
        has_policy=statements_of(policy).map(bool),
        open_statements=statements_of(policy).map(open_to_strangers),
    )
