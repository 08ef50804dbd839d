"""Where moto answers otherwise than AWS in a way that would turn a verdict, mended in one place.

Each function mends one quirk and says in its first sentence what AWS does. They patch moto's classes in the emulator's
own process; no client and no test process is touched.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import moto.iam.models as iam_models
import moto.sts.models as sts_models
from cryptography import x509
from moto.cloudtrail.models import Trail, TrailStatus
from moto.core.responses import ActionResult
from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend
from moto.ec2.models.vpn_connections import VPNConnection
from moto.ec2.responses.elastic_block_store import ElasticBlockStore
from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.models import AccountSummary, IAMBackend
from moto.iam.responses import IamResponse
from moto.s3.models import S3Backend
from moto.sns.models import Topic, sns_backends
from moto.sts.models import STSBackend

from auditor.simulators.answers import ACCOUNT, AUDITOR_ARN
from auditor.simulators.clock import real_now
from auditor.simulators.supplements import State

# Of some 1,500 AWS managed policies these are kept: enough for a company, and a reset stays quick.
MANAGED_POLICIES = frozenset(
    {
        "AdministratorAccess",
        "AmazonEC2FullAccess",
        "AmazonEC2ReadOnlyAccess",
        "AmazonRDSFullAccess",
        "AmazonS3FullAccess",
        "AmazonS3ReadOnlyAccess",
        "AmazonSSMManagedInstanceCore",
        "AWSBackupServiceRolePolicyForBackup",
        "AWSLambdaBasicExecutionRole",
        "CloudWatchAgentServerPolicy",
        "IAMFullAccess",
        "IAMReadOnlyAccess",
        "IAMUserChangePassword",
        "PowerUserAccess",
        "ReadOnlyAccess",
        "SecurityAudit",
        "ViewOnlyAccess",
    }
)


def mend(state: State) -> None:
    """Patch moto once, at the start of the process; ``state`` is asked at every call."""
    for quirk in (
        _snapshots,
        _encryption,
        _report,
        _certificates,
        _tokens,
        _caller,
        _trails,
        _regions,
        _tunnels,
        _subscriptions,
    ):
        quirk(state)
    _managed_policies()
    _summary(state)


def _patch(owner: Any, name: str, mended: Any) -> None:
    """Put our version in the place of moto's."""
    setattr(owner, name, mended)


def _snapshots(_: State) -> None:
    """AWS narrows DescribeSnapshots by owner and by who may restore; moto ignores both parameters."""
    listed: Any = ElasticBlockStore.describe_snapshots

    def describe_snapshots(self: Any) -> Any:
        result = listed(self)
        owners = {ACCOUNT if owner == "self" else owner for owner in self._get_param("OwnerIds", []) or []}
        restorers = set(self._get_param("RestorableByUserIds", []) or [])
        rows = result.result["Snapshots"]
        rows = [row for row in rows if not owners or row.owner_id in owners]
        result.result["Snapshots"] = [row for row in rows if not restorers or _may_restore(row, restorers)]
        return result

    _patch(ElasticBlockStore, "describe_snapshots", describe_snapshots)


def _may_restore(snapshot: Any, users: set[str]) -> bool:
    users = {ACCOUNT if user == "self" else user for user in users}
    if "all" in users:
        return "all" in snapshot.create_volume_permission_groups
    return snapshot.owner_id in users or bool(users & snapshot.create_volume_permission_userids)


