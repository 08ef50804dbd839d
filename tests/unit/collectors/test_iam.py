from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from auditor.collectors.aws import iam, iam_policies, iam_roles, iam_users
from auditor.domain.document import as_json
from auditor.domain.reading import Seen, Unseen
from auditor.domain.resource_type import Joined, Member, Population, ResourceType

ACCOUNT = "111122223333"
DENIED = {"$unseen": "AccessDenied iam:GetCredentialReport"}
EVERYTHING = {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
LITTLE = {"Statement": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}}
ADMIN_ARN = "arn:aws:iam::aws:policy/AdministratorAccess"


def line(**changes: str) -> dict[str, str]:
    return {
        "password_enabled": "false",
        "password_last_used": "N/A",
        "password_last_changed": "N/A",
        "mfa_active": "false",
        "access_key_1_active": "false",
        "access_key_1_last_rotated": "N/A",
        "access_key_1_last_used_date": "N/A",
        "access_key_2_active": "false",
        "access_key_2_last_rotated": "N/A",
        "access_key_2_last_used_date": "N/A",
        **changes,
    }


def user_content(**changes: Any) -> dict[str, Any]:
    return {"UserName": "ana", "Arn": f"arn:aws:iam::{ACCOUNT}:user/ana", "report": [line()], **changes}


def role_content(**changes: Any) -> dict[str, Any]:
    return {
        "RoleName": "deploy",
        "Arn": f"arn:aws:iam::{ACCOUNT}:role/deploy",
        "Path": "/",
        "CreateDate": "2025-01-01T00:00:00Z",
        "AssumeRolePolicyDocument": {
            "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": ACCOUNT}}]
        },
        "session": [{"MaxSessionDuration": 3600}],
        **changes,
    }


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def member(kind: ResourceType, content: dict[str, Any], id: str = "the one") -> Member:  # noqa: A002
    return Member(id, "global", kind.describe(content))


def policy_member(document: Any, name: str = "custom") -> Member:
    arn = f"arn:aws:iam::{ACCOUNT}:policy/{name}"
    versions = [{"VersionId": "v1", "IsDefaultVersion": True, "Document": document}]
    return member(iam_policies.policy, {"Arn": arn, "AttachmentCount": 1, "PolicyVersionList": versions}, arn)


def population(*members: Member, unseen: str | None = None) -> Population:
    return Population(members, unseen)


def rights_of(
    person: dict[str, Any], *, groups: Population | None = None, policies: Population | None = None
) -> tuple[str | Unseen, ...]:
    here = member(iam_users.user, person)
    populations = {
        "aws.iam.user": population(here),
        "aws.iam.group": groups or population(),
        "aws.iam.policy": policies or population(),
    }
    found = iam_users.user_rights.describe(Joined(ACCOUNT, "global", here, populations))
    assert isinstance(found, iam_users.UserRights)
    return found.administrator_by


def test_a_root_user_without_password_and_keys_has_no_credentials() -> None:
    removed = {"AccountPasswordPresent": 0, "AccountAccessKeysPresent": 0, "AccountMFAEnabled": 0}
    found = iam.root.describe({"summary": {"SummaryMap": removed}, "report": [line()]})
    assert (found.has_credentials, found.mfa) == (Seen(False), Seen(False))


def test_a_root_user_counts_as_having_credentials_where_the_account_does_not_say() -> None:
    found = iam.root.describe({"summary": {"SummaryMap": {"AccountMFAEnabled": 1, "AccountAccessKeysPresent": 0}}})
    assert (found.has_credentials, found.mfa, found.access_keys) == (Seen(True), Seen(True), Seen(0))


def test_the_latest_use_of_root_counts_be_it_password_or_key() -> None:
    used = line(
        password_last_used="2025-03-01T00:00:00+00:00",
        access_key_2_last_used_date="2025-06-01T00:00:00+00:00",
    )
    found = iam.root.describe({"summary": DENIED, "report": [used]})
    assert found.used_at == Seen(at("2025-06-01T00:00:00"))
    assert found.mfa == Unseen("AccessDenied iam:GetCredentialReport")


def test_a_root_user_that_was_never_used_has_no_date() -> None:
    never = line(password_last_used="no_information")
    assert iam.root.describe({"summary": DENIED, "report": [never]}).used_at == Seen(None)


@pytest.mark.parametrize("report", [[], None])
def test_a_report_without_the_row_says_nothing(report: Any) -> None:
    assert isinstance(iam.root.describe({"summary": DENIED, "report": report}).used_at, Unseen)


def test_an_account_without_a_password_policy_asks_for_nothing() -> None:
    found = iam.password_policy.describe({"policy": None})
    assert (found.exists, found.min_length, found.symbols, found.reuse_prevented) == (
        Seen(False),
        Seen(0),
        Seen(False),
        Seen(0),
    )


