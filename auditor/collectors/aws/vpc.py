"""VPCs and subnets: what is written down about their traffic, and by which way it leaves them."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.collectors.aws._ec2 import Item, arn, holds, tags_of, titled, vpc_uses
from auditor.domain.reading import Reading, Readings, Unseen
from auditor.domain.resource_type import DerivedType, Joined, Listing, Read, ResourceType

FLOW_LOG = ("FlowLogId", "FlowLogStatus", "DeliverLogsStatus", "TrafficType", "LogDestinationType")


@dataclass(frozen=True, slots=True)
class Vpc:
    """A VPC: ours or shared with us, used or empty, with its own flow logs and its way to S3."""

    name: Reading[str]
    vpc_id: Reading[str]
    own: Reading[bool]
    is_default: Reading[bool]
    has_interfaces: Reading[bool]
    recorded: Reading[bool]
    s3_gateway: Reading[bool]


@dataclass(frozen=True, slots=True)
class Subnet:
    """A subnet: whether what starts in it gets a public address, and whether its own traffic is recorded."""

    name: Reading[str]
    vpc_id: Reading[str]
    gives_public_ip: Reading[bool]
    tags: Reading[tuple[str, ...]]
    recorded: Reading[bool]


@dataclass(frozen=True, slots=True)
class RecordedSubnet:
    """A subnet of a VPC and whether a flow log of its own records it."""

    name: Reading[str]
    recorded: Reading[bool]


@dataclass(frozen=True, slots=True)
class TrafficLog:
    """What a VPC records of its traffic, by a flow log of its own or one for each of its subnets."""

    name: Reading[str]
    own: Reading[bool]
    is_default: Reading[bool]
    has_interfaces: Reading[bool]
    recorded: Reading[bool]
    subnets: tuple[RecordedSubnet | Unseen, ...]


vpc = ResourceType(
    "aws.vpc.vpc",
    version=1,
    title="VPC",
    listing=Listing(
        "ec2:describe_vpcs",
        items="Vpcs",
        id=arn("vpc", "VpcId"),
        keep=("VpcId", "IsDefault", "OwnerId", "Tags[].Key", "Tags[].Value"),
    ),
    details={
        # The same answer, asked for one more fact: VPCs that others share with us are listed too.
        "own": Read(
            "ec2:describe_vpcs",
            items="Vpcs",
            match={"VpcId": "{VpcId}", "OwnerId": "{account}"},
            keep=("OwnerId",),
        ),
        "interfaces": Read(
            "ec2:describe_network_interfaces",
            items=vpc_uses,
            match={"VpcId": "{VpcId}"},
            keep=("InterfaceType",),
        ),
        "flow_logs": Read("ec2:describe_flow_logs", items="FlowLogs", match={"ResourceId": "{VpcId}"}, keep=FLOW_LOG),
        "endpoints": Read(
            "ec2:describe_vpc_endpoints",
            items="VpcEndpoints",
            match={"VpcId": "{VpcId}"},
            keep=("VpcEndpointId", "VpcEndpointType", "ServiceName", "State"),
        ),
    },
)

subnet = ResourceType(
    "aws.vpc.subnet",
    version=1,
    title="Subnet",
    listing=Listing(
        "ec2:describe_subnets",
        items="Subnets",
        id=arn("subnet", "SubnetId"),
        keep=("SubnetId", "VpcId", "MapPublicIpOnLaunch", "Tags[].Key", "Tags[].Value"),
    ),
    details={
        "flow_logs": Read(
            "ec2:describe_flow_logs", items="FlowLogs", match={"ResourceId": "{SubnetId}"}, keep=FLOW_LOG
        ),
    },
)

traffic_log = DerivedType(
    "aws.vpc.traffic_log",
    version=1,
    title="What a VPC records of its traffic",
    over=vpc,
    inputs=(vpc, subnet),
)


def records(flow_log: Item) -> bool:
    """Whether a flow log runs, arrives, and holds at least what was refused."""
    return (
        flow_log.get("FlowLogStatus") == "ACTIVE"
        and flow_log.get("DeliverLogsStatus") != "FAILED"
        and flow_log.get("TrafficType") in {"ALL", "REJECT"}
    )


def leads_to_s3(endpoint: Item) -> bool:
    """Whether an endpoint carries the VPC's traffic to S3: a gateway, since only that one takes all of it."""
    return (
        endpoint.get("VpcEndpointType") == "Gateway"
        and str(endpoint.get("State")).lower() == "available"
        and str(endpoint.get("ServiceName")).endswith(".s3")
    )


@vpc.document
def describe_vpc(seen: Readings) -> Vpc:
    """The VPC by itself; logs of its subnets are added in ``traffic_log``."""
    return Vpc(
        name=titled(seen["VpcId"], seen["Tags"]),
        vpc_id=seen["VpcId"],
        own=holds(seen["own"]),
        is_default=seen["IsDefault"].map(bool),
        has_interfaces=holds(seen["interfaces"]),
        recorded=holds(seen["flow_logs"], records),
        s3_gateway=holds(seen["endpoints"], leads_to_s3),
    )


@subnet.document
def describe_subnet(seen: Readings) -> Subnet:
    """The subnet with its tags as ``key=value``, so that a parameter can name one."""
    return Subnet(
        name=titled(seen["SubnetId"], seen["Tags"]),
        vpc_id=seen["VpcId"],
        gives_public_ip=seen["MapPublicIpOnLaunch"].map(bool),
        tags=seen["Tags"].map(lambda tags: tuple(f"{key}={value}" for key, value in sorted(tags_of(tags).items()))),
        recorded=holds(seen["flow_logs"], records),
    )


@traffic_log.document
def describe_traffic_log(joined: Joined) -> TrafficLog:
    """The VPC's record; subnets that could not be listed keep the answer open unless the VPC itself is recorded."""
    if joined.member is None:
        raise RuntimeError("a traffic log stands over a VPC")
    whole: Vpc = joined.member.document
    subnets = joined.of(subnet)
    mine = (member.document for member in subnets.members if member.document.vpc_id == whole.vpc_id)
    return TrafficLog(
        name=whole.name,
        own=whole.own,
        is_default=whole.is_default,
        has_interfaces=whole.has_interfaces,
        recorded=whole.recorded,
        subnets=(
            *(RecordedSubnet(each.name, each.recorded) for each in mine),
            *(() if subnets.unseen is None else (Unseen(subnets.unseen),)),
        ),
    )
