"""A value we saw, or the reason why we could not see it: two types, so that neither is taken for the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

T = TypeVar("T")
U = TypeVar("U")

UNSEEN_KEY = "$unseen"


@dataclass(frozen=True, slots=True)
class Seen(Generic[T]):
    """A value that was read. Absent is seen too: ``Seen(None)``."""

    value: T

    def map(self, function: Callable[[T], U]) -> Seen[U]:
        """What the function makes of the value."""
        return Seen(function(self.value))


@dataclass(frozen=True, slots=True)
class Unseen:
    """A value that could not be read, with the vendor's code and the action that would show it."""

    reason: str

    def map(self, function: Callable[[Any], Any]) -> Unseen:  # noqa: ARG002  (the same call works on both)
        """Itself: what was not seen stays unseen."""
        return self


Reading: TypeAlias = Seen[T] | Unseen


def both(first: Reading[T], second: Reading[U]) -> Reading[tuple[T, U]]:
    """Two readings as one; unseen if either is, with the first reason."""
    if isinstance(first, Unseen):
        return first
    if isinstance(second, Unseen):
        return second
    return Seen((first.value, second.value))


class Readings(Mapping[str, Reading[Any]]):
    """What one resource's calls answered, by the names its declaration gave them.

    Built from kept evidence, never from a live answer, so that deriving a document today
    and in six years are the same act. A name that the declaration does not keep is a
    ``KeyError``: our bug, caught by the first test of the document function.
    """

    __slots__ = ("_kept", "_names")

    def __init__(self, kept: Mapping[str, Any], names: frozenset[str]) -> None:
        self._kept = kept
        self._names = names

    def __getitem__(self, name: str) -> Reading[Any]:
        if name not in self._names:
            raise KeyError(f"{name} is not declared; declared are {', '.join(sorted(self._names))}")
        return as_reading(self._kept.get(name))

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._names))

    def __len__(self) -> int:
        return len(self._names)

    def kept(self, name: str) -> bool:
        """Whether the evidence holds the name at all: a call that was not made left nothing behind."""
        return name in self._kept


def as_reading(value: Any) -> Reading[Any]:
    """A JSON value as a reading: the unseen marker becomes ``Unseen``, everything else is seen."""
    if isinstance(value, Mapping) and len(value) == 1 and UNSEEN_KEY in value:
        return Unseen(str(value[UNSEEN_KEY]))
    return Seen(value)
