"""Meadowbrook's machines: instances, volumes, snapshots, images, launch templates and the region's own settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from auditor.simulators.aws import AwsEmulator
from auditor.simulators.company_network import group_id, subnet_id, tagged

IMAGE = "ami-0a1b2c3d4e5f60718"
_LEAKY = "#!/bin/sh\nexport DB_PASSWORD=correct-horse\nexec /opt/portal/run\n"


@dataclass(frozen=True)
class Machine:
    """An instance and how well it is kept."""

    name: str
    group: str = "app"
    subnet: str = "private-a"
    public: bool = False
    imdsv2: bool = True
    managed: bool = True
    user_data: str = "#!/bin/sh\nexec /opt/app/run\n"


MACHINES = {
    "us-east-1": (
        Machine("scheduling-1"),
        Machine("scheduling-2", subnet="private-b"),
        Machine("portal-1", group="web", subnet="public-a", public=True),
        Machine("portal-2", group="web", subnet="public-b", public=True, user_data=_LEAKY),
        Machine("bastion", group="bastion", subnet="public-a", public=True),
        Machine("fax-gateway", group="fax-bridge", imdsv2=False, managed=False),
        Machine("etl-worker"),
    ),
    "us-west-2": (
        Machine("build-1", group="build-farm", subnet="public-a", public=True, imdsv2=False),
        Machine("build-2", group="build-farm"),
        Machine("reporting-1", group="reporting", managed=False),
        Machine("standby-scheduling"),
    ),
    "eu-central-1": (
        Machine("telehealth-1", group="web", subnet="public-a", public=True),
        Machine("telehealth-2"),
        Machine("trial-import", group="everything", imdsv2=False, managed=False),
    ),
}


def launch(emulator: AwsEmulator, region: str, machine: Machine) -> str:
    """Start an instance, enrol it in Systems Manager if it is managed, and answer its id."""
    ec2 = emulator.client("ec2", region)
    interface = {
        "DeviceIndex": 0,
        "SubnetId": subnet_id(emulator, region, machine.subnet),
        "AssociatePublicIpAddress": machine.public,
        "Groups": [group_id(emulator, region, machine.group)],
    }
    made = ec2.run_instances(
        ImageId=IMAGE,
        InstanceType="t3.small",
        MinCount=1,
        MaxCount=1,
        NetworkInterfaces=[interface],
        UserData=machine.user_data,
        MetadataOptions={"HttpTokens": "required" if machine.imdsv2 else "optional", "HttpEndpoint": "enabled"},
        TagSpecifications=tagged("instance", machine.name),
    )
    number = str(made["Instances"][0]["InstanceId"])
    if machine.managed:
        emulator.supplement({"managed_instances": {region: {number: "Online"}}})
    return number


def build_compute(emulator: AwsEmulator, region: str, key: str) -> None:
    """The region's machines, disks and templates."""
    ec2 = emulator.client("ec2", region)
    if region != "us-west-2":
        ec2.enable_ebs_encryption_by_default()
    if region == "us-east-1":
        ec2.enable_snapshot_block_public_access(State="block-new-sharing")
    machines = {machine.name: launch(emulator, region, machine) for machine in MACHINES[region]}
    _disks(ec2, region, key)
    _templates(ec2, region)
    first = next(iter(machines))
    ec2.create_image(InstanceId=machines[first], Name=f"golden-{region}", Description="hardened base image")
    if region == "us-west-2":
        shared = ec2.create_image(InstanceId=machines["build-1"], Name="build-agent", Description="shared by mistake")
        permission = {"Add": [{"Group": "all"}]}
        ec2.modify_image_attribute(ImageId=shared["ImageId"], LaunchPermission=permission)


def _disks(ec2: Any, region: str, key: str) -> None:
    zone = f"{region}a"
    for name, encrypted in (("records-cache", True), ("imaging-scratch", True), ("old-share", region == "us-east-1")):
        options: dict[str, Any] = {"Encrypted": True, "KmsKeyId": key} if encrypted else {"Encrypted": False}
        volume = ec2.create_volume(AvailabilityZone=zone, Size=50, TagSpecifications=tagged("volume", name), **options)
        snapshot = ec2.create_snapshot(VolumeId=volume["VolumeId"], Description=f"nightly {name}")["SnapshotId"]
        if (region, name) == ("us-west-2", "old-share"):
            ec2.modify_snapshot_attribute(
                SnapshotId=snapshot, Attribute="createVolumePermission", OperationType="add", GroupNames=["all"]
            )


def _templates(ec2: Any, region: str) -> None:
    for name, tokens in (("app", "required"), ("legacy", "optional" if region == "us-west-2" else "required")):
        data = {"ImageId": IMAGE, "InstanceType": "t3.small", "MetadataOptions": {"HttpTokens": tokens}}
        ec2.create_launch_template(LaunchTemplateName=f"{name}-{region}", LaunchTemplateData=data)
