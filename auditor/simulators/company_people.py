"""Meadowbrook's people and machines in IAM: users, groups, roles, policies, certificates and the root user."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from auditor.simulators.aws import ACCOUNT, AwsEmulator

LATE_KEY_USER = "svc-lab-import"


@dataclass(frozen=True)
class Person:
    """A user of the account and how well their access is kept."""

    name: str
    group: str = ""
    console: bool = True
    mfa: bool = True
    keys: int = 0
    idle_days: int = 1
    """Days between the last use of password and keys and the story's first day."""


PEOPLE = (
    Person("amelia.ortiz", "administrators"),
    Person("ben.tanaka", "engineering", mfa=False),
    Person("chidi.okafor", "engineering", keys=1),
    Person("dana.weiss", "analysts"),
    Person("elena.petrova", "analysts"),
    Person("farid.hassan", "billing", mfa=False),
    Person("grace.lindqvist", "engineering"),
    Person("hugo.martin", "engineering", idle_days=30),
    Person("svc-claims-export", console=False, keys=2),
    Person("svc-backup", console=False),
    Person("break-glass", "administrators", idle_days=300),
)
GROUPS = {
    "administrators": "AdministratorAccess",
    "engineering": "PowerUserAccess",
    "analysts": "ReadOnlyAccess",
    "billing": "ViewOnlyAccess",
}
STRONG_PASSWORDS = {
    "MinimumPasswordLength": 14,
    "RequireSymbols": True,
    "RequireNumbers": True,
    "RequireUppercaseCharacters": True,
    "RequireLowercaseCharacters": True,
    "PasswordReusePrevention": 24,
}
_WEAK_PASSWORDS = {**STRONG_PASSWORDS, "MinimumPasswordLength": 10, "PasswordReusePrevention": 3}
_EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def policy(*statements: dict[str, Any]) -> str:
    """A policy document around some statements."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trust(principal: dict[str, str], action: str = "sts:AssumeRole", **condition: Any) -> str:
    """A trust policy for one principal, with a condition where one is given."""
    statement: dict[str, Any] = {"Effect": "Allow", "Principal": principal, "Action": action}
    return policy({**statement, "Condition": condition} if condition else statement)


def build_people(emulator: AwsEmulator) -> None:
    """Users, groups, policies and roles as they have been for a year."""
    iam = emulator.client("iam")
    iam.create_account_alias(AccountAlias="meadowbrook-health")
    iam.update_account_password_policy(**_WEAK_PASSWORDS)
    for group, managed in GROUPS.items():
        iam.create_group(GroupName=group)
        folder = "job-function/" if managed == "ViewOnlyAccess" else ""
        iam.attach_group_policy(GroupName=group, PolicyArn=f"arn:aws:iam::aws:policy/{folder}{managed}")
    for person in PEOPLE:
        _hire(iam, person)
    _grant(iam)
    _build_roles(iam)


def build_late_people(emulator: AwsEmulator) -> None:
    """The service user whose only key grows too old while the story runs."""
    iam = emulator.client("iam")
    _hire(iam, Person(LATE_KEY_USER, console=False, keys=1))


def settle_people(emulator: AwsEmulator, at: datetime) -> None:
    """Last uses, the root user and the certificates, all told from the story's first day."""
    iam = emulator.client("iam")
    used: dict[str, Any] = {}
    passwords: dict[str, str] = {}
    for person in (*PEOPLE, Person(LATE_KEY_USER, console=False, keys=1)):
        moment = (at - timedelta(days=person.idle_days)).isoformat()
        if person.console:
            passwords[person.name] = moment
        for key in iam.list_access_keys(UserName=person.name)["AccessKeyMetadata"]:
            used[key["AccessKeyId"]] = {"at": moment, "service": "s3", "region": "us-east-1"}
    roles = {"app-scheduling": 1, "legacy-etl": 2, "auditor-read": 1, "ops-admin": 20, "partner-integration": 250}
    emulator.supplement(
        {
            "account_summary": {"AccountMFAEnabled": 1, "AccountAccessKeysPresent": 0, "AccountPasswordPresent": 1},
            "root": {
                "user_creation_time": (at - timedelta(days=900)).isoformat(),
                "password_enabled": "true",
                "password_last_used": (at - timedelta(days=200)).isoformat(),
                "mfa_active": "true",
            },
            "password_last_used": passwords,
            "access_key_last_used": used,
            "role_last_used": {role: (at - timedelta(days=days)).isoformat() for role, days in roles.items()},
        }
    )
    iam.create_access_key(UserName="svc-backup")
    for name, days in (("portal-2026", 300), ("fax-gateway", 20)):
        body, key = certificate(name, at - timedelta(days=90), at + timedelta(days=days, hours=-1))
        iam.upload_server_certificate(ServerCertificateName=name, CertificateBody=body, PrivateKey=key)


