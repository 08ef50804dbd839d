"""CloudFront distributions: how viewers are let in, who guards the origins, and where requests are logged.

Logs have three ways: the distribution's own, real-time, and deliveries set up in CloudWatch Logs, which stand in the
home region whatever region reads them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from auditor.collectors.aws._ec2 import Item, holds, parts
from auditor.collectors.aws.s3 import either
from auditor.domain.reading import Reading, Readings, Seen, Unseen
from auditor.domain.resource_type import Listing, Read, ResourceType

_S3_HOST = re.compile(r"(^|\.)s3[.-](?!website)[a-z0-9.-]*amazonaws\.com(\.cn)?$")
_S3_WEBSITE = re.compile(r"(^|\.)s3-website[.-]")
_PROTOCOL = re.compile(r"(SSL|TLS)v(\d+)(?:\.(\d+))?(?:_(\d{4}))?")


@dataclass(frozen=True, slots=True)
class Distribution:
    """A distribution as its viewers and origins meet it.

    ``clear_paths`` are path patterns that answer over plain HTTP; ``open_s3_origins`` are origins in S3 that the
    distribution reaches without an identity of its own. ``tls_level`` is version and year: ``TLSv1.2_2021`` is ``1.2.2021``.
    """

    name: Reading[str]
    enabled: Reading[bool]
    clear_paths: Reading[tuple[str, ...]]
    tls_level: Reading[str]
    default_certificate: Reading[bool]
    logged: Reading[bool]
    behind_waf: Reading[bool]
    has_s3_origins: Reading[bool]
    open_s3_origins: Reading[tuple[str, ...]]


def delivery_sources(page: Item) -> Iterator[Item]:
    """Sources of log deliveries, one per resource that they take logs from."""
    for source in page.get("deliverySources", ()):
        for arn in source.get("resourceArns") or ():
            yield {"resourceArn": arn, "name": source.get("name")}


def has_delivery_source(seen: Readings) -> bool:
    """Whether any delivery could be this distribution's."""
    return bool(parts(seen["delivery_sources"])[0])


distribution = ResourceType(
    "aws.cloudfront.distribution",
    version=1,
    title="CloudFront distribution",
    place="account",
    listing=Listing(
        "cloudfront:list_distributions",
        items="DistributionList.Items",
        id="ARN",
        keep=(
            "ARN",
            "Id",
            "DomainName",
            "Aliases.Items",
            "Enabled",
            "Origins.Items[].Id",
            "Origins.Items[].DomainName",
            "Origins.Items[].OriginAccessControlId",
            "Origins.Items[].S3OriginConfig.OriginAccessIdentity",
            "DefaultCacheBehavior.ViewerProtocolPolicy",
            "CacheBehaviors.Items[].PathPattern",
            "CacheBehaviors.Items[].ViewerProtocolPolicy",
            "ViewerCertificate.CloudFrontDefaultCertificate",
            "ViewerCertificate.MinimumProtocolVersion",
            "WebACLId",
        ),
    ),
    details={
        # The listing leaves logging out.
        "config": Read(
            "cloudfront:get_distribution_config",
            Id="{Id}",
            keep=(
                "DistributionConfig.Logging.Enabled",
                "DistributionConfig.DefaultCacheBehavior.RealtimeLogConfigArn",
                "DistributionConfig.CacheBehaviors.Items[].PathPattern",
                "DistributionConfig.CacheBehaviors.Items[].RealtimeLogConfigArn",
            ),
        ),
        "delivery_sources": Read(
            "logs:describe_delivery_sources",
            items=delivery_sources,
            match={"resourceArn": "{ARN}"},
            keep=("resourceArn", "name"),
        ),
        # A delivery names its source only: those of other resources are kept by that name, and nothing else of them.
        "deliveries": Read(
            "logs:describe_deliveries", items="deliveries", when=has_delivery_source, keep=("deliverySourceName",)
        ),
    },
)


