"""Meadowbrook's networks: per region one clinical VPC with subnets, security groups, ACLs, flow logs and gateways."""

from __future__ import annotations

from typing import Any

from auditor.simulators.aws import AwsEmulator
from auditor.simulators.company_storage import bucket_name

CIDRS = {"us-east-1": "10.10", "us-west-2": "10.20", "eu-central-1": "10.30"}
WORLD = {"CidrIp": "0.0.0.0/0"}


def tagged(kind: str, name: str, **tags: str) -> list[dict[str, Any]]:
    """Tag specifications with a name for something new."""
    pairs = {"Name": name, "owner": "platform", **tags}
    return [{"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in pairs.items()]}]


def named(name: str) -> list[dict[str, Any]]:
    """The filter that finds a thing by its name tag."""
    return [{"Name": "tag:Name", "Values": [name]}]


def ports(low: int, high: int, *sources: dict[str, str], protocol: str = "tcp") -> dict[str, Any]:
    """A security group rule for a range of ports from some sources."""
    return {"IpProtocol": protocol, "FromPort": low, "ToPort": high, "IpRanges": list(sources)}


def group_id(emulator: AwsEmulator, region: str, name: str) -> str:
    """The id of the region's security group of this name."""
    found = emulator.client("ec2", region).describe_security_groups(Filters=[{"Name": "group-name", "Values": [name]}])
    return str(found["SecurityGroups"][0]["GroupId"])


def subnet_id(emulator: AwsEmulator, region: str, name: str) -> str:
    """The id of the region's subnet of this name."""
    return str(emulator.client("ec2", region).describe_subnets(Filters=named(name))["Subnets"][0]["SubnetId"])


def build_network(emulator: AwsEmulator, region: str) -> None:
    """The region's network; each region has another weakness."""
    ec2 = emulator.client("ec2", region)
    base = CIDRS[region]
    vpc = ec2.create_vpc(CidrBlock=f"{base}.0.0/16", TagSpecifications=tagged("vpc", "clinical"))["Vpc"]["VpcId"]
    _subnets(ec2, vpc, region, base)
    _groups(ec2, vpc, region, base)
    _acls(ec2, vpc, region)
    if region != "eu-central-1":
        ec2.create_flow_logs(
            ResourceIds=[vpc],
            ResourceType="VPC",
            TrafficType="ALL",
            LogDestinationType="s3",
            LogDestination=f"arn:aws:s3:::{bucket_name('access-logs')}",
        )
    if region == "us-east-1":
        ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=f"com.amazonaws.{region}.s3", VpcEndpointType="Gateway")
        ec2.create_transit_gateway(Description="hub", Options={"AutoAcceptSharedAttachments": "disable"})
        _vpn(ec2)
    if region == "us-west-2":
        ec2.create_transit_gateway(Description="west", Options={"AutoAcceptSharedAttachments": "enable"})


def _subnets(ec2: Any, vpc: str, region: str, base: str) -> None:
    for number, name in enumerate(("private-a", "private-b", "public-a", "public-b")):
        subnet = ec2.create_subnet(
            VpcId=vpc,
            CidrBlock=f"{base}.{number}.0/24",
            AvailabilityZone=f"{region}{name[-1]}",
            TagSpecifications=tagged("subnet", name, tier=name.split("-", maxsplit=1)[0]),
        )["Subnet"]["SubnetId"]
        if name.startswith("public") or (region, name) == ("us-west-2", "private-b"):
            ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})


def _groups(ec2: Any, vpc: str, region: str, base: str) -> None:
    inside = {"CidrIp": f"{base}.0.0/16"}
    office = {"CidrIp": "198.51.100.0/24"}
    groups = {
        "web": [ports(443, 443, WORLD)],
        "app": [ports(8443, 8443, inside)],
        "database": [ports(5432, 5432, inside)],
        "bastion": [ports(22, 22, office)],
    }
    if region == "us-east-1":
        groups["vendor-rdp"] = [ports(3389, 3389, {"CidrIp": "0.0.0.0/1"}, {"CidrIp": "128.0.0.0/1"})]
        groups["fax-bridge"] = [ports(20, 21, WORLD)]
        default = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["default"]}])
        for group in default["SecurityGroups"]:
            _close(ec2, group)
    if region == "us-west-2":
        groups["build-farm"] = [ports(22, 22, WORLD)]
        groups["reporting"] = [ports(5432, 5432, WORLD)]
    if region == "eu-central-1":
        groups["everything"] = [{"IpProtocol": "-1", "IpRanges": [WORLD]}]
    for name, rules in groups.items():
        made = ec2.create_security_group(
            GroupName=name,
            Description=f"Meadowbrook {name}",
            VpcId=vpc,
            TagSpecifications=tagged("security-group", name),
        )
        ec2.authorize_security_group_ingress(GroupId=made["GroupId"], IpPermissions=rules)


def _close(ec2: Any, group: dict[str, Any]) -> None:
    if group["IpPermissions"]:
        ec2.revoke_security_group_ingress(GroupId=group["GroupId"], IpPermissions=group["IpPermissions"])
    if group["IpPermissionsEgress"]:
        ec2.revoke_security_group_egress(GroupId=group["GroupId"], IpPermissions=group["IpPermissionsEgress"])


def _acls(ec2: Any, vpc: str, region: str) -> None:
    acl = ec2.create_network_acl(VpcId=vpc, TagSpecifications=tagged("network-acl", "clinical"))
    number = acl["NetworkAcl"]["NetworkAclId"]

    def entry(rule: int, action: str, low: int, high: int) -> None:
        ec2.create_network_acl_entry(
            NetworkAclId=number,
            RuleNumber=rule,
            Protocol="6",
            RuleAction=action,
            Egress=False,
            CidrBlock="0.0.0.0/0",
            PortRange={"From": low, "To": high},
        )

    if region != "us-west-2":
        entry(10, "deny", 22, 22)
        entry(20, "deny", 3389, 3389)
    entry(100, "allow", 1, 65535)


def _vpn(ec2: Any) -> None:
    clinic = ec2.create_customer_gateway(Type="ipsec.1", PublicIp="198.51.100.7", BgpAsn=65010)["CustomerGateway"]
    gateway = ec2.create_vpn_gateway(Type="ipsec.1")["VpnGateway"]
    ec2.create_vpn_connection(
        Type="ipsec.1", CustomerGatewayId=clinic["CustomerGatewayId"], VpnGatewayId=gateway["VpnGatewayId"]
    )