def certificate(name: str, start: datetime, end: datetime) -> tuple[str, str]:
    """A self-signed certificate and its key, both PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name}.meadowbrook.example")])
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start.astimezone(UTC))
        .not_valid_after(end.astimezone(UTC))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return built.public_bytes(serialization.Encoding.PEM).decode(), private.decode()


def _hire(iam: Any, person: Person) -> None:
    iam.create_user(UserName=person.name, Tags=[{"Key": "department", "Value": person.group or "systems"}])
    if person.group:
        iam.add_user_to_group(GroupName=person.group, UserName=person.name)
    if person.console:
        iam.create_login_profile(UserName=person.name, Password="Emulated-Passw0rd!")  # noqa: S106 - of no real account
    if person.console and person.mfa:
        give_mfa(iam, person.name)
    for _ in range(person.keys):
        iam.create_access_key(UserName=person.name)


def give_mfa(iam: Any, user: str) -> None:
    """Register a virtual second factor for a user."""
    serial = iam.create_virtual_mfa_device(VirtualMFADeviceName=user)["VirtualMFADevice"]["SerialNumber"]
    iam.enable_mfa_device(
        UserName=user, SerialNumber=serial, AuthenticationCode1="123456", AuthenticationCode2="654321"
    )


def _grant(iam: Any) -> None:
    records = "arn:aws:s3:::meadowbrook-patient-records"
    documents: dict[str, dict[str, Any]] = {
        "phi-read": {
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:ListBucket"],
            "Resource": [records, f"{records}/*"],
        },
        "claims-write": {
            "Effect": "Allow",
            "Action": "s3:PutObject",
            "Resource": "arn:aws:s3:::meadowbrook-claims-exports/*",
        },
        "legacy-everything": _EVERYTHING,
        "unused-everything": _EVERYTHING,
    }
    for name, statement in documents.items():
        iam.create_policy(PolicyName=name, PolicyDocument=policy(statement))
    iam.attach_group_policy(GroupName="analysts", PolicyArn=f"arn:aws:iam::{ACCOUNT}:policy/phi-read")
    iam.attach_user_policy(UserName="svc-claims-export", PolicyArn=f"arn:aws:iam::{ACCOUNT}:policy/claims-write")
    iam.put_user_policy(UserName="dana.weiss", PolicyName="quick-fix", PolicyDocument=policy(documents["phi-read"]))
    iam.put_group_policy(GroupName="billing", PolicyName="statements", PolicyDocument=policy(documents["claims-write"]))


def _build_roles(iam: Any) -> None:
    root = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    github = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
    subject = "token.actions.githubusercontent.com:sub"
    saml = {"Federated": f"arn:aws:iam::{ACCOUNT}:saml-provider/meadowbrook"}
    roles: dict[str, tuple[str, int, str]] = {
        "app-scheduling": (trust({"Service": "ec2.amazonaws.com"}), 3600, ""),
        "lambda-intake": (trust({"Service": "lambda.amazonaws.com"}), 3600, ""),
        "auditor-read": (
            trust({"AWS": "arn:aws:iam::210987654321:root"}, StringEquals={"sts:ExternalId": "mb-7731"}),
            3600,
            "SecurityAudit",
        ),
        "legacy-etl": (trust({"Service": "ec2.amazonaws.com"}), 3600, "legacy-everything"),
        "partner-integration": (trust({"AWS": "*"}, StringEquals={"sts:ExternalId": "partner-9"}), 3600, ""),
        "github-deploy": (
            trust(
                {"Federated": github},
                "sts:AssumeRoleWithWebIdentity",
                StringLike={subject: "repo:meadowbrook/portal:*"},
            ),
            3600,
            "PowerUserAccess",
        ),
        "clinicians": (trust(saml, "sts:AssumeRoleWithSAML"), 43200, "ReadOnlyAccess"),
        "ops-admin": (trust(root, Bool={"aws:MultiFactorAuthPresent": "true"}), 7200, "AdministratorAccess"),
        "break-glass-admin": (trust(root, Bool={"aws:MultiFactorAuthPresent": "true"}), 3600, "AdministratorAccess"),
    }
    for name, (document, seconds, managed) in roles.items():
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=document, MaxSessionDuration=seconds)
        if managed:
            owner = ACCOUNT if managed == "legacy-everything" else "aws"
            iam.attach_role_policy(RoleName=name, PolicyArn=f"arn:aws:iam::{owner}:policy/{managed}")
    iam.tag_role(RoleName="break-glass-admin", Tags=[{"Key": "break-glass", "Value": "true"}])
    iam.put_role_policy(RoleName="lambda-intake", PolicyName="anything", PolicyDocument=policy(_EVERYTHING))
    iam.create_service_linked_role(AWSServiceName="autoscaling.amazonaws.com")
