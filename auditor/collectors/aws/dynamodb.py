"""DynamoDB tables: whose key they are under, whether they can be rolled back, and what stands between them and deletion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from auditor.collectors.aws._answers import inside
from auditor.collectors.aws._listed import listed
from auditor.domain.reading import Reading, Readings
from auditor.domain.resource_type import Listing, Read, ResourceType


@dataclass(frozen=True, slots=True)
class Table:
    """A table; ``managed_key`` is false where only the key that AWS owns protects it."""

    name: str
    made_at: Reading[datetime | None]
    managed_key: Reading[bool]
    rolls_back: Reading[bool]
    deletion_protected: Reading[bool]


def tables(page: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The listed names, as items: the service gives nothing else."""
    return ({"TableName": name} for name in page.get("TableNames", ()))


table = ResourceType(
    "aws.dynamodb.table",
    version=1,
    title="DynamoDB table",
    listing=Listing(
        "dynamodb:list_tables",
        items=tables,
        id="arn:{partition}:dynamodb:{region}:{account}:table/{TableName}",
        keep=("TableName",),
    ),
    details={
        "table": Read(
            "dynamodb:describe_table",
            TableName="{TableName}",
            keep=(
                "Table.CreationDateTime",
                "Table.DeletionProtectionEnabled",
                "Table.SSEDescription.Status",
                "Table.SSEDescription.SSEType",
            ),
        ),
        "backups": Read(
            "dynamodb:describe_continuous_backups",
            TableName="{TableName}",
            keep=("ContinuousBackupsDescription.PointInTimeRecoveryDescription.PointInTimeRecoveryStatus",),
        ),
    },
)


@table.document
def describe_table(seen: Readings) -> Table:
    """The table with its encryption read as one fact; every table is encrypted, not every one under a managed key."""
    return Table(
        name=listed(seen["TableName"]),
        made_at=seen["table"].map(lambda answer: inside(answer, "Table", "CreationDateTime")),
        managed_key=seen["table"].map(
            lambda answer: (
                inside(answer, "Table", "SSEDescription", "SSEType") == "KMS"
                and inside(answer, "Table", "SSEDescription", "Status") == "ENABLED"
            )
        ),
        rolls_back=seen["backups"].map(_rolls_back),
        deletion_protected=seen["table"].map(lambda answer: bool(inside(answer, "Table", "DeletionProtectionEnabled"))),
    )


def _rolls_back(answer: Any) -> bool:
    path = ("ContinuousBackupsDescription", "PointInTimeRecoveryDescription", "PointInTimeRecoveryStatus")
    return bool(inside(answer, *path) == "ENABLED")