@distribution.document
def describe_distribution(seen: Readings) -> Distribution:
    """The distribution with its behaviours, certificate and origins weighed."""
    certificate = seen["ViewerCertificate"].map(lambda found: found or {})
    origins = seen["Origins"].map(lambda found: [each for each in _items(found) if _in_s3(each)])
    return Distribution(
        name=_named(seen),
        enabled=seen["Enabled"].map(bool),
        clear_paths=_clear_paths(seen),
        tls_level=_tls_level(certificate),
        default_certificate=certificate.map(lambda found: bool(found.get("CloudFrontDefaultCertificate"))),
        logged=_logged(seen),
        behind_waf=seen["WebACLId"].map(bool),
        has_s3_origins=origins.map(bool),
        open_s3_origins=origins.map(
            lambda found: tuple(str(each.get("DomainName")) for each in found if not _guarded(each))
        ),
    )


def _items(found: Item | None) -> list[Any]:
    return (found or {}).get("Items") or []


def _named(seen: Readings) -> Reading[str]:
    """The id, with the first name that people gave behind it."""
    aliases = seen["Aliases"]
    names = _items(aliases.value) if isinstance(aliases, Seen) else []
    return seen["Id"].map(lambda id_: f"{id_} ({names[0]})" if names else str(id_))


def _clear_paths(seen: Readings) -> Reading[tuple[str, ...]]:
    default = seen["DefaultCacheBehavior"]
    others = seen["CacheBehaviors"]
    if isinstance(default, Unseen):
        return default
    if isinstance(others, Unseen):
        return others
    behaviours = [{"PathPattern": "*", **(default.value or {})}, *_items(others.value)]
    return Seen(tuple(str(each.get("PathPattern")) for each in behaviours if _answers_plain(each)))


def _answers_plain(behaviour: Item) -> bool:
    return behaviour.get("ViewerProtocolPolicy") not in {"https-only", "redirect-to-https"}


def _tls_level(certificate: Reading[Item]) -> Reading[str]:
    """The oldest protocol that viewers may speak, as a version; the shared certificate allows TLS 1.0 whatever is set."""
    if isinstance(certificate, Unseen):
        return certificate
    if certificate.value.get("CloudFrontDefaultCertificate"):
        return Seen("1.0.0")
    told = str(certificate.value.get("MinimumProtocolVersion"))
    found = _PROTOCOL.fullmatch(told)
    if found is None:
        return Unseen(f"the minimum protocol {told} is not known")
    family, major, minor, year = found.groups()
    return Seen("0.3.0" if family == "SSL" else f"{major}.{minor or 0}.{year or 0}")


def _in_s3(origin: Item) -> bool:
    """Whether the origin is a bucket asked as a bucket; a bucket's website is public by its nature."""
    host = str(origin.get("DomainName", "")).lower()
    return not _S3_WEBSITE.search(host) and ("S3OriginConfig" in origin or bool(_S3_HOST.search(host)))


def _guarded(origin: Item) -> bool:
    identity = (origin.get("S3OriginConfig") or {}).get("OriginAccessIdentity")
    return bool(origin.get("OriginAccessControlId") or identity)


def _logged(seen: Readings) -> Reading[bool]:
    config = seen["config"].map(lambda answer: (answer or {}).get("DistributionConfig") or {})
    own = config.map(lambda found: bool((found.get("Logging") or {}).get("Enabled")))
    return either(own, config.map(_in_real_time), _delivered(seen))


def _in_real_time(config: Item) -> bool:
    """Whether every behaviour sends real-time logs; one without them would serve unrecorded."""
    behaviours = [config.get("DefaultCacheBehavior") or {}, *_items(config.get("CacheBehaviors"))]
    return all(each.get("RealtimeLogConfigArn") for each in behaviours)


def _delivered(seen: Readings) -> Reading[bool]:
    sources, hidden = parts(seen["delivery_sources"])
    names = {source.get("name") for source in sources}
    found = holds(seen["deliveries"], lambda delivery: delivery.get("deliverySourceName") in names)
    return either(found, hidden) if hidden else found
