"""A large account for benchmarks: many resources of the kinds that cost calls, made by many threads.

Names are numbered, so two builds hold the same things; every third resource or so is badly kept.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from auditor.simulators.aws import AwsEmulator

IMAGE = "ami-0a1b2c3d4e5f60718"
_TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
)
_READ = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
    }
)
_CHUNK = 50  # instances per call; keeps every answer small


@dataclass(frozen=True)
class Size:
    """How many of each kind; as it stands, some 1,660 resources."""

    buckets: int = 300
    users: int = 200
    roles: int = 100
    policies: int = 60
    keys: int = 60
    trails: int = 2
    instances: int = 200
    volumes: int = 150
    snapshots: int = 100
    security_groups: int = 300
    vpcs: int = 20
    databases: int = 100
    database_snapshots: int = 68


def large(emulator: AwsEmulator, *, region: str = "us-east-1", threads: int = 8, **numbers: int) -> int:
    """Fill the account in one region with the numbers of ``Size`` and answer how many resources were made.

    Raises:
        TypeError: A number for a kind that ``Size`` does not have.
    """
    size = Size(**numbers)
    emulator.supplement({"regions": [region]})
    maker = _Maker(emulator, region)
    with ThreadPoolExecutor(threads) as pool:
        for kind in ("bucket", "user", "role", "policy", "key", "vpc", "security_group", "database"):
            plural = {"policy": "policies"}.get(kind, f"{kind}s")
            _all(pool, getattr(maker, kind), range(getattr(size, plural)))
        _all(pool, maker.instances, [min(_CHUNK, size.instances - done) for done in range(0, size.instances, _CHUNK)])
        volumes = list(pool.map(maker.volume, range(size.volumes)))
        sources = [volumes[number % len(volumes)] for number in range(size.snapshots)] if volumes else []
        _all(pool, maker.snapshot, sources)
        pairs = [(number, number % size.databases) for number in range(size.database_snapshots)]
        _all(pool, maker.database_snapshot, pairs)
    for number in range(size.trails):
        maker.trail(number)
    return sum(asdict(size).values())


class _Maker:
    """Makes one numbered thing of each kind; every third or so badly kept."""

    def __init__(self, emulator: AwsEmulator, region: str) -> None:
        self._region = region
        # Made here, once: sessions are not for many threads.
        services = ("s3", "iam", "kms", "ec2", "rds", "cloudtrail")
        self._clients = {service: emulator.client(service, region) for service in services}

    def _client(self, service: str) -> Any:
        return self._clients[service]

    def bucket(self, number: int) -> None:
        s3, name = self._client("s3"), f"bench-bucket-{number:05d}"
        place = {"CreateBucketConfiguration": {"LocationConstraint": self._region}}
        s3.create_bucket(Bucket=name, **({} if self._region == "us-east-1" else place))
        if number % 3:
            s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
            rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
            s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]})

    def user(self, number: int) -> None:
        self._client("iam").create_user(UserName=f"bench-user-{number:05d}")
        if number % 2:
            self._client("iam").create_access_key(UserName=f"bench-user-{number:05d}")

    def role(self, number: int) -> None:
        self._client("iam").create_role(RoleName=f"bench-role-{number:05d}", AssumeRolePolicyDocument=_TRUST)

    def policy(self, number: int) -> None:
        self._client("iam").create_policy(PolicyName=f"bench-policy-{number:05d}", PolicyDocument=_READ)

    def key(self, number: int) -> None:
        made = self._client("kms").create_key(Description=f"bench {number}")["KeyMetadata"]["KeyId"]
        if number % 2:
            self._client("kms").enable_key_rotation(KeyId=made)

    def vpc(self, number: int) -> None:
        self._client("ec2").create_vpc(CidrBlock=f"10.{number % 250}.0.0/16")

    def security_group(self, number: int) -> None:
        ec2 = self._client("ec2")
        made = ec2.create_security_group(GroupName=f"bench-{number:05d}", Description="bench")["GroupId"]
        port = 443 if number % 3 else 22
        rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        ec2.authorize_security_group_ingress(GroupId=made, IpPermissions=[rule])

    def instances(self, count: int) -> None:
        self._client("ec2").run_instances(ImageId=IMAGE, InstanceType="t3.small", MinCount=count, MaxCount=count)

    def volume(self, number: int) -> str:
        zone = f"{self._region}a"
        made = self._client("ec2").create_volume(AvailabilityZone=zone, Size=10, Encrypted=bool(number % 3))
        return str(made["VolumeId"])

    def snapshot(self, volume: str) -> None:
        self._client("ec2").create_snapshot(VolumeId=volume)

    def database(self, number: int) -> None:
        self._client("rds").create_db_instance(
            DBInstanceIdentifier=f"bench-{number:05d}",
            DBInstanceClass="db.t3.medium",
            Engine="postgres",
            AllocatedStorage=20,
            MasterUsername="bench",
            MasterUserPassword="emulated-password",
            StorageEncrypted=bool(number % 3),
        )

    def database_snapshot(self, pair: tuple[int, int]) -> None:
        self._client("rds").create_db_snapshot(
            DBInstanceIdentifier=f"bench-{pair[1]:05d}", DBSnapshotIdentifier=f"bench-snapshot-{pair[0]:05d}"
        )

    def trail(self, number: int) -> None:
        trails, name = self._client("cloudtrail"), f"bench-trail-{number}"
        trails.create_trail(Name=name, S3BucketName="bench-bucket-00000", IsMultiRegionTrail=number == 0)
        trails.start_logging(Name=name)


def _all(pool: ThreadPoolExecutor, make: Callable[[Any], object], things: Iterable[Any]) -> None:
    """Make them all and let the first failure show."""
    for _ in pool.map(make, things):
        pass
