"""What IAM says about the account as a whole: its root user, its password rules, its own certificates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from auditor.collectors.aws._credential_report import USES, last_used, report, row
from auditor.collectors.aws._listed import listed
from auditor.domain.reading import Reading, Readings
from auditor.domain.resource_type import Listing, Read, ResourceType
from auditor.proof.canonical import instant


@dataclass(frozen=True, slots=True)
class Root:
    """The root user: what it can sign in with and when it last did."""

    name: str
    has_credentials: Reading[bool]
    mfa: Reading[bool]
    access_keys: Reading[int]
    used_at: Reading[datetime | None]


@dataclass(frozen=True, slots=True)
class PasswordPolicy:
    """The rules for passwords of IAM users; without a policy nothing beyond the vendor's weak default is asked."""

    name: str
    exists: Reading[bool]
    min_length: Reading[int]
    upper_case: Reading[bool]
    lower_case: Reading[bool]
    numbers: Reading[bool]
    symbols: Reading[bool]
    reuse_prevented: Reading[int]


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """A certificate uploaded to IAM."""

    name: str
    expires_at: Reading[datetime]


root = ResourceType(
    "aws.iam.root",
    version=2,
    title="Root user",
    place="account",
    details={
        "summary": Read(
            "iam:get_account_summary",
            keep=(
                "SummaryMap.AccountMFAEnabled",
                "SummaryMap.AccountAccessKeysPresent",
                "SummaryMap.AccountPasswordPresent",
            ),
        ),
        "report": report(user="<root_account>"),
    },
    volatile=tuple(f"report[].{column}" for column in USES),
)


@root.document
def describe_root(seen: Readings) -> Root:
    """The root user; credentials count as removed only where the account says so of both kinds."""
    summary = seen["summary"].map(lambda answer: answer["SummaryMap"])
    return Root(
        name="Root user",
        has_credentials=summary.map(_has_credentials),
        mfa=summary.map(lambda counts: counts.get("AccountMFAEnabled") == 1),
        access_keys=summary.map(lambda counts: counts["AccountAccessKeysPresent"]),
        used_at=row(seen["report"]).map(last_used),
    )


password_policy = ResourceType(
    "aws.iam.password_policy",
    version=1,
    title="Account password policy",
    place="account",
    details={
        "policy": Read(
            "iam:get_account_password_policy",
            absent=("NoSuchEntity",),
            keep=(
                "PasswordPolicy.MinimumPasswordLength",
                "PasswordPolicy.RequireUppercaseCharacters",
                "PasswordPolicy.RequireLowercaseCharacters",
                "PasswordPolicy.RequireNumbers",
                "PasswordPolicy.RequireSymbols",
                "PasswordPolicy.PasswordReusePrevention",
            ),
        ),
    },
)


@password_policy.document
def describe_password_policy(seen: Readings) -> PasswordPolicy:
    """The policy as numbers and flags; what it leaves out it does not ask."""
    rules = seen["policy"].map(lambda answer: (answer or {}).get("PasswordPolicy") or {})
    return PasswordPolicy(
        name="Account password policy",
        exists=seen["policy"].map(lambda answer: answer is not None),
        min_length=rules.map(lambda found: found.get("MinimumPasswordLength", 0)),
        upper_case=rules.map(lambda found: bool(found.get("RequireUppercaseCharacters"))),
        lower_case=rules.map(lambda found: bool(found.get("RequireLowercaseCharacters"))),
        numbers=rules.map(lambda found: bool(found.get("RequireNumbers"))),
        symbols=rules.map(lambda found: bool(found.get("RequireSymbols"))),
        reuse_prevented=rules.map(lambda found: found.get("PasswordReusePrevention") or 0),
    )


server_certificate = ResourceType(
    "aws.iam.server_certificate",
    version=1,
    title="Server certificate in IAM",
    place="account",
    listing=Listing(
        "iam:list_server_certificates",
        items="ServerCertificateMetadataList",
        id="Arn",
        keep=("ServerCertificateName", "Arn", "Expiration"),
    ),
)


@server_certificate.document
def describe_server_certificate(seen: Readings) -> ServerCertificate:
    """The certificate by its name and its end."""
    return ServerCertificate(
        name=listed(seen["ServerCertificateName"]),
        expires_at=seen["Expiration"].map(instant),
    )


def _has_credentials(counts: Any) -> bool:
    return any(counts.get(kind) != 0 for kind in ("AccountPasswordPresent", "AccountAccessKeysPresent"))
