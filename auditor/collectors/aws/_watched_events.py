"""What an alarm should ring for: kinds of events, each as the records that CloudTrail would write.

A filter watches a kind if it matches all of its records; one that matches an ordinary record as well rings all day and
watches nothing. The event names follow the monitoring section of the CIS AWS Foundations Benchmark (version 1.4), where
the catalogue names fewer, those.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeAlias

from auditor.collectors.aws._filter_pattern import read

Named: TypeAlias = Mapping[str, Mapping[str, Any]]
"""Records by the words that a message uses for them."""

_BY = {
    "type": "IAMUser",
    "principalId": "AIDAEXAMPLE",
    "arn": "arn:aws:iam::111122223333:user/someone",
    "accountId": "111122223333",
    "userName": "someone",
}
_ROOT = {"type": "Root", "principalId": "111122223333", "arn": "arn:aws:iam::111122223333:root"}


def _record(name: str, source: str, **more: Any) -> dict[str, Any]:
    return {
        "eventVersion": "1.08",
        "userIdentity": _BY,
        "eventTime": "2026-01-01T00:00:00Z",
        "eventSource": f"{source}.amazonaws.com",
        "eventName": name,
        "awsRegion": "us-east-1",
        "sourceIPAddress": "198.51.100.7",
        "userAgent": "aws-cli/2",
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": "111122223333",
        **more,
    }


def _calls(source: str, names: str) -> Named:
    return {name: _record(name, source, readOnly=False) for name in names.split()}


def _sign_in(outcome: str, **more: Any) -> dict[str, Any]:
    return _record(
        "ConsoleLogin",
        "signin",
        **{"eventType": "AwsConsoleSignIn", "responseElements": {"ConsoleLogin": outcome}, **more},
    )


KINDS: Mapping[str, Named] = {
    "root_usage": {
        "root's API calls": _record("CreateUser", "iam", userIdentity=_ROOT),
        "root's sign-ins": _sign_in("Success", userIdentity=_ROOT, additionalEventData={"MFAUsed": "Yes"}),
    },
    "unauthorized_calls": {
        "UnauthorizedOperation": _record("RunInstances", "ec2", errorCode="Client.UnauthorizedOperation"),
        "AccessDenied": _record("GetBucketAcl", "s3", errorCode="AccessDenied"),
        "AccessDeniedException": _record("CreateKey", "kms", errorCode="AccessDeniedException"),
    },
    "console_without_mfa": {
        "sign-ins without MFA": _sign_in("Success", additionalEventData={"MFAUsed": "No"}),
    },
    "signin_failures": {
        "failed sign-ins": _sign_in(
            "Failure", errorMessage="Failed authentication", additionalEventData={"MFAUsed": "No"}
        ),
    },
    "iam_policy_changes": _calls(
        "iam",
        "DeleteGroupPolicy DeleteRolePolicy DeleteUserPolicy PutGroupPolicy PutRolePolicy PutUserPolicy CreatePolicy "
        "DeletePolicy CreatePolicyVersion DeletePolicyVersion AttachRolePolicy DetachRolePolicy AttachUserPolicy "
        "DetachUserPolicy AttachGroupPolicy DetachGroupPolicy",
    ),
    "trail_changes": _calls("cloudtrail", "StopLogging DeleteTrail UpdateTrail"),
    "security_group_changes": _calls(
        "ec2",
        "AuthorizeSecurityGroupIngress AuthorizeSecurityGroupEgress RevokeSecurityGroupIngress "
        "RevokeSecurityGroupEgress CreateSecurityGroup DeleteSecurityGroup",
    ),
    "network_acl_changes": _calls(
        "ec2",
        "CreateNetworkAcl CreateNetworkAclEntry DeleteNetworkAcl DeleteNetworkAclEntry ReplaceNetworkAclEntry "
        "ReplaceNetworkAclAssociation",
    ),
    "gateway_changes": _calls(
        "ec2",
        "CreateCustomerGateway DeleteCustomerGateway CreateInternetGateway DeleteInternetGateway "
        "AttachInternetGateway DetachInternetGateway",
    ),
    "route_changes": _calls(
        "ec2",
        "CreateRoute CreateRouteTable ReplaceRoute ReplaceRouteTableAssociation DeleteRoute DeleteRouteTable "
        "DisassociateRouteTable",
    ),
    "vpc_changes": _calls(
        "ec2",
        "CreateVpc DeleteVpc ModifyVpcAttribute CreateVpcPeeringConnection AcceptVpcPeeringConnection "
        "RejectVpcPeeringConnection DeleteVpcPeeringConnection",
    ),
    "config_changes": _calls("config", "StopConfigurationRecorder DeleteDeliveryChannel PutConfigurationRecorder"),
    "bucket_policy_changes": _calls(
        "s3",
        "PutBucketPolicy PutBucketAcl PutBucketCors PutBucketLifecycle PutBucketReplication DeleteBucketPolicy "
        "DeleteBucketCors DeleteBucketLifecycle DeleteBucketReplication",
    ),
    "organization_changes": _calls(
        "organizations",
        "AcceptHandshake AttachPolicy CreateAccount CreateOrganizationalUnit CreatePolicy DeclineHandshake "
        "DeleteOrganization DeleteOrganizationalUnit DeletePolicy DetachPolicy DisablePolicyType EnablePolicyType "
        "InviteAccountToOrganization LeaveOrganization MoveAccount RemoveAccountFromOrganization UpdatePolicy "
        "UpdateOrganizationalUnit",
    ),
    "kms_key_disabled": _calls("kms", "DisableKey ScheduleKeyDeletion"),
}
_ORDINARY = (
    _record("DescribeInstances", "ec2", readOnly=True),
    _record("ListBuckets", "s3", readOnly=True, userIdentity={**_BY, "type": "AssumedRole"}),
)

EVERY_EVENT = frozenset((kind, name) for kind, records in KINDS.items() for name in records)


@lru_cache(maxsize=512)
def watched(pattern: str) -> frozenset[tuple[str, str]]:
    """The kinds and events that a filter pattern singles out.

    Raises:
        PatternError: The pattern cannot be read for certain.
    """
    test = read(pattern)
    if any(test(record) for record in _ORDINARY):
        return frozenset()
    return frozenset((kind, name) for kind, name in EVERY_EVENT if test(KINDS[kind][name]))
