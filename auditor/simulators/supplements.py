"""What moto cannot be told and our seven services ask for: kept here, answered here, set through the control endpoint.

Two kinds. Whole operations that moto lacks are answered from this state and never reach moto. Facts that moto keeps
but offers no call for (when a key was last used, where a cluster answers) are written into moto's own objects by ``State.settle``.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from moto.ec2.models import ec2_backends
from moto.eks.models import eks_backends
from moto.iam.models import AccessKeyLastUsed, iam_backends

from auditor.simulators.answers import ACCOUNT, Answer, plain_json, xml
from auditor.simulators.operations import Call

# Enabled without opting in since 2019; what a new account may use.
DEFAULT_REGIONS = (
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
)
_ROOT = {
    "user_creation_time": "2019-03-04T09:12:00+00:00",
    "password_enabled": "not_supported",
    "password_last_used": "no_information",
    "password_last_changed": "not_supported",
    "password_next_rotation": "not_supported",
    "mfa_active": "false",
    "access_key_1_active": "false",
    "access_key_2_active": "false",
    "cert_1_active": "false",
    "cert_2_active": "false",
}


@dataclass
class State:
    """The facts of the account that moto has no place for; ``settle`` is the only way in."""

    root: dict[str, str] = field(default_factory=dict)
    """Columns of the ``<root_account>`` row in the credential report."""
    account_summary: dict[str, int] = field(default_factory=dict)
    """Entries of ``GetAccountSummary`` that replace moto's."""
    regions: tuple[str, ...] = DEFAULT_REGIONS
    """The regions that ``DescribeRegions`` lists."""
    managed_instances: dict[str, dict[str, str]] = field(default_factory=dict)
    """Per region: instance id → PingStatus, for Systems Manager."""
    vpn_tunnels: dict[str, list[str]] = field(default_factory=dict)
    """VPN connection id → status of its tunnels; two that are up where nothing is said."""
    snapshot_sharing: dict[str, str] = field(default_factory=dict)
    """Per region: the EBS block on public snapshots."""
    metadata_defaults: dict[str, dict[str, str]] = field(default_factory=dict)
    """Per region: the account's defaults for instance metadata."""

    def settle(self, document: Mapping[str, Any]) -> None:
        """Take over facts as the control endpoint gets them; maps are merged, the region list is replaced.

        Raises:
            ValueError: A name that this state does not have.
            KeyError: A user, key or role that moto does not have.
        """
        for name, value in document.items():
            if name == "regions":
                self.regions = tuple(value)
            elif name == "managed_instances":
                for region, instances in value.items():
                    self.managed_instances.setdefault(region, {}).update(instances)
            elif name in {"root", "account_summary", "vpn_tunnels"}:
                getattr(self, name).update(value)
            elif name in _WRITTEN:
                for key, fact in value.items():
                    _WRITTEN[name](key, fact)
            else:
                raise ValueError(f"the emulator knows no supplement {name!r}")

    def root_row(self, header: str) -> str:
        """The ``<root_account>`` line of the credential report, for its header line."""
        facts = {**_ROOT, **self.root, "user": "<root_account>", "arn": f"arn:aws:iam::{ACCOUNT}:root"}
        return ",".join(facts.get(column, "N/A") for column in header.strip().split(","))

    def answer(self, call: Call) -> Answer | None:
        """The answer to an operation that moto lacks, or None when moto shall answer."""
        handler = _OPERATIONS.get((call.service, call.operation))
        return handler(self, call) if handler else None


def _naive(moment: str) -> datetime:
    return datetime.fromisoformat(moment).astimezone(UTC).replace(tzinfo=None)  # moto keeps naive UTC


def _password_last_used(user: str, moment: str) -> None:
    _iam().users[user].password_last_used = _naive(moment)


