"""Applications that sign people in through a Cognito user pool: how long what they hand out stays good."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from auditor.collectors.aws.cognito import POOLS
from auditor.domain.reading import Reading, Readings
from auditor.domain.resource_type import Listing, Read, ResourceType

MINUTES = {"seconds": 1 / 60, "minutes": 1, "hours": 60, "days": 24 * 60}
DEFAULT_ACCESS_HOURS = 1
DEFAULT_REFRESH_DAYS = 30


@dataclass(frozen=True, slots=True)
class Client:
    """An application client with the lives of its tokens."""

    name: Reading[str]
    access_minutes: Reading[float]
    refresh_days: Reading[float]


client = ResourceType(
    "aws.cognito.client",
    version=1,
    title="Cognito application client",
    listing=Listing(
        "cognito-idp:list_user_pool_clients",
        UserPoolId="{Id}",
        MaxResults=60,
        within=(POOLS,),
        items="UserPoolClients",
        id="arn:{partition}:cognito-idp:{region}:{account}:userpool/{UserPoolId}/client/{ClientId}",
        keep=("ClientId", "ClientName"),
    ),
    details={
        "settings": Read(
            "cognito-idp:describe_user_pool_client",
            UserPoolId="{UserPoolId}",
            ClientId="{ClientId}",
            keep=(
                "UserPoolClient.AccessTokenValidity",
                "UserPoolClient.RefreshTokenValidity",
                "UserPoolClient.TokenValidityUnits",
            ),
        ),
    },
)


@client.document
def describe_client(seen: Readings) -> Client:
    """The client; AWS counts access in hours and refresh in days unless units say otherwise."""
    told = seen["settings"].map(lambda answer: (answer or {}).get("UserPoolClient") or {})
    return Client(
        name=seen["ClientName"],
        access_minutes=told.map(_access_minutes),
        refresh_days=told.map(_refresh_days),
    )


def _access_minutes(told: Mapping[str, Any]) -> float:
    unit = (told.get("TokenValidityUnits") or {}).get("AccessToken") or "hours"
    return float((told.get("AccessTokenValidity") or DEFAULT_ACCESS_HOURS * 60 / MINUTES[unit]) * MINUTES[unit])


def _refresh_days(told: Mapping[str, Any]) -> float:
    unit = (told.get("TokenValidityUnits") or {}).get("RefreshToken") or "days"
    minutes = (told.get("RefreshTokenValidity") or DEFAULT_REFRESH_DAYS * MINUTES["days"] / MINUTES[unit]) * MINUTES[
        unit
    ]
    return float(minutes / MINUTES["days"])
