"""Callers for clusters, joined from the way in, the credentials that open it, and the judge of addresses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from auditor.collectors.pace import Bucket
from auditor.domain.errors import CollectionError, ConfigurationError
from auditor.domain.source import ClusterAccess, Source

if TYPE_CHECKING:
    from auditor.collectors.aws._client import AwsCaller
    from auditor.collectors.kubernetes._client import ClusterCaller
    from auditor.collectors.kubernetes._connection import Door
    from auditor.trust.egress import Egress

CLUSTER_PORTS = frozenset({443, 6443, 8443})
"""Where API servers answer: the operator's own networks may have others."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Whom AWS is asked as: the usual chain, or a role by it."""

    profile: str | None = None
    role_arn: str | None = None
    external_id: str | None = None
    endpoint_url: str | None = None

    @classmethod
    def of(cls, source: Source) -> Credentials:
        """Those that a source names."""
        return cls(source.profile, source.role_arn, source.external_id, source.endpoint_url)

    def connect(self, expected_account: str | None = None) -> AwsCaller:
        """The account behind them. Raises ``CollectionError``, as ``collectors.aws._client.connect`` does."""
        from auditor.collectors.aws._client import connect  # noqa: PLC0415  (boto3 costs 134 ms to import)

        return connect(
            profile=self.profile,
            role_arn=self.role_arn,
            external_id=self.external_id,
            endpoint_url=self.endpoint_url,
            expected_account=expected_account,
            threads=2,
        )


def eks_arn(credentials: Credentials, cluster: str, region: str) -> str:
    """How AWS calls a cluster of the account behind these credentials, whether or not there is one."""
    from auditor.collectors.aws._eks_entry import arn  # noqa: PLC0415  (boto3)

    return arn(credentials.connect(), cluster, region)


def eks_cluster(
    credentials: Credentials, cluster: str, region: str, *, egress: Egress, namespaces: Sequence[str], threads: int
) -> ClusterCaller:
    """A cluster of EKS for one pass, its address judged like that of any cluster.

    Raises:
        CollectionError: AWS does not tell its address, it may not be dialled, or it does not let us in.
    """
    from auditor.collectors.kubernetes._sources import reach  # noqa: PLC0415  (the library costs 0.25 s)

    return reach(
        ClusterAccess("", eks=cluster, region=region),
        account=cluster,
        door=_eks_door(credentials, cluster, region, account=None),
        judge=partial(egress.judge, ports=CLUSTER_PORTS),
        namespaces=namespaces,
        threads=threads,
    )


def cluster(
    source: Source,
    access: ClusterAccess,
    *,
    unseal: Callable[[], str],
    egress: Egress,
    threads: int,
    bucket: Bucket | None,
) -> ClusterCaller:
    """A connected cluster as we may ask it; ``unseal`` opens the token that is kept of an address.

    Raises:
        CollectionError: As for ``eks_cluster``; or it is another cluster than the one connected.
    """
    from auditor.collectors.kubernetes._sources import reach  # noqa: PLC0415  (the library costs 0.25 s)

    return reach(
        access,
        account=source.account,
        door=_door(source, access, unseal),
        judge=partial(egress.judge, ports=CLUSTER_PORTS),
        threads=threads,
        bucket=bucket,
    )


def _door(source: Source, access: ClusterAccess, unseal: Callable[[], str]) -> Door | None:
    from auditor.collectors.kubernetes._connection import Door  # noqa: PLC0415  (the library costs 0.25 s)

    if access.eks is not None:
        account = source.account.split(":")[4]  # it is known by its ARN
        return _eks_door(Credentials.of(source), access.eks, access.region or "", account=account)
    if access.url is None:
        return None
    try:
        token = unseal()
    except ConfigurationError as error:
        raise CollectionError(str(error), advice=error.advice()) from error
    return Door(access.url, access.authority or "", lambda: token)


def _eks_door(credentials: Credentials, cluster: str, region: str, *, account: str | None) -> Door:
    from auditor.collectors.aws import _eks_entry as eks  # noqa: PLC0415  (boto3)
    from auditor.collectors.kubernetes._connection import Door  # noqa: PLC0415  (the library costs 0.25 s)

    caller = credentials.connect(account)
    there = eks.entry(caller, cluster, region)
    return Door(there.url, there.authority, partial(eks.token, caller, cluster, region), eks.LASTS)