def _key_last_used(key: str, last: Mapping[str, str]) -> None:
    used = AccessKeyLastUsed(_naive(last["at"]), last.get("service", "s3"), last.get("region", "us-east-1"))
    keys = [one for user in _iam().users.values() for one in user.access_keys if one.access_key_id == key]
    if not keys:
        raise KeyError(key)
    keys[0].last_used = used


def _role_last_used(role: str, moment: str) -> None:
    _iam().get_role(role).last_used = _naive(moment)


def _cluster_address(cluster: str, told: Mapping[str, str]) -> None:
    region, _, name = cluster.partition("/")
    found = eks_backends[ACCOUNT][region].clusters[name]
    found.endpoint = told["endpoint"]
    found.certificate_authority = {"data": b64encode(told["authority"].encode()).decode()}


def _iam() -> Any:
    return iam_backends[ACCOUNT]["aws"]


_WRITTEN: Mapping[str, Callable[[str, Any], None]] = {
    "password_last_used": _password_last_used,
    "access_key_last_used": _key_last_used,
    "role_last_used": _role_last_used,
    "cluster_address": _cluster_address,
}


def _snapshot_block(state: State, call: Call) -> Answer:
    if call.operation.startswith("Enable"):
        state.snapshot_sharing[call.region] = call.params.get("State", "block-all-sharing")
    if call.operation.startswith("Disable"):
        state.snapshot_sharing[call.region] = "unblocked"
    now = state.snapshot_sharing.get(call.region, "unblocked")
    return xml(call, f"<state>{now}</state><managedBy>account</managedBy>")


def _metadata_defaults(state: State, call: Call) -> Answer:
    defaults = state.metadata_defaults.setdefault(call.region, {})
    if call.operation.startswith("Modify"):
        for name in ("HttpTokens", "HttpEndpoint", "HttpPutResponseHopLimit", "InstanceMetadataTags"):
            if name in call.params:
                defaults[name] = call.params[name]
        return xml(call, "<return>true</return>")
    inner = "".join(
        f"<{name[0].lower()}{name[1:]}>{value}</{name[0].lower()}{name[1:]}>" for name, value in defaults.items()
    )
    return xml(call, f"<accountLevel>{inner}</accountLevel>")


def _instance_information(state: State, call: Call) -> Answer:
    """Managed instances that still exist; a terminated one leaves Systems Manager by itself."""
    living = {
        instance.id
        for reservation in ec2_backends[ACCOUNT][call.region].reservations.values()
        for instance in reservation.instances
        if instance.state not in {"terminated", "shutting-down"}
    }
    now = datetime.now(UTC).timestamp()
    managed = state.managed_instances.get(call.region, {})
    rows = [
        {
            "InstanceId": instance,
            "PingStatus": status,
            "LastPingDateTime": now,
            "AgentVersion": "3.3.2299.0",
            "PlatformType": "Linux",
            "ResourceType": "EC2Instance",
        }
        for instance, status in sorted(managed.items())
        if instance in living
    ]
    start, size = _page(call)
    document: dict[str, Any] = {"InstanceInformationList": rows[start : start + size]}
    if start + size < len(rows):
        document["NextToken"] = str(start + size)
    return plain_json(document)


def _page(call: Call) -> tuple[int, int]:
    """Where a JSON call wants to read on, and how many rows it takes at most (Systems Manager gives up to 50)."""
    return int(call.params.get("NextToken", "0")), int(call.params.get("MaxResults", "50"))


_OPERATIONS: Mapping[tuple[str, str], Callable[[State, Call], Answer]] = {
    ("ec2", "GetSnapshotBlockPublicAccessState"): _snapshot_block,
    ("ec2", "EnableSnapshotBlockPublicAccess"): _snapshot_block,
    ("ec2", "DisableSnapshotBlockPublicAccess"): _snapshot_block,
    ("ec2", "GetInstanceMetadataDefaults"): _metadata_defaults,
    ("ec2", "ModifyInstanceMetadataDefaults"): _metadata_defaults,
    ("ssm", "DescribeInstanceInformation"): _instance_information,
}
