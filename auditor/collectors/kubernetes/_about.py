"""What every object tells of itself: its name, namespace, labels, and whose it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from auditor.domain.reading import Readings, Unseen


@dataclass(frozen=True, slots=True)
class Owner:
    """The object that controls another one."""

    kind: str
    name: str


def told(seen: Readings, name: str) -> Any:
    """A kept field of a listed object; ``None`` where the object does not have it.

    Raises:
        TypeError: It could not be seen, which a listed field always is.
    """
    reading = seen[name]
    if isinstance(reading, Unseen):
        raise TypeError(reading.reason)
    return reading.value


def fields(seen: Readings, name: str) -> Mapping[str, Any]:
    """A kept field that holds fields; empty where the object does not have it."""
    found: Mapping[str, Any] = told(seen, name) or {}
    return found


def name_of(seen: Readings) -> str:
    """The object's name."""
    return str(fields(seen, "metadata")["name"])


def namespace_of(seen: Readings) -> str:
    """The namespace it stands in, empty where it stands in none."""
    return str(fields(seen, "metadata").get("namespace") or "")


def labels_of(seen: Readings) -> Mapping[str, str]:
    """Its labels."""
    return texts(fields(seen, "metadata").get("labels"))


def owner_of(seen: Readings) -> Owner | None:
    """The owner that controls it, if there is one."""
    owners = fields(seen, "metadata").get("ownerReferences") or ()
    return next((Owner(str(one["kind"]), str(one["name"])) for one in owners if one.get("controller")), None)


def texts(value: Mapping[str, Any] | None) -> Mapping[str, str]:
    """A map of texts, such as labels."""
    return {str(name): str(member) for name, member in (value or {}).items()}


def words(value: Iterable[Any] | None) -> tuple[str, ...]:
    """A list of texts."""
    return tuple(str(one) for one in value or ())


def annotations_of(item: Mapping[str, Any]) -> Mapping[str, str]:
    """The annotations of an object as it came: never kept whole, since the last applied manifest is one of them."""
    return texts((item.get("metadata") or {}).get("annotations"))


def picked(item: Mapping[str, Any], names: Iterable[str]) -> dict[str, str]:
    """The annotations of these names, which say how something is set up and hold no secrets."""
    found = annotations_of(item)
    return {name: found[name] for name in names if name in found}
