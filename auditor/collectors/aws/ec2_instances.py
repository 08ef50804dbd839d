"""EC2 instances and launch templates: who may ask for their credentials, reach them, manage them, and read their start script."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from auditor.collectors.aws._ec2 import arn, first, titled
from auditor.domain.reading import UNSEEN_KEY, Reading, Readings, Seen, Unseen, both
from auditor.domain.resource_type import Listing, Read, ResourceType
from auditor.domain.secrets import PATTERNS_VERSION, scan

GONE = frozenset({"terminated", "shutting-down"})
LARGEST_SCRIPT = 4 * 2**20
"""Bytes of unpacked user data that are scanned; AWS takes 16 KiB, and a packed script of that size unpacks to far less."""


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance as outsiders meet it; ``secrets`` says pattern and line, never a value."""

    name: Reading[str]
    state: Reading[str]
    http_tokens: Reading[str | None]
    metadata_endpoint: Reading[str | None]
    public_addresses: Reading[tuple[str, ...]]
    ping_status: Reading[str | None]
    last_ping_at: Reading[datetime | None]
    secrets: Reading[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class LaunchTemplate:
    """A launch template's default version, and whether what starts from it has to show metadata tokens."""

    name: Reading[str]
    version: Reading[int | None]
    http_tokens: Reading[str | None]
    region_http_tokens: Reading[str | None]
    demands_tokens: Reading[bool]


def _lives(seen: Readings) -> bool:
    return _state(seen).map(lambda state: state not in GONE) == Seen(value=True)


def _state(seen: Readings) -> Reading[str]:
    return seen["State"].map(lambda state: str((state or {}).get("Name", "")))


def scan_user_data(answer: Mapping[str, Any]) -> dict[str, Any]:
    """What the start script shows of secrets: pattern names and lines only; the script itself is let go.

    A script that cannot be unpacked is unseen: calling it clean would be a guess.
    """
    encoded = (answer.get("UserData") or {}).get("Value") or ""
    try:
        script = _unpacked(base64.b64decode(encoded))
    except (binascii.Error, ValueError, zlib.error) as error:
        return {UNSEEN_KEY: f"UserDataUnreadable ec2:DescribeInstanceAttribute ({type(error).__name__})"}
    hits = [{"pattern": hit.pattern, "place": hit.place} for hit in scan(script.decode("utf-8", "replace"))]
    return {"patterns_version": PATTERNS_VERSION, "hits": hits}


def _unpacked(script: bytes) -> bytes:
    if not script.startswith(b"\x1f\x8b"):
        return script
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    text = unpacker.decompress(script, LARGEST_SCRIPT)
    if not unpacker.eof:
        raise ValueError("the packed script is cut off, or larger than anybody would write")
    return text


instance = ResourceType(
    "aws.ec2.instance",
    version=2,
    title="EC2 instance",
    listing=Listing(
        "ec2:describe_instances",
        items="Reservations[].Instances[]",
        id=arn("instance", "InstanceId"),
        keep=(
            "InstanceId",
            "State.Name",
            "Tags[].Key",
            "Tags[].Value",
            "MetadataOptions.HttpTokens",
            "MetadataOptions.HttpEndpoint",
            "PublicIpAddress",
            "NetworkInterfaces[].Association.PublicIp",
        ),
    ),
    details={
        "managed": Read(
            "ssm:describe_instance_information",
            items="InstanceInformationList",
            match={"InstanceId": "{InstanceId}"},
            keep=("PingStatus", "LastPingDateTime"),
        ),
        "user_data": Read(
            "ec2:describe_instance_attribute",
            InstanceId="{InstanceId}",
            Attribute="userData",
            when=_lives,
            project=scan_user_data,
        ),
    },
    volatile=("managed[].LastPingDateTime",),
)

launch_template = ResourceType(
    "aws.ec2.launch_template",
    version=1,
    title="EC2 launch template",
    listing=Listing(
        "ec2:describe_launch_templates",
        items="LaunchTemplates",
        id=arn("launch-template", "LaunchTemplateId"),
        keep=("LaunchTemplateId", "LaunchTemplateName", "DefaultVersionNumber"),
    ),
    details={
        "default_version": Read(
            "ec2:describe_launch_template_versions",
            LaunchTemplateId="{LaunchTemplateId}",
            Versions=["$Default"],
            items="LaunchTemplateVersions",
            keep=(
                "VersionNumber",
                "LaunchTemplateData.MetadataOptions.HttpTokens",
                "LaunchTemplateData.MetadataOptions.HttpEndpoint",
            ),
        ),
        "region_default": Read("ec2:get_instance_metadata_defaults", keep=("AccountLevel.HttpTokens",)),
    },
)


@instance.document
def describe_instance(seen: Readings) -> Instance:
    """The instance; an address on any of its interfaces is an address of the instance."""
    options = seen["MetadataOptions"].map(lambda options: options or {})
    managed = first(seen["managed"])
    return Instance(
        name=titled(seen["InstanceId"], seen["Tags"]),
        state=_state(seen),
        http_tokens=options.map(lambda known: known.get("HttpTokens")),
        metadata_endpoint=options.map(lambda known: known.get("HttpEndpoint")),
        public_addresses=_public_addresses(seen["PublicIpAddress"], seen["NetworkInterfaces"]),
        ping_status=managed.map(lambda known: known.get("PingStatus")),
        last_ping_at=managed.map(lambda known: known.get("LastPingDateTime")),
        secrets=seen["user_data"].map(
            lambda found: tuple(f"{hit['pattern']} in {hit['place']}" for hit in (found or {}).get("hits", ()))
        ),
    )


@launch_template.document
def describe_launch_template(seen: Readings) -> LaunchTemplate:
    """The template's default version; later versions start nothing until somebody makes them the default."""
    version = first(seen["default_version"])
    options = version.map(lambda known: (known.get("LaunchTemplateData") or {}).get("MetadataOptions") or {})
    region = seen["region_default"].map(lambda answer: ((answer or {}).get("AccountLevel") or {}).get("HttpTokens"))
    return LaunchTemplate(
        name=seen["LaunchTemplateName"],
        version=version.map(lambda known: known.get("VersionNumber")),
        http_tokens=options.map(lambda known: known.get("HttpTokens")),
        region_http_tokens=region,
        demands_tokens=_demands_tokens(options, region),
    )


def _public_addresses(own: Reading[str | None], interfaces: Reading[Any]) -> Reading[tuple[str, ...]]:
    return both(own, interfaces).map(
        lambda seen: tuple(
            sorted({str(address) for address in (seen[0], *map(_associated, seen[1] or ())) if address is not None})
        )
    )


def _associated(interface: Mapping[str, Any]) -> Any:
    return (interface.get("Association") or {}).get("PublicIp")


def _demands_tokens(options: Reading[Mapping[str, Any]], region: Reading[str | None]) -> Reading[bool]:
    """The template decides; only where it says nothing may the region's default, if it was seen, speak for it."""
    if isinstance(options, Unseen):
        return options
    if options.value.get("HttpEndpoint") == "disabled":
        return Seen(value=True)
    if options.value.get("HttpTokens") is not None:
        return Seen(options.value["HttpTokens"] == "required")
    # The claim is about the template, which was read and demands nothing. A default we may not read excuses nobody.
    return Seen(isinstance(region, Seen) and region.value == "required")