def test_a_password_policy_we_may_not_read_is_unseen_in_every_part() -> None:
    found = as_json(iam.password_policy.describe({"policy": DENIED}))
    assert {name for name, value in found.items() if value == DENIED} == set(found) - {"name"}


def test_a_user_without_any_enabled_credential_has_none_to_judge() -> None:
    found = iam_users.user.describe(user_content())
    assert (found.credentials, found.active_keys, found.console_password) == (Seen(()), Seen(()), Seen(False))


def test_a_password_that_was_never_used_is_idle_since_it_was_set() -> None:
    fresh = line(
        password_enabled="true",
        password_last_used="no_information",
        password_last_changed="2025-12-01T00:00:00+00:00",
    )
    found = iam_users.user.describe(user_content(report=[fresh])).credentials
    assert [(one.kind, one.idle_since) for one in found.value] == [("password", Seen(at("2025-12-01T00:00:00")))]


def test_only_active_keys_count_and_each_by_its_own_dates() -> None:
    keys = line(
        access_key_1_active="false",
        access_key_1_last_rotated="2020-01-01T00:00:00+00:00",
        access_key_2_active="true",
        access_key_2_last_rotated="2025-05-01T00:00:00+00:00",
        access_key_2_last_used_date="2025-11-01T00:00:00+00:00",
    )
    found = iam_users.user.describe(user_content(report=[keys]))
    assert [(key.slot, key.rotated_at) for key in found.active_keys.value] == [(2, Seen(at("2025-05-01T00:00:00")))]
    assert [one.idle_since for one in found.credentials.value] == [Seen(at("2025-11-01T00:00:00"))]


def test_an_active_key_without_a_date_is_unseen_not_young() -> None:
    found = iam_users.user.describe(user_content(report=[line(access_key_1_active="true")]))
    assert isinstance(found.active_keys.value[0].rotated_at, Unseen)
    assert isinstance(found.credentials.value[0].idle_since, Unseen)


def test_a_user_younger_than_the_report_is_unknown_not_without_credentials() -> None:
    found = iam_users.user.describe(user_content(report=[]))
    assert isinstance(found.mfa, Unseen)
    assert isinstance(found.credentials, Unseen)


def test_a_report_we_may_not_read_leaves_the_reason() -> None:
    assert iam_users.user.describe(user_content(report=DENIED)).mfa == Unseen(DENIED["$unseen"])


def test_direct_policies_are_inline_and_attached_ones() -> None:
    found = iam_users.user.describe(
        user_content(
            UserPolicyList=[{"PolicyName": "upload", "PolicyDocument": LITTLE}],
            AttachedManagedPolicies=[{"PolicyArn": ADMIN_ARN}],
        )
    )
    assert found.direct_policies == Seen(("upload", ADMIN_ARN))


def test_a_customer_policy_with_every_right_makes_administrator_whatever_its_name() -> None:
    custom = policy_member(EVERYTHING, "read-only")
    attached = user_content(AttachedManagedPolicies=[{"PolicyArn": custom.id}])
    assert rights_of(attached, policies=population(custom)) == (custom.id,)


def test_a_policy_of_little_rights_makes_nobody_administrator() -> None:
    custom = policy_member(LITTLE)
    attached = user_content(AttachedManagedPolicies=[{"PolicyArn": custom.id}])
    assert rights_of(attached, policies=population(custom)) == ()


def test_administrator_rights_come_through_groups_too() -> None:
    staff = member(
        iam_users.group,
        {
            "GroupName": "staff",
            "AttachedManagedPolicies": [{"PolicyArn": ADMIN_ARN}],
            "GroupPolicyList": [{"PolicyName": "all", "PolicyDocument": EVERYTHING}],
        },
    )
    assert rights_of(user_content(GroupList=["staff"]), groups=population(staff)) == ("all", ADMIN_ARN)


def test_a_group_or_policy_nobody_listed_is_unseen_not_harmless() -> None:
    attached = user_content(GroupList=["staff"], AttachedManagedPolicies=[{"PolicyArn": "arn:aws:iam::1:policy/x"}])
    found = rights_of(attached, groups=population(unseen="AccessDenied iam:GetAccountAuthorizationDetails"))
    assert [type(one) for one in found] == [Unseen, Unseen]


def test_the_default_version_of_a_policy_is_the_one_that_counts() -> None:
    versions = [
        {"VersionId": "v2", "IsDefaultVersion": False, "Document": EVERYTHING},
        {"VersionId": "v1", "IsDefaultVersion": True, "Document": LITTLE},
    ]
    found = iam_policies.policy.describe({"Arn": f"arn:aws:iam::{ACCOUNT}:policy/a", "PolicyVersionList": versions})
    assert (found.name, found.customer_managed, found.full_admin) == ("a", True, Seen(False))


