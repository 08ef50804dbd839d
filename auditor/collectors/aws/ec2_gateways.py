"""EC2 gateways to other networks: transit gateways that others may attach to, and site-to-site tunnels."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.collectors.aws._ec2 import arn, holds, titled
from auditor.domain.reading import Reading, Readings
from auditor.domain.resource_type import Listing, Read, ResourceType


@dataclass(frozen=True, slots=True)
class TransitGateway:
    """A transit gateway, whether it is ours, and whether it takes in whoever asks."""

    name: Reading[str]
    state: Reading[str]
    own: Reading[bool]
    auto_accept: Reading[str | None]


@dataclass(frozen=True, slots=True)
class Vpn:
    """A site-to-site connection and how many of its tunnels carry traffic."""

    name: Reading[str]
    state: Reading[str]
    tunnels: Reading[int]
    tunnels_up: Reading[int]


transit_gateway = ResourceType(
    "aws.ec2.transit_gateway",
    version=1,
    title="Transit gateway",
    listing=Listing(
        "ec2:describe_transit_gateways",
        items="TransitGateways",
        id="TransitGatewayArn",
        keep=(
            "TransitGatewayId",
            "State",
            "OwnerId",
            "Options.AutoAcceptSharedAttachments",
            "Tags[].Key",
            "Tags[].Value",
        ),
    ),
    details={
        # The same answer, asked for one more fact: gateways that others share with us are listed too.
        "own": Read(
            "ec2:describe_transit_gateways",
            items="TransitGateways",
            match={"TransitGatewayId": "{TransitGatewayId}", "OwnerId": "{account}"},
            keep=("OwnerId",),
        ),
    },
)

vpn = ResourceType(
    "aws.ec2.vpn",
    version=1,
    title="Site-to-site VPN connection",
    listing=Listing(
        "ec2:describe_vpn_connections",
        items="VpnConnections",
        id=arn("vpn-connection", "VpnConnectionId"),
        # The answer also holds the tunnels' shared keys; only what is named here is ever kept.
        keep=("VpnConnectionId", "State", "VgwTelemetry[].Status", "Tags[].Key", "Tags[].Value"),
    ),
)


@transit_gateway.document
def describe_transit_gateway(seen: Readings) -> TransitGateway:
    """The gateway; only its owner can decide whom it takes in."""
    return TransitGateway(
        name=titled(seen["TransitGatewayId"], seen["Tags"]),
        state=seen["State"],
        own=holds(seen["own"]),
        auto_accept=seen["Options"].map(lambda options: (options or {}).get("AutoAcceptSharedAttachments")),
    )


@vpn.document
def describe_vpn(seen: Readings) -> Vpn:
    """The connection with its tunnels counted; AWS gives every connection two."""
    return Vpn(
        name=titled(seen["VpnConnectionId"], seen["Tags"]),
        state=seen["State"],
        tunnels=seen["VgwTelemetry"].map(lambda tunnels: len(tunnels or ())),
        tunnels_up=seen["VgwTelemetry"].map(
            lambda tunnels: sum(tunnel.get("Status") == "UP" for tunnel in tunnels or ())
        ),
    )
