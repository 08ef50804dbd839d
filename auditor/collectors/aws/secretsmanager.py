"""Secrets Manager: which secrets change on schedule, and whom their policies let in. Values are never asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from auditor.collectors.aws._listed import listed
from auditor.domain.policy import open_to_strangers, statements_of
from auditor.domain.reading import Reading, Readings
from auditor.domain.resource_type import Listing, Read, ResourceType


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret by its rotation and its policy; ``owned_by`` is the service that keeps and rotates it."""

    name: str
    owned_by: Reading[str | None]
    is_replica: Reading[bool]
    being_deleted: Reading[bool]
    rotates: Reading[bool]
    rotated_at: Reading[datetime | None]
    open_statements: Reading[tuple[str, ...]]


secret = ResourceType(
    "aws.secretsmanager.secret",
    version=1,
    title="Secret",
    listing=Listing(
        "secretsmanager:list_secrets",
        items="SecretList",
        id="ARN",
        keep=("ARN", "Name", "RotationEnabled", "LastRotatedDate", "DeletedDate", "OwningService", "PrimaryRegion"),
    ),
    details={"policy": Read("secretsmanager:get_resource_policy", SecretId="{ARN}", keep=("ResourcePolicy",))},
)


@secret.document
def describe_secret(seen: Readings) -> Secret:
    """The secret; a replica is rotated where its original lives."""
    here = listed(seen["ARN"]).split(":")[3]
    policy = seen["policy"].map(lambda answer: (answer or {}).get("ResourcePolicy"))
    return Secret(
        name=listed(seen["Name"]),
        owned_by=seen["OwningService"],
        is_replica=seen["PrimaryRegion"].map(lambda primary: bool(primary) and primary != here),
        being_deleted=seen["DeletedDate"].map(bool),
        rotates=seen["RotationEnabled"].map(bool),
        rotated_at=seen["LastRotatedDate"],
        open_statements=statements_of(policy).map(open_to_strangers),
    )
