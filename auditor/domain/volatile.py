"""Volatile facts, split off from evidence: what moves without meaning (last uses, restorable times) stands beside it.

Enters: kept content and the volatile paths of its type. Leaves: the stable part, by which evidence is known and held, and a
resource's *row*: a sparse tree of names, and of positions in lists as text, down to the values. Guards that nothing gets lost
(``joined(*split(content, paths)) == content``) and that a row which is not there is unseen, never absent: a missing last use
must not read as "never used".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from auditor.domain.projection import Tree, tree
from auditor.domain.reading import UNSEEN_KEY
from auditor.domain.resource_type import ResourceType

Row: TypeAlias = Mapping[str, Any]
MARK = "+volatile"
LOST = "the volatile facts beside this evidence are not kept"


def beside(resource_type: str) -> str:
    """The name under which the rows of a type are kept, as one object per place; no resource type is called so."""
    return resource_type + MARK


def of_type(name: str) -> str:
    """The resource type that evidence of this name tells of, whether it is a resource's own or rows beside it."""
    return name.removesuffix(MARK)


def is_beside(name: str) -> bool:
    """Whether it names rows of volatile facts, not resources."""
    return name.endswith(MARK)


def split(content: Mapping[str, Any], paths: tuple[str, ...]) -> tuple[Mapping[str, Any], Row]:
    """The stable part of a content, and the row of what was taken out of it."""
    if not paths:
        return content, {}
    stable, row = _split(content, tree(paths))
    return stable, row


def joined(stable: Any, row: Any) -> Any:
    """The content as it was before it was split; what a row of another content has no place for is left out."""
    if not isinstance(row, dict) or not isinstance(stable, (dict, list)):
        return stable
    if isinstance(stable, list):
        return [
            joined(member, row[str(position)]) if str(position) in row else member
            for position, member in enumerate(stable)
        ]
    return {**stable, **{name: joined(stable[name], below) if name in stable else below for name, below in row.items()}}


def whole(kind: ResourceType, stable: Mapping[str, Any], row: Row | None) -> Mapping[str, Any]:
    """What a document is derived from. Without its row, all that volatile facts are a part of is unseen."""
    if not kind.volatile:
        return stable
    if row is None:
        return {**stable, **{name: {UNSEEN_KEY: LOST} for name in tree(kind.volatile)}}
    content: Mapping[str, Any] = joined(stable, row)
    return content


def _split(value: Any, paths: Tree) -> tuple[Any, dict[str, Any]]:
    if isinstance(value, list):
        parts = [_split(member, paths) for member in value]
        return [stable for stable, _ in parts], {str(position): row for position, (_, row) in enumerate(parts) if row}
    if not isinstance(value, dict):
        return value, {}
    stable, taken = dict(value), {}
    for name, below in paths.items():
        if name not in stable:
            continue
        if below is None:
            taken[name] = stable.pop(name)
        else:
            stable[name], row = _split(stable[name], below)
            if row:
                taken[name] = row
    return stable, taken
