"""AWS Backup: vaults, plans, and what was ever backed up with the time of its last copy.

A resource that was never copied is in none of these lists: ``recovery`` goes from the stores instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from auditor.collectors.aws._answers import inside, number
from auditor.collectors.aws._ec2 import holds
from auditor.domain.reading import Reading, Readings, Unseen
from auditor.domain.resource_type import DerivedType, Joined, Listing, Read, ResourceType


@dataclass(frozen=True, slots=True)
class Vault:
    """A vault, its key, and how long its lock keeps every copy."""

    name: Reading[str]
    key: Reading[str | None]
    locked: Reading[bool]
    locked_days: Reading[int]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a plan; ``keeps_days`` is null where copies are kept without end."""

    name: str
    scheduled: bool
    keeps_days: int | None


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan: its rules, and whether it names anything to back up."""

    name: Reading[str]
    rules: Reading[tuple[Rule, ...]]
    selects: Reading[bool]


@dataclass(frozen=True, slots=True)
class Plans:
    """A region with its backup plans."""

    name: str
    plans: tuple[Plan | Unseen, ...]


@dataclass(frozen=True, slots=True)
class Protected:
    """Something that was backed up at least once."""

    name: Reading[str]
    kind: Reading[str | None]
    last_backup_at: Reading[datetime | None]


vault = ResourceType(
    "aws.backup.vault",
    version=1,
    title="Backup vault",
    listing=Listing(
        "backup:list_backup_vaults",
        items="BackupVaultList",
        id="BackupVaultArn",
        keep=("BackupVaultArn", "BackupVaultName", "VaultType", "EncryptionKeyArn", "Locked", "MinRetentionDays"),
    ),
)

plan = ResourceType(
    "aws.backup.plan",
    version=1,
    title="Backup plan",
    listing=Listing(
        "backup:list_backup_plans",
        items="BackupPlansList",
        id="BackupPlanArn",
        keep=("BackupPlanArn", "BackupPlanId", "BackupPlanName"),
    ),
    details={
        "plan": Read(
            "backup:get_backup_plan",
            BackupPlanId="{BackupPlanId}",
            keep=(
                "BackupPlan.Rules[].RuleName",
                "BackupPlan.Rules[].ScheduleExpression",
                "BackupPlan.Rules[].Lifecycle.DeleteAfterDays",
            ),
        ),
        "selections": Read(
            "backup:list_backup_selections",
            BackupPlanId="{BackupPlanId}",
            items="BackupSelectionsList",
            keep=("SelectionId", "SelectionName"),
        ),
    },
)

plans = DerivedType(
    "aws.backup.plans",
    version=1,
    title="Backup plans of a region",
    over="region",
    inputs=(plan,),
)

resource = ResourceType(
    "aws.backup.resource",
    version=2,
    title="Resource with a backup",
    listing=Listing(
        "backup:list_protected_resources",
        items="Results",
        id="ResourceArn",
        keep=("ResourceArn", "ResourceType", "ResourceName", "LastBackupTime"),
    ),
    volatile=("LastBackupTime",),
)


@vault.document
def describe_vault(seen: Readings) -> Vault:
    """The vault as listed."""
    return Vault(
        name=seen["BackupVaultName"],
        key=seen["EncryptionKeyArn"],
        locked=seen["Locked"].map(bool),
        locked_days=seen["MinRetentionDays"].map(number),
    )


@plan.document
def describe_plan(seen: Readings) -> Plan:
    """The plan with what of its rules a check asks for."""
    return Plan(
        name=seen["BackupPlanName"],
        rules=seen["plan"].map(
            lambda answer: tuple(_rule(rule) for rule in inside(answer, "BackupPlan", "Rules") or ())
        ),
        selects=holds(seen["selections"]),
    )


@plans.document
def describe_plans(joined: Joined) -> Plans:
    """All plans of the region, and a place held for those that could not be listed."""
    return Plans(name=joined.region, plans=joined.of(plan).documents())


@resource.document
def describe_resource(seen: Readings) -> Protected:
    """The resource under its ARN."""
    return Protected(name=seen["ResourceArn"], kind=seen["ResourceType"], last_backup_at=seen["LastBackupTime"])


def _rule(rule: Mapping[str, Any]) -> Rule:
    return Rule(
        name=str(rule.get("RuleName", "")),
        scheduled=bool(rule.get("ScheduleExpression")),
        keeps_days=inside(rule, "Lifecycle", "DeleteAfterDays"),
    )
