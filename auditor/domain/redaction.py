"""What was taken out of evidence before it was kept: read back from the marks that projections leave in its place.

A scan for secrets runs while an answer is projected; kept are the pattern's name and the place, never the value. Such a fact
cannot be derived again later, so the index of a bundle lists it as it stands here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_HITS = "hits"
_VERSION = "patterns_version"


@dataclass(frozen=True, slots=True)
class Redaction:
    """One value that was seen and not kept: where in the evidence, where within that, what it looked like, by which list."""

    path: str
    place: str
    kind: str
    patterns_version: int


def redactions(content: Mapping[str, Any]) -> tuple[Redaction, ...]:
    """Every mark in a piece of evidence, in the order of its paths."""
    return tuple(sorted(_marks(content, ""), key=lambda one: (one.path, one.place, one.kind)))


def _marks(value: Any, path: str) -> Iterator[Redaction]:
    if isinstance(value, Mapping):
        if _VERSION in value and isinstance(value.get(_HITS), Sequence):
            for hit in value[_HITS]:
                yield Redaction(path, str(hit["place"]), str(hit["pattern"]), int(value[_VERSION]))
            return
        for name, below in value.items():
            yield from _marks(below, f"{path}.{name}" if path else str(name))
    elif isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        for number, below in enumerate(value):
            yield from _marks(below, f"{path}[{number}]")
