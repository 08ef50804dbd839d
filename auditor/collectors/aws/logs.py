"""CloudWatch Logs: groups with their keeping time and key, filters that turn lines into metrics, and who may write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from auditor.collectors.aws._ec2 import Item
from auditor.collectors.aws._listed import listed
from auditor.collectors.aws._offenders import offenders
from auditor.domain.policy import open_to_strangers, statements_of
from auditor.domain.reading import Reading, Readings, Seen, Unseen
from auditor.domain.resource_type import Listing, Read, ResourceType


@dataclass(frozen=True, slots=True)
class LogGroup:
    """A group; without ``retention_days`` its lines are kept for ever."""

    name: str
    retention_days: Reading[int | None]
    kms_key: Reading[str | None]


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric by its full name."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class MetricFilter:
    """A filter on a group with the metrics it feeds; those it splits by dimensions are watched in slices and left out."""

    name: str
    log_group: str
    pattern: str
    metrics: tuple[Metric, ...]


@dataclass(frozen=True, slots=True)
class ResourcePolicies:
    """A region's policies on who may write logs; those that let anybody in are named."""

    name: str
    open_policies: tuple[str | Unseen, ...]


log_group = ResourceType(
    "aws.logs.log_group",
    version=1,
    title="CloudWatch log group",
    listing=Listing(
        "logs:describe_log_groups",
        items="logGroups",
        id="arn:{partition}:logs:{region}:{account}:log-group:{logGroupName}",
        keep=("logGroupName", "retentionInDays", "kmsKeyId"),
    ),
)

metric_filter = ResourceType(
    "aws.logs.metric_filter",
    version=1,
    title="CloudWatch Logs metric filter",
    listing=Listing(
        "logs:describe_metric_filters",
        items="metricFilters",
        id="arn:{partition}:logs:{region}:{account}:log-group:{logGroupName}/metric-filter/{filterName}",
        keep=(
            "filterName",
            "filterPattern",
            "logGroupName",
            "metricTransformations[].metricName",
            "metricTransformations[].metricNamespace",
            "metricTransformations[].dimensions",
        ),
    ),
)

resource_policies = ResourceType(
    "aws.logs.resource_policies",
    version=1,
    title="CloudWatch Logs resource policies of a region",
    details={
        "policies": Read(
            "logs:describe_resource_policies", items="resourcePolicies", keep=("policyName", "policyDocument")
        )
    },
)


@log_group.document
def describe_log_group(seen: Readings) -> LogGroup:
    """The group as listed."""
    return LogGroup(listed(seen["logGroupName"]), seen["retentionInDays"], seen["kmsKeyId"])


@metric_filter.document
def describe_metric_filter(seen: Readings) -> MetricFilter:
    """The filter as listed; no pattern at all matches every line."""
    match seen["metricTransformations"]:
        case Seen(told):
            feeds: list[Mapping[str, Any]] = told or []
        case Unseen(reason):
            raise RuntimeError(f"a listed field cannot be unseen: {reason}")
    return MetricFilter(
        name=listed(seen["filterName"]),
        log_group=listed(seen["logGroupName"]),
        pattern=listed(seen["filterPattern"].map(lambda pattern: pattern or "")),
        metrics=tuple(
            Metric(feed["metricNamespace"], feed["metricName"]) for feed in feeds if not feed.get("dimensions")
        ),
    )


@resource_policies.document
def describe_resource_policies(seen: Readings) -> ResourcePolicies:
    """The region's log policies, of which only the open ones are told."""
    return ResourcePolicies(name="CloudWatch Logs", open_policies=offenders(seen["policies"], _open))


def _open(policy: Item) -> Reading[str | None]:
    statements = statements_of(Seen(policy.get("policyDocument")))
    return statements.map(lambda parsed: policy["policyName"] if open_to_strangers(parsed) else None)
