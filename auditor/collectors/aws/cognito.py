"""Cognito user pools: what the people who sign in to our applications must show."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.domain.reading import Reading, Readings
from auditor.domain.resource_type import Listing, Read, ResourceType


@dataclass(frozen=True, slots=True)
class UserPool:
    """A pool of users; ``mfa`` is ``ON``, ``OPTIONAL`` or ``OFF``."""

    name: Reading[str]
    mfa: Reading[str]


POOLS = Listing(
    "cognito-idp:list_user_pools",
    MaxResults=60,
    items="UserPools",
    id="arn:{partition}:cognito-idp:{region}:{account}:userpool/{Id}",
    keep=("Id", "Name"),
)

user_pool = ResourceType(
    "aws.cognito.user_pool",
    version=1,
    title="Cognito user pool",
    listing=POOLS,
    details={
        "factors": Read("cognito-idp:get_user_pool_mfa_config", UserPoolId="{Id}", keep=("MfaConfiguration",)),
    },
)


@user_pool.document
def describe_user_pool(seen: Readings) -> UserPool:
    """The pool; one that says nothing of second factors asks for none."""
    return UserPool(
        name=seen["Name"],
        mfa=seen["factors"].map(lambda answer: (answer or {}).get("MfaConfiguration") or "OFF"),
    )
