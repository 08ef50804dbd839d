"""Lambda functions: who may call them, what they run on, what their variables show, and whether failed events are kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from auditor.collectors.aws._ec2 import holds, parts
from auditor.collectors.aws._tables import supported_until
from auditor.collectors.aws._variables import scan_variables, told_secrets
from auditor.domain.policy import open_to_strangers, statements_of
from auditor.domain.reading import UNSEEN_KEY, Reading, Readings, Seen, Unseen
from auditor.domain.resource_type import Listing, Read, ResourceType


@dataclass(frozen=True, slots=True)
class Function:
    """A function as strangers meet it; ``secrets`` says pattern and variable name, never a value."""

    name: Reading[str]
    package: Reading[str]
    runtime: Reading[str | None]
    supported_until: Reading[datetime]
    secrets: Reading[tuple[str, ...]]
    open_statements: Reading[tuple[str, ...]]
    open_urls: Reading[tuple[str, ...]]
    failures_kept: Reading[bool]


def functions(page: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The functions, each with what its variables show in place of the variables themselves."""
    for item in page.get("Functions", ()):
        told = {name: value for name, value in item.items() if name != "Environment"}
        yield {**told, "ScannedVariables": scanned(item.get("Environment") or {})}


def scanned(environment: Mapping[str, Any]) -> dict[str, Any]:
    """What the variables show. Those that Lambda could not decrypt for us come as an error and were not seen."""
    error = environment.get("Error")
    if error:
        return {UNSEEN_KEY: f"{error.get('ErrorCode') or 'Unreadable'} kms:Decrypt"}
    return scan_variables((environment.get("Variables") or {}).items())


function = ResourceType(
    "aws.lambda.function",
    version=3,
    title="Lambda function",
    listing=Listing(
        "lambda:list_functions",
        items=functions,
        id="FunctionArn",
        keep=(
            "FunctionName",
            "FunctionArn",
            "PackageType",
            "Runtime",
            "DeadLetterConfig.TargetArn",
            "ScannedVariables",
        ),
    ),
    details={
        "policy": Read(
            "lambda:get_policy",
            FunctionName="{FunctionName}",
            absent=("ResourceNotFoundException",),
            keep=("Policy",),
        ),
        "urls": Read(
            "lambda:list_function_url_configs",
            FunctionName="{FunctionName}",
            items="FunctionUrlConfigs",
            keep=("FunctionArn", "AuthType"),
        ),
        "destinations": Read(
            "lambda:list_function_event_invoke_configs",
            FunctionName="{FunctionName}",
            items="FunctionEventInvokeConfigs",
            keep=("FunctionArn", "DestinationConfig.OnFailure.Destination"),
        ),
    },
)


@function.document
def describe_function(seen: Readings) -> Function:
    """The function with its policy read; an image brings its own runtime, so its end of support is nobody's to say."""
    package = seen["PackageType"].map(lambda kind: str(kind or "Zip"))
    image = package == Seen("Image")
    policy = seen["policy"].map(lambda answer: answer and answer["Policy"])
    return Function(
        name=seen["FunctionName"],
        package=package,
        runtime=seen["Runtime"],
        supported_until=Unseen("an image brings its own")
        if image
        else supported_until("lambda_runtimes", seen["Runtime"], "runtime"),
        secrets=told_secrets(seen["ScannedVariables"]),
        open_statements=statements_of(policy).map(open_to_strangers),
        open_urls=_open_urls(seen["urls"]),
        failures_kept=_failures_kept(seen),
    )


def _open_urls(urls: Reading[list[Any] | None]) -> Reading[tuple[str, ...]]:
    """The functions and aliases whose URL asks nobody who they are; one that was seen is enough to tell."""
    known, hidden = parts(urls)
    found = tuple(sorted(str(url["FunctionArn"]).partition(":function:")[2] for url in known if not _signed(url)))
    return Seen(found) if found or hidden is None else hidden


def _signed(url: Mapping[str, Any]) -> bool:
    return url.get("AuthType") == "AWS_IAM"


def _failures_kept(seen: Readings) -> Reading[bool]:
    if seen["DeadLetterConfig"].map(lambda config: bool((config or {}).get("TargetArn"))) == Seen(value=True):
        return Seen(value=True)
    return holds(seen["destinations"], _keeps_failures)


def _keeps_failures(config: Mapping[str, Any]) -> bool:
    return bool(((config.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination"))
