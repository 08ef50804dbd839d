"""What all joins share: the member a document stands over, and facts of which one part may be hidden."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from auditor.domain.reading import Reading, Seen, Unseen
from auditor.domain.resource_type import Joined, Member, Population, ResourceType


def member_of(joined: Joined) -> Member:
    """The member that the document is about.

    Raises:
        RuntimeError: The type stands over a place.
    """
    if joined.member is None:
        raise RuntimeError("this type is described over a member")
    return joined.member


def gap(kind: ResourceType, population: Population) -> str | None:
    """Why there may be more of a kind, with its name; ``None`` if all were seen."""
    return None if population.unseen is None else f"{kind.title}: {population.unseen}"


def gaps(joined: Joined, kinds: Iterable[ResourceType]) -> Iterator[str]:
    """The gaps of several kinds, in order."""
    return (told for kind in kinds if (told := gap(kind, joined.of(kind))) is not None)


def found_or(found: Iterable[str], missing: Iterable[str]) -> Reading[tuple[str, ...]]:
    """What was found, in order; where nothing was, the reasons why there may be something."""
    told, reasons = tuple(sorted(set(found))), tuple(missing)
    return Seen(told) if told or not reasons else Unseen("; ".join(reasons))
