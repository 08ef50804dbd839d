"""KMS keys: who manages them, whether they rotate, and whom their policies let in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from auditor.collectors.aws._sharers import sharers
from auditor.domain.policy import open_to_strangers, statements_of
from auditor.domain.reading import Reading, Readings, Seen, Unseen
from auditor.domain.resource_type import Listing, Read, ResourceType

T = TypeVar("T")
LEAVING = frozenset({"PendingDeletion", "PendingReplicaDeletion"})


@dataclass(frozen=True, slots=True)
class Key:
    """A key as its life cycle and its policy stand; of keys that AWS manages only the metadata is read."""

    name: Reading[str]
    customer_managed: Reading[bool]
    state: Reading[str]
    can_rotate: Reading[bool]
    rotates: Reading[bool | None]
    pending_deletion: Reading[bool]
    deletion_at: Reading[str | None]
    open_statements: Reading[tuple[str, ...]]
    shared_with: Reading[tuple[str, ...]]


def _customer_managed(seen: Readings) -> Reading[bool]:
    return seen["key"].map(lambda answer: answer["KeyMetadata"]["KeyManager"] == "CUSTOMER")


def _can_rotate(seen: Readings) -> Reading[bool]:
    """KMS rotates enabled symmetric keys whose material it made itself, outside custom key stores."""
    return seen["key"].map(
        lambda answer: (
            answer["KeyMetadata"]["KeyManager"] == "CUSTOMER"
            and answer["KeyMetadata"].get("KeySpec", "SYMMETRIC_DEFAULT") == "SYMMETRIC_DEFAULT"
            and answer["KeyMetadata"].get("Origin") == "AWS_KMS"
            and answer["KeyMetadata"]["KeyState"] == "Enabled"
        )
    )


key = ResourceType(
    "aws.kms.key",
    version=2,
    title="KMS key",
    listing=Listing("kms:list_keys", items="Keys", id="KeyArn", keep=("KeyId", "KeyArn")),
    details={
        "key": Read(
            "kms:describe_key",
            KeyId="{KeyId}",
            keep=(
                "KeyMetadata.KeyManager",
                "KeyMetadata.KeySpec",
                "KeyMetadata.KeyState",
                "KeyMetadata.Origin",
                "KeyMetadata.DeletionDate",
            ),
        ),
        "rotation": Read(
            "kms:get_key_rotation_status",
            KeyId="{KeyId}",
            when=lambda seen: _can_rotate(seen) == Seen(value=True),
            keep=("KeyRotationEnabled", "RotationPeriodInDays"),
        ),
        "policy": Read(
            "kms:get_key_policy",
            KeyId="{KeyId}",
            PolicyName="default",
            when=lambda seen: _customer_managed(seen) == Seen(value=True),
            keep=("Policy",),
        ),
    },
)


@key.document
def describe_key(seen: Readings) -> Key:
    """The key with its policy read, so that a check sees only the statements that stand open."""
    metadata = seen["key"].map(lambda answer: answer["KeyMetadata"])
    state = metadata.map(lambda known: known["KeyState"])
    statements = _asked(metadata, statements_of(seen["policy"].map(lambda answer: answer and answer["Policy"])))
    return Key(
        name=seen["KeyId"],
        customer_managed=_customer_managed(seen),
        state=state,
        can_rotate=_can_rotate(seen),
        rotates=_asked(metadata, seen["rotation"].map(lambda answer: answer and bool(answer["KeyRotationEnabled"]))),
        pending_deletion=state.map(lambda known: known in LEAVING),
        deletion_at=metadata.map(lambda known: known.get("DeletionDate")),
        open_statements=statements.map(open_to_strangers),
        shared_with=statements.map(sharers),
    )


def _asked(metadata: Reading[object], answer: Reading[T]) -> Reading[T]:
    """The answer, unless nobody could know whether to ask for it: then the reason why the metadata is hidden."""
    return metadata if isinstance(metadata, Unseen) else answer