def _encryption(_: State) -> None:
    """AWS has answered AES256 for a bucket without a rule of its own since January 2023; moto reports an error."""
    configured = S3Backend.get_bucket_encryption

    def get_bucket_encryption(self: Any, bucket_name: str) -> Any:
        default = {
            "Rule": {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": "false"}
        }
        return configured(self, bucket_name) or default

    _patch(S3Backend, "get_bucket_encryption", get_bucket_encryption)


def _report(state: State) -> None:
    """AWS begins the credential report with the root user and dates it; moto knows no root and says 2015."""
    written = IAMBackend.get_credential_report

    def get_credential_report(self: Any) -> str:
        header, _, rows = written(self).partition("\n")
        return f"{header}\n{state.root_row(header)}\n{rows}"

    def respond(self: Any) -> Any:
        content = self.backend.get_credential_report()
        made = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return ActionResult({"Content": content, "ReportFormat": "text/csv", "GeneratedTime": made})

    _patch(IAMBackend, "get_credential_report", get_credential_report)
    _patch(IamResponse, "get_credential_report", respond)


def _summary(state: State) -> None:
    """AWS counts the root user's factor and keys; moto answers with constants."""
    counted: Any = AccountSummary.summary_map
    _patch(AccountSummary, "summary_map", property(lambda self: {**counted.fget(self), **state.account_summary}))


def _certificates(_: State) -> None:
    """AWS reads a server certificate's end out of it; moto says May 2012 for all."""

    def mended(listed: Callable[[Any], Any], rows: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def respond(self: Any) -> Any:
            result = listed(self)
            for row in rows(result.result):
                body = self.backend.get_server_certificate(row["ServerCertificateName"]).cert_body
                row["Expiration"] = _expiry(body)
            return result

        return respond

    listing = mended(IamResponse.list_server_certificates, lambda result: result["ServerCertificateMetadataList"])
    getting = mended(
        IamResponse.get_server_certificate, lambda result: [result["ServerCertificate"]["ServerCertificateMetadata"]]
    )
    _patch(IamResponse, "list_server_certificates", listing)
    _patch(IamResponse, "get_server_certificate", getting)


def _expiry(body: str) -> str:
    """The certificate's own end, or a year from now for a text that is no certificate."""
    try:
        end = x509.load_pem_x509_certificate(body.encode()).not_valid_after_utc
    except ValueError:
        end = datetime.now(UTC) + timedelta(days=365)
    return end.strftime("%Y-%m-%dT%H:%M:%SZ")


def _tokens(_: State) -> None:
    """Clients refuse temporary credentials that are past their end, so STS lives in real time whatever the clock says."""
    _patch(sts_models, "utcnow", lambda: real_now().replace(tzinfo=None))


def _caller(_: State) -> None:
    """A caller whose key the account did not make is the auditor that refusals name, not a user called moto."""
    identified = STSBackend.get_caller_identity

    def get_caller_identity(self: Any, access_key_id: str, region: str) -> tuple[str, str, str]:
        user, arn, account = identified(self, access_key_id, region)
        return user, AUDITOR_ARN if arn.endswith(":user/moto") else arn, account

    _patch(STSBackend, "get_caller_identity", get_caller_identity)


def _trails(_: State) -> None:
    """AWS dates the last delivery to a log group; moto leaves it out, so a wired trail looks silent."""
    described = TrailStatus.description

    def description(self: Any) -> dict[str, Any]:
        answer: dict[str, Any] = described(self)
        if self.is_logging and getattr(self, "log_group", None):
            answer["LatestCloudWatchLogsDeliveryTime"] = answer["LatestDeliveryTime"]
        return answer

    _patch(TrailStatus, "description", description)
    # The status does not know its trail in moto; the group is looked up when it is asked for.
    for name in ("start_logging", "update"):
        setattr(Trail, name, _with_group(getattr(Trail, name)))


def _with_group(method: Callable[..., Any]) -> Callable[..., Any]:
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = method(self, *args, **kwargs)
        self.status.log_group = self.cw_log_group_arn
        return result

    return call


def _regions(state: State) -> None:
    """AWS lists the regions an account has enabled; moto lists all it knows, 38 of them."""
    known = RegionsAndZonesBackend.describe_regions

    def describe_regions(self: Any, region_names: list[str] | None = None) -> Any:
        rows = known(self, region_names)
        return rows if region_names else [row for row in rows if row.name in state.regions]

    _patch(RegionsAndZonesBackend, "describe_regions", describe_regions)


def _tunnels(state: State) -> None:
    """AWS reports both tunnels of a VPN connection; moto reports none."""

    def vgw_telemetry(self: Any) -> list[dict[str, Any]]:
        tunnels = state.vpn_tunnels.get(self.id, ["UP", "UP"])
        return [
            {"OutsideIpAddress": f"203.0.113.{number}", "Status": status, "AcceptedRouteCount": 1}
            for number, status in enumerate(tunnels, start=10)
        ]

    _patch(VPNConnection, "vgw_telemetry", property(vgw_telemetry))


def _managed_policies() -> None:
    """AWS answers GetAccountAuthorizationDetails with those managed policies that are attached; moto sends them all."""
    everything = json.loads(aws_managed_policies_data)
    kept = {name: policy for name, policy in everything.items() if name in MANAGED_POLICIES}
    _patch(iam_models, "aws_managed_policies_data", json.dumps(kept))
    detailed = IAMBackend.get_account_authorization_details

    def get_account_authorization_details(self: Any, policy_filter: list[str]) -> dict[str, Any]:
        details: dict[str, Any] = detailed(self, policy_filter)
        ours = {policy.arn for policy in self.aws_managed_policies}
        details["managed_policies"] = [
            policy for policy in details["managed_policies"] if policy.arn not in ours or policy.attachment_count
        ]
        return details

    _patch(IAMBackend, "get_account_authorization_details", get_account_authorization_details)


def _subscriptions(_: State) -> None:
    """AWS counts a topic's confirmed subscriptions, where e-mail and web addresses wait for their owner; moto counts none."""

    def confirmed(topic: Any) -> int:
        backend = sns_backends[topic.account_id][topic.arn.split(":")[3]]
        mine = (one for one in backend.subscriptions.values() if one.topic.arn == topic.arn)
        return sum(one.protocol not in {"email", "email-json", "http", "https"} for one in mine)

    _patch(Topic, "subscriptions_confimed", property(confirmed, lambda *_: None))
