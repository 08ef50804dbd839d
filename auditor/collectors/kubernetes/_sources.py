"""Clusters as sources: which one it is, how long its token lasts, and a caller for the way in that was connected.

A cluster is known by the uid of its namespace ``kube-system``, which lives as long as the cluster; one of EKS by its ARN, so
that the clusters an account lists and those that are connected are held against each other. Both are kept and asserted.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from auditor.collectors.kubernetes import _connection as ways
from auditor.collectors.kubernetes._client import ClusterCaller
from auditor.collectors.kubernetes._connection import Door
from auditor.collectors.pace import Bucket
from auditor.domain.errors import AuditorError, CollectionError
from auditor.domain.ports import CallFailed
from auditor.domain.source import GLOBAL, ClusterAccess

NAMESPACES = "core/v1:namespaces"
BORN = "kube-system"
_EKS = re.compile(r"arn:aws[a-z-]*:eks:[a-z0-9-]+:[0-9]{12}:cluster/\S+")


def reach(
    access: ClusterAccess,
    *,
    account: str,
    door: Door | None,
    judge: Callable[[str], object],
    namespaces: Sequence[str] = (),
    threads: int = 16,
    bucket: Bucket | None = None,
) -> ClusterCaller:
    """A connected cluster as we may ask it, asserted to be the one that was connected.

    Args:
        access: The way in. Without a ``uid`` nothing is asserted.
        account: What it is called as a source.
        door: Of an address, the cluster of EKS included.
        judge: Raises where an address may not be dialled from here.
        namespaces: Those that are looked at; none for all.
        threads: Calls under way at once.
        bucket: Paces all who share it.

    Raises:
        CollectionError: No way in, an address that may not be dialled, or another cluster than the one connected.
    """
    if door is not None:
        try:
            judge(door.url)
        except AuditorError as refused:
            raise CollectionError(f"{door.url} may not be asked: {refused}", advice=refused.advice()) from refused
        caller = ways.connect_address(door, name=account, namespaces=namespaces, threads=threads, bucket=bucket)
    else:
        caller = ways.connect(
            kubeconfig=None if access.kubeconfig is None else Path(access.kubeconfig),
            context=access.context,
            inside=access.in_cluster,
            name=account,
            namespaces=namespaces,
            threads=threads,
            bucket=bucket,
        )
    caller.certificates = access.certificates
    if access.uid and (found := _uid(caller)) not in {None, access.uid}:
        raise CollectionError(
            f"this is another cluster: its {BORN} is {found}, the one connected has {access.uid}",
            advice="Connect this cluster as a source of its own",
        )
    return caller


def uid_of(caller: ClusterCaller) -> str:
    """The uid of ``kube-system``.

    Raises:
        CollectionError: It cannot be read, so that the cluster could not be told from others.
    """
    found = _uid(caller)
    if found is None:
        raise CollectionError(
            f"which cluster this is cannot be told: listing namespaces as {caller.identity} shows no {BORN}",
            advice="Allow listing namespaces; `auditor permissions kubernetes` prints the role",
        )
    return found


def _uid(caller: ClusterCaller) -> str | None:
    """None where we may not look: a right that was taken away is told listing by listing, not as another cluster."""
    try:
        for page in caller.pages(NAMESPACES, {}, region=GLOBAL):
            for item in page.get("items") or ():
                if item["metadata"]["name"] == BORN:
                    return str(item["metadata"]["uid"])
    except CallFailed as failure:
        if failure.kind == "denied":
            return None
        raise CollectionError(f"the cluster does not answer: {failure.code} {failure.message}".rstrip()) from failure
    return None


def eks_arn(kubeconfig: Path | None, context: str | None) -> str | None:
    """The ARN of the cluster that a context leads to, where it is called by it, as the AWS command line does."""
    return next((name for name in ways.cluster_names(kubeconfig, context) if _EKS.fullmatch(name)), None)


def expiry(token: str) -> datetime | None:
    """When a token ends by its own word (``exp`` of a JWT); none where it does not say. Nothing rests on its signature."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims: Any = json.loads(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return datetime.fromtimestamp(int(claims["exp"]), UTC)
    except (ValueError, KeyError, TypeError, OverflowError):
        return None
