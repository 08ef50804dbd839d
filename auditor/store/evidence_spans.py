"""Spans of evidence against one look: which open, which end, and which stand though the look did not show them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from auditor.domain.coverage import Coverage
from auditor.domain.evidence import Collection, Evidence, Standing
from auditor.domain.source import JOIN

TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class OpenSpan:
    """An open span with its resource's names and its content's digests."""

    resource: UUID
    content: UUID
    seen: Standing
    listed_digest: str
    valid_from: datetime
    last_at: datetime


def changes(
    collection: Collection,
    answers: Mapping[UUID, Evidence],
    contents: Mapping[UUID, UUID],
    spans: Mapping[UUID, OpenSpan],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    """The spans that open, the ends of those they follow, and spans that only the listing shows otherwise."""
    opened, closed, relisted = [], [], []
    for resource, one in answers.items():
        span, at = spans.get(resource), one.collected_at
        if span is not None and span.content == contents[resource]:
            if span.listed_digest != one.listed_digest:
                relisted.append({"resource": resource, "from": span.valid_from, "listed": one.listed_digest})
            continue
        if span is not None and at <= span.last_at:
            if collection.place != JOIN:
                continue
            # Joins follow each other under a lock: the later one knows more, whatever its machine's clock says.
            at = span.last_at + TICK
        if span is not None:
            closed.append({"resource": resource, "from": span.valid_from, "to": at})
        opened.append(span_of(collection, resource, contents[resource], one.operations, at, one.listed_digest))
    return opened, closed, relisted


def span_of(
    collection: Collection, resource: UUID, content: UUID, operations: Iterable[str], at: datetime, listed: str = ""
) -> dict[str, Any]:
    """The row of a span that opens."""
    return {
        "resource_id": resource,
        "evidence_id": content,
        "place": collection.place,
        "operations": list(operations),
        "caller": collection.provenance.caller,
        "endpoint": collection.provenance.endpoint,
        "valid_from": at,
        "last_at": at,
        "listed_digest": listed,
        "calls_id": None,
        "calls": [],
        "scope_version": collection.provenance.scope_version,
    }


def gone_of(
    place: str, coverage: Sequence[Coverage], unseen: Sequence[OpenSpan], *, begun_at: datetime
) -> tuple[list[dict[str, Any]], Counter[str]]:
    """The ends of spans whose resource complete listings of their place do not show any more.

    Also, by type, how many these listings could not show: what was first seen after the looking began is younger than they
    may be. It stands, and counts as listed.
    """
    looks: dict[str, list[Coverage]] = {}
    for look in coverage:
        looks.setdefault(look.resource_type, []).append(look)
    # What stands in a namespace that was left out is not gone; it waits for a look at it.
    unseen = [
        one for one in unseen if all(look.shows(one.seen.native_id) for look in looks.get(one.seen.resource_type, ()))
    ]
    ends = {name: max(look.at for look in of) for name, of in looks.items() if all(look.complete for look in of)}
    closed: list[dict[str, Any]] = []
    younger: Counter[str] = Counter()
    for span in unseen:
        end = ends.get(span.seen.resource_type)
        if end is None or span.seen.place != place:
            continue
        if place == JOIN:  # built anew from all there is by now, however old the listings are
            end = max(end, span.last_at + TICK)
        elif span.last_at > begun_at:
            younger[span.seen.resource_type] += 1
            continue
        if span.last_at <= end != span.valid_from:
            closed.append({"resource": span.resource, "from": span.valid_from, "to": end})
    return closed, younger
