"""Keep what was seen: canonical bytes under their digest, before anything is judged."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from auditor.domain.evidence import Evidence
from auditor.domain.ports import Objects
from auditor.proof.canonical import canonical


def preserve(evidence: Iterable[Evidence], objects: Objects, tenant: UUID) -> dict[str, str]:
    """Put each piece of evidence and give its address by digest. Content-addressed, so twice is once.

    A crash in the middle leaves objects that no row names yet; the next try puts the same bytes at the same addresses.
    """
    return {seen.digest: objects.put(tenant, seen.digest, canonical(seen.body)) for seen in evidence}
