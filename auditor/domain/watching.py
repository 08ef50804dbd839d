"""Watches: what a source tells by itself. A hint that something changed, never evidence of what it is now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

StreamWord: TypeAlias = Literal["waiting", "watching", "refused", "failing", "expired"]
WHOLE = ""
"""In the place of an id: all of the type."""
SETTLES_IN = timedelta(seconds=15)
"""How long after a change is told it is looked at: what changes once often changes again at once."""
SETTLED_BY = timedelta(seconds=60)
"""How long a resource that keeps changing waits at most."""


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A resource to be looked at again, or all of its type."""

    resource_type: str
    native_id: str = WHOLE


@dataclass(frozen=True, slots=True)
class Stream:
    """One listing that can be watched: an operation (and a namespace, after a space), and the version to go on from.

    Without a version it must be listed first.
    """

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class StreamState:
    """How a stream stands, and why."""

    word: StreamWord
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    """What one line of a watch tells: how far it has come and, where it tells more, which resource changed or went."""

    version: str
    native_id: str | None = None
    gone: bool = False


@runtime_checkable
class Versioned(Protocol):
    """A source whose listings are each of a version."""

    def versions(self) -> Mapping[str, str]:
        """The version that each finished listing was of, by stream."""


class Hearer(Protocol):
    """A source that tells of changes by itself."""

    def hear(self, stream: Stream, params: Mapping[str, Any], *, seconds: int) -> Iterator[Heard]:
        """What happens after the stream's version, for some ``seconds``; then it ends, and may be asked for again.

        Raises:
            CallFailed: The source refused, or the connection broke; ``Expired`` where it does not know the version any more.
        """
