"""Systems Manager: what parameters keep, how shell sessions end and are recorded, who is patched, what documents give away.

Parameter values are never asked for: reading them needs a right that opens what the check wants closed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from auditor.collectors.aws._ec2 import first
from auditor.domain.reading import UNSEEN_KEY, Reading, Readings, Seen, Unseen
from auditor.domain.resource_type import DerivedType, Joined, Listing, Read, ResourceType
from auditor.domain.secrets import scan_named

SESSION_DOCUMENT = "SSM-SessionManagerRunShell"
DEFAULT_IDLE_MINUTES = 20
"""What Session Manager does where nobody set it. Source: Systems Manager User Guide, idle session timeout."""
ANY_NUMBER = "0"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter by its name and kind; ``secret_pattern`` is what its name looks like it holds."""

    name: Reading[str]
    kind: Reading[str]
    secret_pattern: Reading[str | None]


@dataclass(frozen=True, slots=True)
class Preferences:
    """How shell sessions of a region end and where they are recorded."""

    name: str
    idle_minutes: Reading[int]
    log_bucket: Reading[str | None]
    log_group: Reading[str | None]


@dataclass(frozen=True, slots=True)
class Session:
    """A region's shell sessions, and whether there is any instance to open one on."""

    name: str
    has_instances: Reading[bool]
    idle_minutes: Reading[int]
    recorded: Reading[bool]


@dataclass(frozen=True, slots=True)
class ManagedInstance:
    """A managed instance as its last patch scan left it; nulls where it was never scanned."""

    name: Reading[str]
    ping_status: Reading[str | None]
    scanned_at: Reading[datetime | None]
    critical_missing: Reading[int | None]
    security_missing: Reading[int | None]


@dataclass(frozen=True, slots=True)
class Document:
    """An automation document of our own and whether everybody may run it."""

    name: Reading[str]
    public: Reading[bool]


