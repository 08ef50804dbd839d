"""ECR repositories: who may pull, whether a tag can be moved, and whether images are scanned by repository or registry."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from auditor.domain.policy import glob, open_to_strangers, statements_of
from auditor.domain.reading import Reading, Readings, Seen, Unseen
from auditor.domain.resource_type import Listing, Read, ResourceType

SCANNING = frozenset({"SCAN_ON_PUSH", "CONTINUOUS_SCAN"})


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository with the registry's scanning rules applied to its name."""

    name: Reading[str]
    tag_mutability: Reading[str | None]
    tags_fixed: Reading[bool]
    scanned: Reading[bool]
    open_statements: Reading[tuple[str, ...]]


repository = ResourceType(
    "aws.ecr.repository",
    version=1,
    title="ECR repository",
    listing=Listing(
        "ecr:describe_repositories",
        items="repositories",
        id="repositoryArn",
        keep=(
            "repositoryArn",
            "repositoryName",
            "imageTagMutability",
            "imageTagMutabilityExclusionFilters[].filter",
            "imageScanningConfiguration.scanOnPush",
        ),
    ),
    details={
        "policy": Read(
            "ecr:get_repository_policy",
            repositoryName="{repositoryName}",
            absent=("RepositoryPolicyNotFoundException",),
            keep=("policyText",),
        ),
        "scanning": Read(
            "ecr:get_registry_scanning_configuration",
            keep=(
                "scanningConfiguration.scanType",
                "scanningConfiguration.rules[].scanFrequency",
                "scanningConfiguration.rules[].repositoryFilters[].filter",
            ),
        ),
    },
)


@repository.document
def describe_repository(seen: Readings) -> Repository:
    """The repository; its own scan flag counts only while the registry scans the basic way."""
    policy = seen["policy"].map(lambda answer: answer and answer["policyText"])
    return Repository(
        name=seen["repositoryName"],
        tag_mutability=seen["imageTagMutability"],
        tags_fixed=_tags_fixed(seen["imageTagMutability"], seen["imageTagMutabilityExclusionFilters"]),
        scanned=_scanned(seen),
        open_statements=statements_of(policy).map(open_to_strangers),
    )


def _tags_fixed(mutability: Reading[Any], spared: Reading[Any]) -> Reading[bool]:
    """An exclusion that takes in every tag leaves nothing fixed."""
    if isinstance(mutability, Unseen):
        return mutability
    if not str(mutability.value or "").startswith("IMMUTABLE"):
        return Seen(value=False)
    return spared.map(lambda filters: not any(set(str(each.get("filter"))) == {"*"} for each in filters or ()))


def _scanned(seen: Readings) -> Reading[bool]:
    scanning, name = seen["scanning"], seen["repositoryName"]
    if isinstance(scanning, Unseen):
        return scanning
    if isinstance(name, Unseen):
        return name
    registry = (scanning.value or {}).get("scanningConfiguration") or {}
    if any(_covers(rule, str(name.value)) for rule in registry.get("rules") or ()):
        return Seen(value=True)
    if registry.get("scanType") == "ENHANCED":
        return Seen(value=False)
    return seen["imageScanningConfiguration"].map(lambda own: bool((own or {}).get("scanOnPush")))


def _covers(rule: Mapping[str, Any], name: str) -> bool:
    """A filter without a wildcard takes in every name that holds it."""
    filters = [str(each.get("filter") or "") for each in rule.get("repositoryFilters") or ()]
    patterns = [found if "*" in found else f"*{found}*" for found in filters if re.fullmatch(r"[^?]+", found)]
    return rule.get("scanFrequency") in SCANNING and any(glob(pattern, name) for pattern in patterns)
