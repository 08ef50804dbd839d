"""What strangers reach in an emulated account: groups with and without an interface, and copies of databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from auditor.simulators.aws import ACCOUNT, AwsEmulator
from tests.integration.collectors.looking import look

REGION, FOREIGN = "us-east-1", "999988887777"
WORLD = [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]


@pytest.fixture
def account() -> Iterator[AwsEmulator]:
    with AwsEmulator() as emulator:
        yield emulator


def test_an_open_group_is_told_once_by_the_check_for_its_use(account: AwsEmulator) -> None:
    ec2 = account.client("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]
    made = {}
    for name in ("used", "idle"):
        made[name] = ec2.create_security_group(GroupName=name, Description=name, VpcId=subnet["VpcId"])["GroupId"]
        ec2.authorize_security_group_ingress(GroupId=made[name], IpPermissions=WORLD)
    ec2.create_network_interface(SubnetId=subnet["SubnetId"], Groups=[made["used"]])
    used, idle = "ec2.security_group.no_open_admin_ports", "ec2.idle_security_group.no_open_admin_ports"
    seen = look(account, [used, idle])
    arns = {name: f"arn:aws:ec2:{REGION}:{ACCOUNT}:security-group/{id_}" for name, id_ in made.items()}
    assert (seen[used][arns["used"]], seen[idle][arns["used"]]) == ("fail", "not_applicable")
    assert (seen[used][arns["idle"]], seen[idle][arns["idle"]]) == ("not_applicable", "fail")
    account.deny("ec2:DescribeNetworkInterfaces")
    blind = look(account, [used, idle])
    assert (blind[used][arns["idle"]], blind[idle][arns["idle"]]) == ("fail", "not_applicable"), "it may be in use"


def test_a_database_copy_that_a_stranger_may_restore_fails(account: AwsEmulator) -> None:
    rds = account.client("rds")
    rds.create_db_instance(DBInstanceIdentifier="charts", DBInstanceClass="db.t3.micro", Engine="postgres")
    for name in ("shared", "kept"):
        rds.create_db_snapshot(DBInstanceIdentifier="charts", DBSnapshotIdentifier=name)
    rds.modify_db_snapshot_attribute(
        DBSnapshotIdentifier="shared", AttributeName="restore", ValuesToAdd=[FOREIGN, "all"]
    )
    check = "rds.snapshot.not_shared_outside"
    arn = f"arn:aws:rds:{REGION}:{ACCOUNT}:snapshot:"
    seen = look(account, [check])[check]
    assert (seen.pop(f"{arn}shared"), seen.pop(f"{arn}kept")) == ("fail", "pass")
    assert set(seen.values()) == {"not_applicable"}, "automated copies cannot be shared"
