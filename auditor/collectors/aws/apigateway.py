"""REST APIs: which methods anybody may call, and which stages keep no record of calls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from auditor.collectors.aws._ec2 import Item, holds
from auditor.collectors.aws._offenders import offenders
from auditor.domain.reading import Reading, Readings, Seen, Unseen, both
from auditor.domain.resource_type import Listing, Read, ResourceType

NOT_JUDGED = "OPTIONS"
"""Browsers ask with it before they sign in, so it cannot demand a caller."""


@dataclass(frozen=True, slots=True)
class RestApi:
    """A REST API; ``shielded`` is private with a resource policy, ``open_methods`` ask nobody who calls."""

    name: Reading[str]
    shielded: Reading[bool]
    has_methods: Reading[bool]
    open_methods: tuple[str | Unseen, ...]
    has_stages: Reading[bool]
    silent_stages: tuple[str | Unseen, ...]


def methods(page: Item) -> Iterator[Item]:
    """Every method of every resource of this page, but for those that are not judged."""
    for resource in page.get("items", ()):
        for verb, method in sorted((resource.get("resourceMethods") or {}).items()):
            if verb != NOT_JUDGED:
                asked = (method or {}).get("authorizationType")
                yield {"path": resource.get("path"), "verb": verb, "authorizationType": asked}


rest_api = ResourceType(
    "aws.apigateway.rest_api",
    version=1,
    title="REST API",
    listing=Listing(
        "apigateway:get_rest_apis",
        items="items",
        id="arn:{partition}:apigateway:{region}::/restapis/{id}",
        keep=("id", "name", "endpointConfiguration.types", "policy"),
        limit=500,
    ),
    details={
        "methods": Read(
            "apigateway:get_resources",
            restApiId="{id}",
            embed=["methods"],
            limit=500,
            items=methods,
            keep=("path", "verb", "authorizationType"),
        ),
        "stages": Read(
            "apigateway:get_stages",
            restApiId="{id}",
            items="item",
            keep=("stageName", "accessLogSettings.destinationArn", "methodSettings.*/*.loggingLevel"),
        ),
    },
)


@rest_api.document
def describe_rest_api(seen: Readings) -> RestApi:
    """The API with its open methods and its stages without a log named."""
    private = seen["endpointConfiguration"].map(lambda found: (found or {}).get("types") == ["PRIVATE"])
    name = seen["name"]
    return RestApi(
        name=seen["id"].map(lambda id_: f"{id_} ({name.value})" if isinstance(name, Seen) and name.value else str(id_)),
        shielded=both(private, seen["policy"].map(bool)).map(all),
        has_methods=holds(seen["methods"]),
        open_methods=offenders(seen["methods"], _open),
        has_stages=holds(seen["stages"]),
        silent_stages=offenders(seen["stages"], _silent),
    )


def _open(method: Item) -> Reading[str | None]:
    called = f"{method.get('verb')} {method.get('path')}"
    asked = method.get("authorizationType")
    if asked is None:
        return Unseen(f"method {called} was listed without its authorization")
    return Seen(called if str(asked).upper() == "NONE" else None)


def _silent(stage: Item) -> Reading[str | None]:
    everywhere = (stage.get("methodSettings") or {}).get("*/*") or {}
    logged = (stage.get("accessLogSettings") or {}).get("destinationArn")
    logged = logged or everywhere.get("loggingLevel") in {"ERROR", "INFO"}
    return Seen(None if logged else str(stage.get("stageName")))
