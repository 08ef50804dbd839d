"""CodeBuild projects: whether their plain variables hold secrets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from auditor.collectors.aws._listed import listed
from auditor.collectors.aws._variables import scan_variables, told_secrets
from auditor.domain.reading import UNSEEN_KEY, Reading, Readings
from auditor.domain.resource_type import Listing, Read, ResourceType


@dataclass(frozen=True, slots=True)
class Project:
    """A build project; ``secrets`` says pattern and variable name, never a value."""

    name: str
    secrets: Reading[tuple[str, ...]]


def projects(page: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The listed names."""
    return ({"name": name} for name in page.get("projects", ()))


def scan_project(answer: Mapping[str, Any]) -> dict[str, Any]:
    """What the plain variables of the one project asked for show; those in a store are references."""
    known = next(iter(answer.get("projects") or ()), None)
    if known is None:
        return {UNSEEN_KEY: "NotFound codebuild:BatchGetProjects"}
    variables = (known.get("environment") or {}).get("environmentVariables") or ()
    return scan_variables(
        (each.get("name"), each.get("value")) for each in variables if each.get("type", "PLAINTEXT") == "PLAINTEXT"
    )


project = ResourceType(
    "aws.codebuild.project",
    version=2,
    title="CodeBuild project",
    listing=Listing(
        "codebuild:list_projects",
        items=projects,
        id="arn:{partition}:codebuild:{region}:{account}:project/{name}",
        keep=("name",),
    ),
    # One call each: a call for a hundred would need their names, which no single one of them knows.
    details={"variables": Read("codebuild:batch_get_projects", names=["{name}"], project=scan_project)},
)


@project.document
def describe_project(seen: Readings) -> Project:
    """The project with what its plain variables show."""
    return Project(name=listed(seen["name"]), secrets=told_secrets(seen["variables"]))
