"""What is taken out of evidence before it is kept: withheld while an answer is projected, marked in its place, read back later.

Guards that a value which was seen and not kept leaves this much and no more: that it was there, about how long it was, what it
looked like and, where a tenant looks, a fingerprint under a key of the tenant's own. A change shows, the value does not. None
of it can be derived again later, so the index of a bundle lists it as it stands here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from auditor.domain.secrets import PATTERNS_VERSION, scan, scan_named

Fingerprint: TypeAlias = Callable[[bytes], str]
"""What stands for a value to one tenant, made of the value's SHA-256 under the tenant's key."""
PLAIN = "value"
"""The kind of a redaction that looked like no secret: what an environment holds is not kept in any case."""
SHORTEST = 8
"""The least length that is told: below it, a length is half of the value."""
_HITS = "hits"
_VALUES = "values"
_VERSION = "patterns_version"


@dataclass(frozen=True, slots=True)
class Withheld:
    """A value that was seen and will not be kept. It is no JSON, so what forgets to mark it keeps nothing.

    Carries the SHA-256 instead of the value: pages wait for their turn in memory, and large ones need not wait whole. Whoever
    has that digest can try guesses, so it is shown and kept nowhere either.
    """

    hashed: bytes = field(repr=False)
    len_bucket: int

    @classmethod
    def of(cls, value: str) -> Withheld:
        """The value, let go; its length rounded up to a power of two."""
        stored = value.encode("utf-8", "surrogatepass")
        length = len(stored)
        return cls(hashlib.sha256(stored).digest(), max(SHORTEST, 1 << (length - 1).bit_length()) if length else 0)

    def mark(self, fingerprint: Fingerprint | None) -> dict[str, Any]:
        """What is kept in its place; nobody's key makes no fingerprint."""
        told = {"redacted": True, "len_bucket": self.len_bucket}
        return told if fingerprint is None else {**told, "fp": fingerprint(self.hashed)}


class Piece(NamedTuple):
    """A value that may not be kept, where it stood, and the patterns it shows."""

    place: str
    value: str
    patterns: Sequence[str] = ()


def variable(name: str, value: str, *, place: str = "") -> Piece:
    """A named value; its place is the name unless another is given."""
    return Piece(place or name, value, [hit.pattern for hit in scan_named({name: value})])


def text(value: str, *, place: str = "") -> Iterator[Piece]:
    """A text as a whole, and each of its lines that looks like a secret; without a place the whole is ``whole``."""
    yield Piece(place or "whole", value)
    for number, line in enumerate(value.splitlines(), start=1):
        if found := scan(line):
            yield Piece(f"{place} line {number}".strip(), line, [hit.pattern for hit in found])


def withhold(pieces: Iterable[Piece]) -> dict[str, Any]:
    """What a projection gives in place of values: those that look like secrets by pattern, the others beside them.

    The order is that of places and patterns, so that an answer in another order is the same evidence.
    """
    hits: dict[tuple[str, str, Withheld], None] = {}
    values: dict[tuple[str, Withheld], None] = {}
    for piece in pieces:
        value = Withheld.of(piece.value)
        hits.update(((piece.place, pattern, value), None) for pattern in piece.patterns)
        if not piece.patterns:
            values[piece.place, value] = None
    return {
        _VERSION: PATTERNS_VERSION,
        _HITS: [
            {"pattern": pattern, "place": place, "value": value}
            for place, pattern, value in sorted(hits, key=lambda hit: hit[:2])
        ],
        _VALUES: [{"place": place, "value": value} for place, value in sorted(values, key=lambda one: one[0])],
    }


@dataclass(frozen=True, slots=True)
class Redaction:
    """One value that was seen and not kept: where in the evidence, where within that, what it looked like, by which list.

    Without a ``fingerprint`` it was kept by a release that made none.
    """

    path: str
    place: str
    kind: str
    patterns_version: int
    fingerprint: str | None = None


def redactions(content: Mapping[str, Any]) -> tuple[Redaction, ...]:
    """Every mark in a piece of evidence, in the order of its paths."""
    return tuple(sorted(_marks(content, ""), key=lambda one: (one.path, one.place, one.kind)))


def _marks(value: Any, path: str) -> Iterator[Redaction]:
    if isinstance(value, Mapping):
        if _VERSION in value and isinstance(value.get(_HITS), Sequence):
            for one in (*value[_HITS], *value.get(_VALUES, ())):
                kind, mark = str(one.get("pattern", PLAIN)), one.get("value", {})
                yield Redaction(path, str(one["place"]), kind, int(value[_VERSION]), mark.get("fp"))
            return
        for name, below in value.items():
            yield from _marks(below, f"{path}.{name}" if path else str(name))
    elif isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        for number, below in enumerate(value):
            yield from _marks(below, f"{path}[{number}]")
