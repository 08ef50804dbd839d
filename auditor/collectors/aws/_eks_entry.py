"""The way into an EKS cluster: where its API answers, and the bearer tokens that it takes, made of AWS credentials.

A token is a signed question to STS, who asks this, which the cluster puts on our behalf. The cluster's name is signed with it,
so that one cluster cannot show another what it was handed.
"""

from __future__ import annotations

from base64 import b64decode, urlsafe_b64encode
from dataclasses import dataclass

from auditor.collectors.aws._client import AwsCaller
from auditor.domain.errors import CollectionError
from auditor.domain.ports import CallFailed

LASTS = 14 * 60.0
"""Seconds in which a token is used; clusters take one for fifteen minutes from its signing, whatever its URL says."""
SIGNED_FOR = 60
"""Seconds that the URL itself is good for: what clusters ask for, and enough for the one question that it is."""
CLUSTER = "x-k8s-aws-id"


@dataclass(frozen=True, slots=True)
class Entry:
    """Where the API of a cluster answers, and the certificate of its authority, in PEM."""

    url: str
    authority: str


def entry(caller: AwsCaller, cluster: str, region: str) -> Entry:
    """The cluster's address as its account tells it.

    Raises:
        CollectionError: It is not told: no such cluster, no permission, or it is still being made.
    """
    try:
        (answer,) = caller.pages("eks:describe_cluster", {"name": cluster}, region=region)
    except CallFailed as failure:
        raise CollectionError(
            f"AWS does not tell where the cluster {cluster} of {region} is: {failure.reason}",
            advice="Allow eks:DescribeCluster; `aws eks list-clusters` with the same credentials shows the names",
        ) from failure
    told = answer["cluster"]
    try:
        authority = b64decode(told["certificateAuthority"]["data"], validate=True).decode("ascii")
        return Entry(str(told["endpoint"]), authority)
    except (KeyError, TypeError, ValueError) as error:
        raise CollectionError(
            f"the cluster {cluster} of {region} has no address yet; it is {told.get('status', 'in an unknown state')}",
            advice="Try again when `aws eks describe-cluster` shows it as ACTIVE",
        ) from error


def token(caller: AwsCaller, cluster: str, region: str) -> str:
    """A fresh bearer token of whom we are, for this cluster alone. It is a secret for ``LASTS`` seconds."""
    url = caller.signed_identity(region, {CLUSTER: cluster}, seconds=SIGNED_FOR)
    return "k8s-aws-v1." + urlsafe_b64encode(url.encode()).decode().rstrip("=")


def arn(caller: AwsCaller, cluster: str, region: str) -> str:
    """How AWS calls a cluster of this account."""
    return f"arn:{caller.partition}:eks:{region}:{caller.account}:cluster/{cluster}"
