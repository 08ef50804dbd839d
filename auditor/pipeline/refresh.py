"""Plan another look at what a watch marked: marks go in, a small run goes out, of those resources or types and no others.

Guards that a hint stays one: it says where to look, never what is there. Only a listing may say that something is gone, so a
type of which something went is listed, and so is one of which so much changed that asking one by one would cost more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from auditor.domain.coverage import Coverage
from auditor.domain.ports import Claim, TenantStore
from auditor.domain.resource_type import AnyType, ResourceType
from auditor.domain.source import GLOBAL
from auditor.domain.watching import WHOLE, Mark
from auditor.pipeline.plan import quiet

MOST_NAMED = 50
"""Resources of a type that are asked for one by one; a listing shows five hundred at a time."""
LATER = timedelta(seconds=5)
"""When to ask again whether the run that is under way is over."""


def plan_refresh(books: TenantStore, claim: Claim, kinds: Iterable[AnyType], *, now: datetime) -> UUID | None:
    """A run of what is marked and due at the claimed source; none while another run of it is under way, or nothing is left.

    Raises:
        StaleFenceError: Somebody else plans it.
    """
    if books.under_way(claim.id):
        books.next_refresh(claim, at=now + LATER)
        return None
    looks = {look.resource_type: look for look in books.coverage(claim.id, place=GLOBAL)}
    only = wanted(books.dirty(claim, now=now), looks, kinds)
    run = None
    if only:
        begins = quiet(books.manners(claim.id), now)
        run = books.plan(claim.id, slot=now, now=now, regions=(), due_at=begins, only=only)
    books.next_refresh(claim)
    return run


def wanted(
    marks: Iterable[Mark], looks: Mapping[str, Coverage], kinds: Iterable[AnyType]
) -> dict[str, tuple[str, ...]]:
    """The resources to look at by type; none of a type means all of it.

    By name are asked those alone whose type was listed whole and was not empty: elsewhere a single resource would leave the
    line about the place as it was, which says that there is none or that none could be seen.
    """
    listings = {kind.name: kind.listing for kind in kinds if isinstance(kind, ResourceType)}
    marked: dict[str, set[str]] = {}
    for mark in marks:
        if mark.resource_type in listings:
            marked.setdefault(mark.resource_type, set()).add(mark.native_id)
    only: dict[str, tuple[str, ...]] = {}
    for name, ids in sorted(marked.items()):
        look, listing = looks.get(name), listings[name]
        whole = look is not None and look.state == "ok" and look.listed > 0
        named = listing is not None and listing.one is not None and whole
        only[name] = tuple(sorted(ids)) if named and WHOLE not in ids and len(ids) <= MOST_NAMED else ()
    return only
