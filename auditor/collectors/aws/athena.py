"""Athena workgroups: whether query results are encrypted, whatever the one who asks would like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from auditor.collectors.aws._answers import inside
from auditor.collectors.aws._listed import listed
from auditor.domain.reading import Reading, Readings
from auditor.domain.resource_type import Listing, Read, ResourceType


@dataclass(frozen=True, slots=True)
class WorkGroup:
    """A workgroup; results that Athena keeps itself are always encrypted."""

    name: str
    state: Reading[str]
    results_encrypted: Reading[bool]
    enforced: Reading[bool]


workgroup = ResourceType(
    "aws.athena.workgroup",
    version=1,
    title="Athena workgroup",
    listing=Listing(
        "athena:list_work_groups",
        items="WorkGroups",
        id="arn:{partition}:athena:{region}:{account}:workgroup/{Name}",
        keep=("Name", "State"),
    ),
    details={
        "configuration": Read(
            "athena:get_work_group",
            WorkGroup="{Name}",
            keep=(
                "WorkGroup.Configuration.EnforceWorkGroupConfiguration",
                "WorkGroup.Configuration.ManagedQueryResultsConfiguration.Enabled",
                "WorkGroup.Configuration.ResultConfiguration.EncryptionConfiguration.EncryptionOption",
            ),
        ),
    },
)


@workgroup.document
def describe_workgroup(seen: Readings) -> WorkGroup:
    """The workgroup with both ways to keep results read as one fact."""
    configuration = seen["configuration"].map(lambda answer: inside(answer, "WorkGroup", "Configuration"))
    return WorkGroup(
        name=listed(seen["Name"]),
        state=seen["State"].map(lambda state: state or "ENABLED"),
        results_encrypted=configuration.map(_encrypted),
        enforced=configuration.map(lambda known: bool(inside(known, "EnforceWorkGroupConfiguration"))),
    )


def _encrypted(known: Any) -> bool:
    own = inside(known, "ResultConfiguration", "EncryptionConfiguration", "EncryptionOption")
    return bool(own or inside(known, "ManagedQueryResultsConfiguration", "Enabled"))