def parameters(page: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Parameters with the part of their name that stands in the ARN, where a leading slash is not doubled."""
    return ({**item, "Path": item["Name"].removeprefix("/")} for item in page.get("Parameters", ()))


def managed_instances(page: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Managed instances with the kind of ARN they have: EC2's own, or that of a machine from elsewhere."""
    for item in page.get("InstanceInformationList", ()):
        hybrid = item["InstanceId"].startswith("mi-")
        home = "ssm" if hybrid else "ec2"
        yield {**item, "Home": home, "Kind": "managed-instance" if hybrid else "instance"}


def session_inputs(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The three settings that count; the profile's shell commands stay behind."""
    try:
        inputs = json.loads(answer.get("Content") or "{}").get("inputs") or {}
        idle = inputs.get("idleSessionTimeout")
        minutes = int(idle) if idle not in {None, ""} else DEFAULT_IDLE_MINUTES
    except (ValueError, AttributeError, TypeError):
        return {UNSEEN_KEY: "DocumentUnreadable ssm:GetDocument"}
    bucket, group = inputs.get("s3BucketName") or None, inputs.get("cloudWatchLogGroupName") or None
    return {"idle_minutes": minutes, "log_bucket": bucket, "log_group": group}


parameter = ResourceType(
    "aws.ssm.parameter",
    version=1,
    title="Systems Manager parameter",
    listing=Listing(
        "ssm:describe_parameters",
        items=parameters,
        id="arn:{partition}:ssm:{region}:{account}:parameter/{Path}",
        keep=("Name", "Type"),
    ),
)

preferences = ResourceType(
    "aws.ssm.preferences",
    version=1,
    title="Session Manager preferences",
    details={
        "document": Read(
            "ssm:get_document",
            Name=SESSION_DOCUMENT,
            DocumentFormat="JSON",
            absent=("InvalidDocument",),
            project=session_inputs,
        ),
    },
)

instance = ResourceType(
    "aws.ssm.instance",
    version=2,
    title="Managed instance",
    listing=Listing(
        "ssm:describe_instance_information",
        items=managed_instances,
        id="arn:{partition}:{Home}:{region}:{account}:{Kind}/{InstanceId}",
        keep=("InstanceId", "ComputerName", "PingStatus"),
    ),
    details={
        "patches": Read(
            "ssm:describe_instance_patch_states",
            InstanceIds=["{InstanceId}"],
            items="InstancePatchStates",
            keep=("OperationEndTime", "CriticalNonCompliantCount", "SecurityNonCompliantCount"),
        ),
    },
    volatile=("patches[].OperationEndTime",),
)

document = ResourceType(
    "aws.ssm.document",
    version=1,
    title="Systems Manager document",
    listing=Listing(
        "ssm:list_documents",
        Filters=[{"Key": "Owner", "Values": ["Self"]}],
        items="DocumentIdentifiers",
        id="arn:{partition}:ssm:{region}:{account}:document/{Name}",
        keep=("Name", "DocumentType"),
    ),
    details={
        "permission": Read(
            "ssm:describe_document_permission", Name="{Name}", PermissionType="Share", keep=("AccountIds",)
        ),
    },
)

session = DerivedType(
    "aws.ssm.session",
    version=1,
    title="Shell sessions of a region",
    over="region",
    inputs=(preferences, instance),
)


@parameter.document
def describe_parameter(seen: Readings) -> Parameter:
    """The parameter, judged by its name alone."""
    return Parameter(name=seen["Name"], kind=seen["Type"], secret_pattern=seen["Name"].map(secret_pattern))


def secret_pattern(name: str) -> str | None:
    """The pattern that a parameter's whole name shows; one that ends in a pointer or a measure holds no secret.

    The value is not known: any number stands in for it, so that ``token_ttl`` and ``secret_arn`` are left alone.
    """
    return next((hit.pattern for hit in scan_named({name: ANY_NUMBER})), None)


@preferences.document
def describe_preferences(seen: Readings) -> Preferences:
    """The region's preferences; without a document the service's own defaults hold."""
    told = seen["document"].map(lambda settings: settings or {})
    return Preferences(
        name="Session Manager",
        idle_minutes=told.map(lambda known: known.get("idle_minutes", DEFAULT_IDLE_MINUTES)),
        log_bucket=told.map(lambda known: known.get("log_bucket")),
        log_group=told.map(lambda known: known.get("log_group")),
    )


@instance.document
def describe_instance(seen: Readings) -> ManagedInstance:
    """The instance with the outcome of its last patch operation."""
    patches = first(seen["patches"])
    named = seen["ComputerName"]
    return ManagedInstance(
        name=seen["InstanceId"].map(
            lambda id_: f"{id_} ({named.value})" if isinstance(named, Seen) and named.value else id_
        ),
        ping_status=seen["PingStatus"],
        scanned_at=patches.map(lambda found: found.get("OperationEndTime")),
        critical_missing=_count(patches, "CriticalNonCompliantCount"),
        security_missing=_count(patches, "SecurityNonCompliantCount"),
    )


@document.document
def describe_document(seen: Readings) -> Document:
    """The document; the account id ``all`` stands for everybody."""
    return Document(
        name=seen["Name"],
        public=seen["permission"].map(lambda answer: "all" in ((answer or {}).get("AccountIds") or ())),
    )


@session.document
def describe_session(joined: Joined) -> Session:
    """The region's preferences beside its managed instances."""
    managed = joined.of(instance)
    found = joined.of(preferences).documents()
    told = found[0] if found else Unseen("preferences were not collected")
    return Session(
        name=f"Session Manager in {joined.region}",
        has_instances=Unseen(managed.unseen) if managed.unseen and not managed.members else Seen(bool(managed.members)),
        idle_minutes=told if isinstance(told, Unseen) else told.idle_minutes,
        recorded=told if isinstance(told, Unseen) else _recorded(told),
    )


def _recorded(told: Preferences) -> Reading[bool]:
    bucket, group = told.log_bucket.map(bool), told.log_group.map(bool)
    if Seen(value=True) in {bucket, group}:
        return Seen(value=True)
    return next((one for one in (bucket, group) if isinstance(one, Unseen)), Seen(value=False))


def _count(patches: Reading[Mapping[str, Any]], field: str) -> Reading[int | None]:
    """A count that a scanned instance did not report is not zero."""
    if isinstance(patches, Seen) and patches.value and field not in patches.value:
        return Unseen(f"{field} was not reported")
    return patches.map(lambda found: found.get(field))
