"""Web ACLs, those of a region and those for CloudFront, and whether they log what they see."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.domain.reading import Reading, Readings
from auditor.domain.resource_type import Listing, Read, ResourceType

KEPT = ("ARN", "Name")
LOGGING = Read(
    "wafv2:get_logging_configuration",
    ResourceArn="{ARN}",
    absent=("WAFNonexistentItemException",),
    keep=("LoggingConfiguration.LogDestinationConfigs",),
)


@dataclass(frozen=True, slots=True)
class WebAcl:
    """A web ACL and where its logs go."""

    name: Reading[str]
    log_targets: Reading[tuple[str, ...]]


web_acl = ResourceType(
    "aws.wafv2.web_acl",
    version=1,
    title="Web ACL of a region",
    listing=Listing("wafv2:list_web_acls", items="WebACLs", id="ARN", keep=KEPT, Scope="REGIONAL", Limit=100),
    details={"logging": LOGGING},
)

cloudfront_web_acl = ResourceType(
    "aws.wafv2.cloudfront_web_acl",
    version=1,
    title="Web ACL for CloudFront",
    place="account",
    listing=Listing("wafv2:list_web_acls", items="WebACLs", id="ARN", keep=KEPT, Scope="CLOUDFRONT", Limit=100),
    details={"logging": LOGGING},
)


@web_acl.document
def describe_web_acl(seen: Readings) -> WebAcl:
    """The web ACL with its log targets; no configuration is no target."""
    return _web_acl(seen)


@cloudfront_web_acl.document
def describe_cloudfront_web_acl(seen: Readings) -> WebAcl:
    """The same for the web ACLs that stand before distributions."""
    return _web_acl(seen)


def _web_acl(seen: Readings) -> WebAcl:
    logging = seen["logging"].map(lambda answer: (answer or {}).get("LoggingConfiguration") or {})
    return WebAcl(
        name=seen["Name"], log_targets=logging.map(lambda found: tuple(found.get("LogDestinationConfigs") or ()))
    )
