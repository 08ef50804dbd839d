"""What joined documents of a bundle were built over: the instants of building, and what stood then, so that they can be built again.

A whole bundle tells everything that stood in its period; what is added here was built outside it. A part tells nothing by itself,
so that all its joins count.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

Inputs = Mapping[str, frozenset[str]]
"""The names of the types that a joined type is built from, by its own."""


class Joins:
    """The joins that spans of a bundle rest on and whose inputs it would not hold by itself.

    Args:
        builds: Source, joined type and instant of each.
        inputs: What types are built from.
    """

    def __init__(self, builds: Iterable[tuple[UUID, str, datetime]], inputs: Inputs) -> None:
        found: dict[tuple[UUID, str], set[datetime]] = {}
        self._instants: set[tuple[UUID, datetime]] = set()
        for source, kind, at in builds:
            self._instants.add((source, at))
            for name in inputs[kind]:
                found.setdefault((source, name), set()).add(at)
        self._fed = {key: sorted(instants) for key, instants in found.items()}

    def fed_by(self, source: UUID, resource_type: str, stood: Iterable[tuple[datetime, datetime]]) -> bool:
        """Whether something of this type that stood then went into one of them."""
        instants = self._fed.get((source, resource_type), ())
        for since, until in stood:
            first = bisect_left(instants, since)
            if first < len(instants) and instants[first] < until:
                return True
        return False

    def parameters(self) -> dict[str, Any]:
        """The instants by source, as a statement takes them."""
        ordered = sorted(self._instants)
        return {"sources": [source for source, _ in ordered], "instants": [at for _, at in ordered]}
