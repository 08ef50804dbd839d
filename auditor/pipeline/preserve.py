"""Keep what was seen, and how it was asked for: canonical bytes under their digest, before anything is judged."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import replace
from uuid import UUID

from auditor.domain.calls import CALLS, Call
from auditor.domain.evidence import CallRecord, Collection, Evidence, Known
from auditor.domain.ports import Objects
from auditor.proof.canonical import canonical

AT_ONCE = 2000
"""So many calls, about, stand in one record: whoever looks at one of them reads them all."""


def recorded(collection: Collection, known: Mapping[tuple[str, str], Known]) -> Collection:
    """The collection with records of the calls that its new evidence rests on.

    What answered as it is ``known`` leaves no record: an unchanged account shall write nothing.
    """
    return replace(collection, records=tuple(_records(collection, known)))


def _records(collection: Collection, known: Mapping[tuple[str, str], Known]) -> Iterator[CallRecord]:
    """Each stands for itself: a listing that resources of two records rest on is in both."""
    calls: dict[Call, int] = {}
    numbers: dict[tuple[str, str], tuple[int, ...]] = {}
    for one in collection.evidence:
        key = (one.resource_type, one.native_id)
        before = known.get(key)
        if not one.calls or (before is not None and before.digest == one.digest):
            continue
        numbers[key] = tuple(calls.setdefault(call, len(calls)) for call in one.calls)
        if len(calls) >= AT_ONCE:
            yield CallRecord(_written(collection, calls), numbers)
            calls, numbers = {}, {}
    if numbers:
        yield CallRecord(_written(collection, calls), numbers)


def _written(collection: Collection, calls: Iterable[Call]) -> Evidence:
    asked = collection.provenance
    content = {
        "caller": asked.caller,
        "place": collection.place,
        "scope_version": asked.scope_version,
        "calls": [call.as_json() for call in calls],
    }
    return Evidence(CALLS, 1, "", collection.place, content, asked.finished_at, ())


def preserve(
    evidence: Iterable[Evidence], objects: Objects, tenant: UUID, known: Container[str] = frozenset()
) -> dict[str, str]:
    """Put each piece of evidence and give its address by digest. Content-addressed, so twice is once.

    What lies under one of the ``known`` digests already, as rows of an earlier run say, is not put again and gets no address. A crash in the middle leaves objects that no row names yet; the next try puts the same bytes at the same addresses.
    """
    fresh = {taken: seen for seen in evidence if (taken := seen.digest) not in known}
    if not fresh:
        return {}
    return objects.put_many(tenant, {taken: canonical(seen.body) for taken, seen in fresh.items()})
