"""ECS services and the task definitions they run: public addresses, powers over the host, variables and logs.

Old revisions stay on record for ever; judged are those that a service uses now or is being moved to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from auditor.collectors.aws._variables import told_secrets
from auditor.domain.reading import Reading, Readings
from auditor.domain.redaction import Piece, variable, withhold
from auditor.domain.resource_type import Listing, Read, ResourceType

BATCH = 10
"""Services that one call may describe."""


@dataclass(frozen=True, slots=True)
class Service:
    """A service; ``public_ip`` is the vendor's word, null where tasks share the network of their host."""

    name: Reading[str]
    public_ip: Reading[str | None]


@dataclass(frozen=True, slots=True)
class TaskDefinition:
    """A revision in use, with what stands against it in words; ``secrets`` never says a value."""

    name: Reading[str]
    host_powers: Reading[tuple[str, ...]]
    secrets: Reading[tuple[str, ...]]
    silent: Reading[tuple[str, ...]]


def clusters(page: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The listed clusters."""
    return ({"cluster": arn} for arn in page.get("clusterArns", ()))


def batches(page: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The listed services, as many together as one call may describe."""
    arns = list(page.get("serviceArns", ()))
    return ({"batch": arns[start : start + BATCH]} for start in range(0, len(arns), BATCH))


def services(page: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The services with how their tasks stand in the network; a service without a setting of its own may have task sets."""
    for item in page.get("services", ()):
        settings = [item.get("networkConfiguration"), *(each.get("networkConfiguration") for each in _sets(item))]
        networks = [found for each in settings if (found := (each or {}).get("awsvpcConfiguration"))]
        yield {**item, "PublicIps": sorted({str(each.get("assignPublicIp") or "DISABLED") for each in networks})}


def revisions(page: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The revisions that services use, each once, those of deployments under way included."""
    used = {
        part.get("taskDefinition")
        for item in page.get("services", ())
        for part in (item, *(item.get("deployments") or ()), *_sets(item))
    }
    return ({"taskDefinition": arn} for arn in sorted(str(each) for each in used if each))


def scan_definition(answer: Mapping[str, Any]) -> dict[str, Any]:
    """A revision without the values of its variables: how its containers run, and what the variables show."""
    known = answer.get("taskDefinition") or {}
    containers = known.get("containerDefinitions") or ()
    return {
        "network": known.get("networkMode"),
        "processes": known.get("pidMode"),
        "containers": [
            {
                "name": each.get("name"),
                "essential": each.get("essential", True),
                "privileged": bool(each.get("privileged")),
                "log_driver": (each.get("logConfiguration") or {}).get("logDriver"),
            }
            for each in containers
        ],
        "variables": withhold(piece for each in containers for piece in _pieces(each)),
    }


def _pieces(container: Mapping[str, Any]) -> Iterator[Piece]:
    for each in container.get("environment") or ():
        name = str(each.get("name"))
        yield variable(name, str(each.get("value") or ""), place=f"{name} of {container.get('name')}")


def _sets(service: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    return tuple(service.get("taskSets") or ())


_LISTED = (
    Read("ecs:list_clusters", items=clusters, keep=("cluster",)),
    Read(
        "ecs:list_services",
        cluster="{cluster}",
        maxResults=100,
        items=batches,
        absent=("ClusterNotFoundException",),
        keep=("batch",),
    ),
)

service = ResourceType(
    "aws.ecs.service",
    version=1,
    title="ECS service",
    listing=Listing(
        "ecs:describe_services",
        within=_LISTED,
        cluster="{cluster}",
        services="{batch}",
        items=services,
        absent=("ClusterNotFoundException",),
        id="serviceArn",
        keep=("serviceArn", "serviceName", "PublicIps"),
    ),
)

task_definition = ResourceType(
    "aws.ecs.task_definition",
    version=2,
    title="ECS task definition",
    listing=Listing(
        "ecs:describe_services",
        within=_LISTED,
        cluster="{cluster}",
        services="{batch}",
        items=revisions,
        absent=("ClusterNotFoundException",),
        id="taskDefinition",
        keep=("taskDefinition",),
    ),
    details={
        "described": Read("ecs:describe_task_definition", taskDefinition="{taskDefinition}", project=scan_definition),
    },
)


@service.document
def describe_service(seen: Readings) -> Service:
    """The service; one task set with a public address is enough."""
    return Service(
        name=seen["serviceName"],
        public_ip=seen["PublicIps"].map(lambda known: max(known, default=None)),  # ENABLED comes after DISABLED
    )


@task_definition.document
def describe_task_definition(seen: Readings) -> TaskDefinition:
    """The revision under its family and number."""
    described = seen["described"]
    return TaskDefinition(
        name=seen["taskDefinition"].map(lambda arn: str(arn).rpartition("/")[2]),
        host_powers=described.map(_host_powers),
        secrets=told_secrets(described.map(lambda known: known["variables"])),
        silent=described.map(_silent),
    )


def _host_powers(known: Mapping[str, Any]) -> tuple[str, ...]:
    privileged = (f"container {each['name']} is privileged" for each in known["containers"] if each["privileged"])
    network = ("the network of the host",) if known["network"] == "host" else ()
    processes = ("the processes of the host",) if known["processes"] == "host" else ()
    return (*privileged, *network, *processes)


def _silent(known: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(each["name"]) for each in known["containers"] if each["essential"] and not each["log_driver"])