def test_policies_of_the_vendor_are_told_apart_and_a_missing_version_is_unseen() -> None:
    found = iam_policies.policy.describe({"Arn": ADMIN_ARN, "PolicyVersionList": []})
    assert not found.customer_managed
    assert isinstance(found.full_admin, Unseen)


def test_inline_policies_are_found_at_users_groups_and_roles() -> None:
    page = {
        "UserDetailList": [{"Arn": "u", "UserPolicyList": [{"PolicyName": "a", "PolicyDocument": LITTLE}]}],
        "GroupDetailList": [{"Arn": "g", "GroupPolicyList": [{"PolicyName": "b", "PolicyDocument": LITTLE}]}],
        "RoleDetailList": [
            {
                "Arn": "r",
                "Path": "/aws-reserved/x/",
                "RolePolicyList": [{"PolicyName": "c", "PolicyDocument": EVERYTHING}],
            }
        ],
    }
    found = [iam_policies.inline_policy.describe(item) for item in iam_policies.inline_policies(page)]
    assert [(one.principal, one.name, one.owned_by_aws, one.full_admin) for one in found] == [
        ("u", "a", False, Seen(False)),
        ("g", "b", False, Seen(False)),
        ("r", "c", True, Seen(True)),
    ]


def test_a_role_that_was_never_used_is_idle_since_it_was_made() -> None:
    assert iam_roles.role.describe(role_content()).idle_since == Seen(at("2025-01-01T00:00:00"))
    used = role_content(RoleLastUsed={"LastUsedDate": "2025-06-01T00:00:00Z"})
    assert iam_roles.role.describe(used).idle_since == Seen(at("2025-06-01T00:00:00"))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", (False, False, False)),
        ("/aws-service-role/rds.amazonaws.com/", (True, False, False)),
        ("/aws-reserved/sso.amazonaws.com/eu-west-1/", (False, True, True)),
    ],
)
def test_a_role_is_sorted_by_its_path(path: str, expected: tuple[bool, bool, bool]) -> None:
    found = iam_roles.role.describe(role_content(Path=path))
    assert (found.service_linked, found.reserved, found.sso) == expected


def test_a_session_length_that_was_not_listed_is_unseen() -> None:
    assert isinstance(iam_roles.role.describe(role_content(session=[])).max_session_seconds, Unseen)
    assert iam_roles.role.describe(role_content(session=DENIED)).max_session_seconds == Unseen(DENIED["$unseen"])


def test_a_trust_policy_that_is_no_json_is_unseen_not_harmless() -> None:
    found = iam_roles.role.describe(role_content(AssumeRolePolicyDocument="{"))
    assert isinstance(found.open_trust, Unseen)
    assert isinstance(found.demands_mfa, Unseen)


def test_only_other_accounts_are_outside() -> None:
    trusted = {"AWS": [ACCOUNT, "arn:aws:iam::999988887777:root"]}
    document = {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": trusted}]}
    found = iam_roles.role.describe(role_content(AssumeRolePolicyDocument=document))
    assert (found.outside_accounts, found.open_trust) == (Seen(("999988887777",)), Seen(()))


def test_a_role_is_administrator_through_its_inline_policies() -> None:
    here = member(iam_roles.role, role_content(RolePolicyList=[{"PolicyName": "all", "PolicyDocument": EVERYTHING}]))
    populations = {"aws.iam.role": population(here), "aws.iam.policy": population()}
    found = iam_roles.role_rights.describe(Joined(ACCOUNT, "global", here, populations))
    assert found.administrator_by == ("all",)


def test_roles_that_were_not_all_listed_leave_a_doubt_about_emergency_access() -> None:
    here = member(iam_roles.role, role_content(Tags=[{"Key": "team"}]))
    populations = {"aws.iam.role": population(here, unseen="Throttled iam:GetAccountAuthorizationDetails")}
    found = iam_roles.emergency_access.describe(Joined(ACCOUNT, "global", None, populations))
    assert found.roles == (
        iam_roles.EmergencyRole("deploy", Seen(("team",)), Seen(False)),
        Unseen("Throttled iam:GetAccountAuthorizationDetails"),
    )


def test_a_server_certificate_ends_when_it_says() -> None:
    found = iam.server_certificate.describe({"ServerCertificateName": "site", "Expiration": "2026-01-01T00:00:00Z"})
    assert (found.name, found.expires_at) == ("site", Seen(at("2026-01-01T00:00:00")))
