"""What of an answer is kept: allow-listed paths only, as plain JSON. What is not kept cannot leak."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeAlias

from auditor.domain.resource_type import TEMPLATE
from auditor.proof.canonical import stamp

Tree: TypeAlias = Mapping[str, "Tree | None"]


@cache
def tree(paths: tuple[str, ...]) -> Tree:
    """Paths (``A``, ``A.B``, ``A[].B``) as a tree of names; a leaf keeps everything below it."""
    root: dict[str, Any] = {}
    for path in paths:
        node = root
        *parents, leaf = path.replace("[]", "").split(".")
        for name in parents:
            node = node.setdefault(name, {})
        node[leaf] = None
    return root


def project(answer: Any, kept: Tree | None) -> Any:
    """The kept part of an answer. Lists are projected member by member; a name that is missing stays missing."""
    if kept is None:
        return plain(answer)
    if isinstance(answer, list):
        return [project(member, kept) for member in answer]
    if not isinstance(answer, Mapping):
        return plain(answer)
    return {name: project(answer[name], below) for name, below in kept.items() if answer.get(name) is not None}


def plain(value: Any) -> Any:
    """A vendor's value as JSON: times become RFC 3339 text in UTC.

    Raises:
        TypeError: Bytes. They have no place in evidence: a declaration that meets them needs ``project``.
    """
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, datetime):
        return stamp(value if value.tzinfo else value.replace(tzinfo=UTC))
    if isinstance(value, Mapping):
        return {str(name): plain(member) for name, member in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return [plain(member) for member in value]
    raise TypeError(f"evidence may not hold a {type(value).__name__}")


def walk(answer: Any, path: str) -> Iterator[Any]:
    """The items that a path like ``Reservations[].Instances[]`` leads to; nothing where a name is missing."""
    name, _, rest = path.partition(".")
    found = answer.get(name.removesuffix("[]")) if isinstance(answer, Mapping) else None
    if not rest:
        yield from found if isinstance(found, (list, tuple)) else ()
        return
    for member in found if isinstance(found, (list, tuple)) else (found,):
        yield from walk(member, rest)


def fill(template: Any, known: Mapping[str, Any]) -> Any:
    """A parameter with its ``{Field}`` templates filled, in lists too.

    Raises:
        KeyError: A field that this resource does not have: there is nothing to ask.
    """
    if isinstance(template, str):
        whole = TEMPLATE.fullmatch(template)
        if whole:
            return _known(whole[1], known)
        return TEMPLATE.sub(lambda found: str(_known(found[1], known)), template)
    if isinstance(template, (list, tuple)):
        return [fill(member, known) for member in template]
    if isinstance(template, Mapping):
        return {name: fill(member, known) for name, member in template.items()}
    return template


def _known(name: str, known: Mapping[str, Any]) -> Any:
    value = known.get(name)
    if value is None:
        raise KeyError(name)
    return value
