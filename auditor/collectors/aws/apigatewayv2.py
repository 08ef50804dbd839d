"""HTTP and WebSocket APIs: which stages keep no record of calls."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.collectors.aws._ec2 import Item, holds
from auditor.collectors.aws._offenders import offenders
from auditor.domain.reading import Reading, Readings, Seen, Unseen
from auditor.domain.resource_type import Listing, Read, ResourceType


@dataclass(frozen=True, slots=True)
class Api:
    """An HTTP or WebSocket API with its stages that log no calls."""

    name: Reading[str]
    protocol: Reading[str]
    has_stages: Reading[bool]
    silent_stages: tuple[str | Unseen, ...]


api = ResourceType(
    "aws.apigatewayv2.api",
    version=1,
    title="HTTP or WebSocket API",
    listing=Listing(
        "apigatewayv2:get_apis",
        items="Items",
        id="arn:{partition}:apigateway:{region}::/apis/{ApiId}",
        keep=("ApiId", "Name", "ProtocolType"),
    ),
    details={
        "stages": Read(
            "apigatewayv2:get_stages",
            ApiId="{ApiId}",
            items="Items",
            keep=("StageName", "AccessLogSettings.DestinationArn"),
        ),
    },
)


@api.document
def describe_api(seen: Readings) -> Api:
    """The API with its silent stages named."""
    name = seen["Name"]
    return Api(
        name=seen["ApiId"].map(lambda id_: f"{id_} ({name.value})" if isinstance(name, Seen) else str(id_)),
        protocol=seen["ProtocolType"],
        has_stages=holds(seen["stages"]),
        silent_stages=offenders(seen["stages"], _silent),
    )


def _silent(stage: Item) -> Reading[str | None]:
    logged = (stage.get("AccessLogSettings") or {}).get("DestinationArn")
    return Seen(None if logged else str(stage.get("StageName")))
