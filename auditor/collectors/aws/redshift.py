"""Redshift clusters: who reaches them and how, what they record, and how far back they can be restored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from auditor.collectors.aws._answers import inside, number, told
from auditor.domain.reading import UNSEEN_KEY, Reading, Readings, Seen, Unseen, as_reading
from auditor.domain.resource_type import Listing, Read, ResourceType

REQUIRE_TLS = "require_ssl"
IN_FORCE = "in-sync"


@dataclass(frozen=True, slots=True)
class Cluster:
    """A warehouse with its own settings and what its parameter group asks of connections."""

    name: Reading[str]
    encrypted: Reading[bool]
    public: Reading[bool]
    retention_days: Reading[int]
    logged: Reading[bool]
    refuses_plain: Reading[bool]


def clusters(page: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Clusters, each with its one parameter group and how far the parameter about TLS is applied."""
    for item in page.get("Clusters", ()):
        group: Mapping[str, Any] = next(iter(item.get("ClusterParameterGroups") or ()), {})
        applied = {
            row.get("ParameterName"): row.get("ParameterApplyStatus")
            for row in group.get("ClusterParameterStatusList") or ()
        }
        yield {
            **item,
            "ParameterGroup": group.get("ParameterGroupName"),
            "ParameterStatus": applied.get(REQUIRE_TLS) or group.get("ParameterApplyStatus"),
        }


def transport_parameters(page: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The one parameter that refuses plain connections, out of all that the service tells."""
    return (row for row in page.get("Parameters", ()) if row.get("ParameterName") == REQUIRE_TLS)


cluster = ResourceType(
    "aws.redshift.cluster",
    version=1,
    title="Redshift cluster",
    listing=Listing(
        "redshift:describe_clusters",
        items=clusters,
        id="arn:{partition}:redshift:{region}:{account}:cluster:{ClusterIdentifier}",
        keep=(
            "ClusterIdentifier",
            "Encrypted",
            "PubliclyAccessible",
            "AutomatedSnapshotRetentionPeriod",
            "ParameterGroup",
            "ParameterStatus",
        ),
    ),
    details={
        "logging": Read(
            "redshift:describe_logging_status",
            ClusterIdentifier="{ClusterIdentifier}",
            keep=("LoggingEnabled", "BucketName", "LogDestinationType"),
        ),
        "parameters": Read(
            "redshift:describe_cluster_parameters",
            ParameterGroupName="{ParameterGroup}",
            items=transport_parameters,
            keep=("ParameterName", "ParameterValue"),
        ),
    },
)


@cluster.document
def describe_cluster(seen: Readings) -> Cluster:
    """The cluster's settings; a parameter that still awaits a restart says nothing about what holds now."""
    return Cluster(
        name=seen["ClusterIdentifier"],
        encrypted=seen["Encrypted"].map(bool),
        public=told(seen["PubliclyAccessible"], "PubliclyAccessible"),
        retention_days=seen["AutomatedSnapshotRetentionPeriod"].map(number),
        logged=seen["logging"].map(lambda answer: bool(inside(answer, "LoggingEnabled"))),
        refuses_plain=_refuses_plain(seen["parameters"], seen["ParameterStatus"]),
    )


def _refuses_plain(
    parameters: Reading[Sequence[Mapping[str, Any]] | None], status: Reading[str | None]
) -> Reading[bool]:
    if isinstance(parameters, Unseen):
        return parameters
    if isinstance(status, Unseen):
        return status
    rows = parameters.value
    return Unseen("no parameter group is named") if rows is None else _judged(rows, status.value)


def _judged(rows: Sequence[Mapping[str, Any]], applied: str | None) -> Reading[bool]:
    if applied not in {None, IN_FORCE}:
        return Unseen(f"the parameter group is {applied}")
    for row in rows:
        if row.get("ParameterName") == REQUIRE_TLS:
            return Seen(str(row.get("ParameterValue")).lower() == "true")
    cut_short = next((as_reading(row) for row in rows if UNSEEN_KEY in row), None)
    return cut_short if isinstance(cut_short, Unseen) else Unseen(f"{REQUIRE_TLS} is not among the parameters")
