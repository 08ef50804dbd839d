"""The tags of a resource, in whichever of the vendor's spellings evidence shows them; unseen tags are never no tags."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from auditor.domain.projection import walk
from auditor.domain.reading import Unseen, as_reading

SPELLINGS = ("Tags", "tags", "TagSet", "TagList", "tagSet", "tagList")
"""What services call the tags of a thing; a declared detail of such a name counts too."""
_PAIRS = (("Key", "Value"), ("key", "value"), ("TagKey", "TagValue"))


def tags_in(content: Mapping[str, Any], listed: Iterable[str] = ()) -> Mapping[str, str] | None:
    """Every tag that the evidence shows; ``None`` where it shows none of it, or not all.

    ``listed`` are the names that the listing keeps: the vendor leaves out what is empty, so a kept name that is missing
    says that there are no tags.
    """
    for name in SPELLINGS:
        if name in content:
            reading = as_reading(content[name])
            return None if isinstance(reading, Unseen) else _tags(reading.value)
    return {} if any(name in SPELLINGS for name in listed) else None


class TagList:
    """What the tagging service says of a region: it names only what has, or once had, a tag, and only kinds it knows."""

    def __init__(self, pages: Iterable[Mapping[str, Any]]) -> None:
        """Take the pages of a complete answer; of an incomplete one, take none."""
        self._tags = {
            _key(str(item["ResourceARN"])): _tags(item.get("Tags")) for page in pages for item in walk(page, _ITEMS)
        }

    def of(self, native_ids: Iterable[str]) -> Mapping[str, Mapping[str, str] | None]:
        """The tags of all listed resources of one type, by id.

        The service leaves out the untagged and the kinds that it does not know alike. If it names one resource of a type
        it knows the type, so the others have no tags; if it names none, nothing is known of any of them.
        """
        keys = {native_id: _key(native_id) for native_id in native_ids}
        knows = any(key in self._tags for key in keys.values())
        return {native_id: self._tags.get(key, {} if knows else None) for native_id, key in keys.items()}


_ITEMS = "ResourceTagMappingList"


def _key(arn: str) -> str:
    """An ARN without its account: snapshots and images are named with and without it."""
    parts = arn.split(":", 5)
    return arn if len(parts) < 6 else ":".join((*parts[:4], "", parts[5]))


def _tags(told: Any) -> Mapping[str, str] | None:
    if told is None:
        return {}
    if isinstance(told, Mapping):
        nested = next((name for name in SPELLINGS if isinstance(told.get(name), (list, tuple))), None)
        return _tags(told[nested]) if nested else {str(key): str(value) for key, value in told.items()}
    if not isinstance(told, (list, tuple)):
        return None
    found: dict[str, str] = {}
    for member in told:
        pair = next((pair for pair in _PAIRS if isinstance(member, Mapping) and pair[0] in member), None)
        if pair is None or pair[1] not in member:
            return None  # a key without its value, or a gap in the list: not all of it is seen
        found[str(member[pair[0]])] = str(member[pair[1]])
    return found
