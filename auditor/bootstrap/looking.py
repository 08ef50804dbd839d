"""Looking without an installation: callers, permissions and scans, joined from declarations, definitions and credentials.

Imports of heavy libraries stand where they are needed: a scan must not pay for what it does not use.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from auditor.collectors import declared
from auditor.collectors.aws import resource_types
from auditor.collectors.pace import Bucket
from auditor.domain.control import Library
from auditor.domain.ports import Clock, TenantStore
from auditor.domain.preflight import Tried
from auditor.domain.resource_type import ResourceType
from auditor.domain.scope import Scope
from auditor.domain.source import Source, SourceKind
from auditor.pipeline.plan import places, plan_run, select
from auditor.pipeline.preflight import preflight
from auditor.pipeline.scan import Scan, scan

if TYPE_CHECKING:
    from auditor.collectors.aws._client import AwsCaller
    from auditor.settings import Settings


def now() -> datetime:
    """The machine's time, in UTC."""
    return datetime.now(UTC)


def scan_aws(
    library: Library,
    *,
    profile: str | None,
    role_arn: str | None,
    external_id: str | None,
    regions: Sequence[str],
    services: Sequence[str],
    frameworks: Sequence[str],
    threads: int,
    clock: Clock,
    progress: Callable[[str, int, int], None],
) -> Scan:
    """One pass over the account behind the credentials; no database.

    Raises:
        CollectionError: No credentials that AWS accepts: nothing could be seen.
    """
    from auditor.collectors.aws._client import connect, enabled_regions  # noqa: PLC0415  (boto3 costs 134 ms to import)

    caller = connect(profile=profile, role_arn=role_arn, external_id=external_id, threads=threads)
    scope = Scope(regions=tuple(regions), services=tuple(services), frameworks=tuple(frameworks))
    selection = select(library, resource_types(), scope)
    there = tuple(regions) or enabled_regions(caller)
    return scan(
        selection,
        caller,
        places(there, scope),
        clock=clock,
        threads=threads,
        progress=progress,
        release=caller.release,
    )


def call(source: Source, *, threads: int, bucket: Bucket | None = None) -> AwsCaller:
    """A source as we may ask it, its account asserted; ``bucket`` paces all who share it.

    Raises:
        CollectionError: The vendor refuses the credentials, or they answer for another account.
    """
    from auditor.collectors.aws._client import connect  # noqa: PLC0415  (boto3 costs 134 ms to import)

    return connect(
        profile=source.profile,
        role_arn=source.role_arn,
        external_id=source.external_id,
        endpoint_url=source.endpoint_url,
        expected_account=source.account,
        threads=threads,
        bucket=bucket,
    )


def ask_permissions(
    caller: Any,
    library: Library,
    scope: Scope,
    regions: Sequence[str],
    *,
    pool: Executor,
    progress: Callable[[int, int], None] = lambda _done, _of: None,
    kind: SourceKind = "aws",
) -> tuple[Tried, ...]:
    """Each action that runs of this scope would call, asked once in each place; see ``pipeline.preflight``.

    A cluster answers for what it would allow, so nothing is listed there; ``caller`` is one of a source of that ``kind``.
    """
    if kind == "kubernetes":
        from auditor.collectors.kubernetes._preflight import review  # noqa: PLC0415  (the library costs 0.25 s)

        own = (one for one in declared.resource_types() if one.name.startswith("kubernetes."))
        kinds = select(library, own, scope).collected
        return review(kinds, caller, pool=pool, namespaces=scope.named_namespaces, progress=progress)
    from auditor.collectors.aws._client import switched_off  # noqa: PLC0415  (boto3 costs 134 ms to import)

    selection = select(library, resource_types(), scope)
    return preflight(
        selection.collected,
        caller,
        places(regions, scope),
        off=switched_off(caller),
        action=caller.action,
        pool=pool,
        progress=progress,
    )


def plan(books: TenantStore, source: UUID, *, slot: datetime, now: datetime) -> UUID:
    """Plan a run of a source as its scope, its last costs and its manners ask for."""
    own = f"{books.source(source).kind}."
    plain = (kind for kind in declared.resource_types() if isinstance(kind, ResourceType) and kind.name.startswith(own))
    return plan_run(books, source, plain, slot=slot, now=now)


def call_pool(settings: Settings) -> ThreadPoolExecutor:
    """The threads that calls of one process share."""
    return ThreadPoolExecutor(settings.threads, thread_name_prefix="call")
