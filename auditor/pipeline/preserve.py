"""Keep what was seen: canonical bytes under their digest, before anything is judged."""

from __future__ import annotations

from collections.abc import Container, Iterable
from uuid import UUID

from auditor.domain.evidence import Evidence
from auditor.domain.ports import Objects
from auditor.proof.canonical import canonical


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
