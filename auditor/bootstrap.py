"""The one place where everything meets: which store, which objects, which caller, joined for a command or a process."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from auditor.collectors.aws import resource_types
from auditor.domain.control import Library
from auditor.domain.ports import Clock
from auditor.domain.scope import Scope
from auditor.pipeline.plan import places, select
from auditor.pipeline.scan import Scan, scan


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
    return scan(selection, caller, places(there, scope), clock=clock, threads=threads, progress=progress)
