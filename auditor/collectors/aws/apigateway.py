"""REST APIs: whether each method asks who calls, and which stages keep no record of calls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from auditor.collectors.aws._ec2 import Item, holds
from auditor.collectors.aws._listed import listed
from auditor.collectors.aws._offenders import offenders
from auditor.domain.reading import Reading, Readings, Seen, Unseen, both
from auditor.domain.resource_type import Listing, Read, ResourceType

NOT_JUDGED = "OPTIONS"
"""Browsers ask with it before they sign in, so it cannot demand a caller."""


@dataclass(frozen=True, slots=True)
class RestApi:
    """A REST API with its stages that keep no record."""

    name: Reading[str]
    has_stages: Reading[bool]
    silent_stages: tuple[str | Unseen, ...]


@dataclass(frozen=True, slots=True)
class Method:
    """A method of a REST API; an API is ``shielded`` if it is private and has a resource policy."""

    name: str
    shielded: Reading[bool]
    asks_who_calls: Reading[bool]


def methods(page: Item) -> Iterator[Item]:
    """Every method of every resource of this page, but for those that are not judged."""
    for resource in page.get("items", ()):
        for verb, method in sorted((resource.get("resourceMethods") or {}).items()):
            if verb != NOT_JUDGED:
                asked = (method or {}).get("authorizationType")
                yield {
                    "resourceId": resource.get("id"),
                    "path": resource.get("path"),
                    "verb": verb,
                    "authorizationType": asked,
                }


rest_api = ResourceType(
    "aws.apigateway.rest_api",
    version=2,
    title="REST API",
    listing=Listing(
        "apigateway:get_rest_apis",
        items="items",
        id="arn:{partition}:apigateway:{region}::/restapis/{id}",
        keep=("id", "name"),
        limit=500,
    ),
    details={
        "stages": Read(
            "apigateway:get_stages",
            restApiId="{id}",
            items="item",
            keep=("stageName", "accessLogSettings.destinationArn", "methodSettings.*/*.loggingLevel"),
        ),
    },
)

method = ResourceType(
    "aws.apigateway.method",
    version=1,
    title="Method of a REST API",
    listing=Listing(
        "apigateway:get_resources",
        restApiId="{id}",
        embed=["methods"],
        limit=500,
        within=(Read("apigateway:get_rest_apis", items="items", limit=500, keep=("id",)),),
        items=methods,
        id="arn:{partition}:apigateway:{region}::/restapis/{id}/resources/{resourceId}/methods/{verb}",
        keep=("id", "name", "endpointConfiguration.types", "policy", "path", "verb", "authorizationType"),
    ),
)


@rest_api.document
def describe_rest_api(seen: Readings) -> RestApi:
    """The API with its stages without a log named."""
    return RestApi(
        name=seen["id"].map(lambda id_: _called(str(id_), seen["name"])),
        has_stages=holds(seen["stages"]),
        silent_stages=offenders(seen["stages"], _silent),
    )


@method.document
def describe_method(seen: Readings) -> Method:
    """The method with what shields its API; one that was listed without its authorization was not seen."""
    private = seen["endpointConfiguration"].map(lambda found: (found or {}).get("types") == ["PRIVATE"])
    asked = seen["authorizationType"]
    return Method(
        name=f"{listed(seen['verb'])} {listed(seen['path'])} of {_called(listed(seen['id']), seen['name'])}",
        shielded=both(private, seen["policy"].map(bool)).map(all),
        asks_who_calls=Unseen("authorizationType is not in the listing")
        if asked == Seen(None)
        else asked.map(lambda word: str(word).upper() != "NONE"),
    )


def _called(id_: str, name: Reading[str | None]) -> str:
    return f"{id_} ({name.value})" if isinstance(name, Seen) and name.value else id_


def _silent(stage: Item) -> Reading[str | None]:
    everywhere = (stage.get("methodSettings") or {}).get("*/*") or {}
    logged = (stage.get("accessLogSettings") or {}).get("destinationArn")
    logged = logged or everywhere.get("loggingLevel") in {"ERROR", "INFO"}
    return Seen(None if logged else str(stage.get("stageName")))
