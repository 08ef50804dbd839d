"""Permission sets by the roles they become in an account."""

from __future__ import annotations

import json
from typing import Any

from auditor.collectors.aws.iam_policies import policy
from auditor.collectors.aws.sso import PermissionSet, permission_set, provisioned, provisioned_role
from auditor.domain.reading import Unseen
from auditor.domain.resource_type import Joined, Member, Population

EVERYTHING = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
NONE = Population(())
CUSTOM = "arn:aws:iam::111122223333:policy/everything"


def described(attached: tuple[str, ...] = (), inline: Any = (), known: Population = NONE) -> PermissionSet:
    content = {
        "RoleName": "AWSReservedSSO_Power_Users_0123456789abcdef",
        "AttachedManagedPolicies": [{"PolicyArn": arn} for arn in attached],
        "RolePolicyList": list(inline),
    }
    member = Member("arn:role", "global", provisioned_role.describe(content))
    found: PermissionSet = permission_set.describe(Joined("111122223333", "global", member, {"aws.iam.policy": known}))
    return found


def test_only_roles_that_identity_center_made_are_permission_sets() -> None:
    roles = [{"Path": "/aws-reserved/sso.amazonaws.com/eu-west-1/"}, {"Path": "/"}, {"Path": "/aws-reserved/"}]
    assert list(provisioned({"RoleDetailList": roles})) == roles[:1]


def test_a_role_goes_by_the_name_of_its_permission_set() -> None:
    assert described().name == "Power_Users"


def test_administrator_rights_count_inline_and_attached() -> None:
    inline = [{"PolicyName": "AwsSSOInlinePolicy", "PolicyDocument": EVERYTHING}]
    version = {"VersionId": "v1", "IsDefaultVersion": True, "Document": json.dumps(EVERYTHING)}
    custom = policy.describe({"Arn": CUSTOM, "AttachmentCount": 1, "PolicyVersionList": [version]})
    known = Population((Member(CUSTOM, "global", custom),))
    assert described((CUSTOM,), inline, known).administrator_by == ("AwsSSOInlinePolicy", CUSTOM)
    assert described().administrator_by == ()


def test_an_attached_policy_that_was_not_seen_leaves_its_rights_open() -> None:
    assert described((CUSTOM,), known=Population((), "denied")).administrator_by == (Unseen("denied"),)
