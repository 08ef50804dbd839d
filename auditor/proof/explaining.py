"""Why an answer came out as it did: the deciding part, and what was seen there.

Enters: the small tuple an evaluation returned. Leaves: path and value pairs, or the ``Unknown`` behind it.
Guards the speed of judging: an evaluation only carries references, and paths are spelled out here, afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Optional, Union

from .values import Run, Unknown

Read = Callable[[Run], Any]
Where = Union[str, Callable[[Run], str]]  # noqa: UP007 - evaluated at import, also by 3.9
Reads = tuple[tuple[Where, Read], ...]
# (answer, deciding node, explanation): the third is None for a plain leaf, an Unknown where the answer is None,
# a tuple of results where several parts decided together, a Member where one member of a list decided.
Result = tuple[Optional[bool], "Node", Any]  # noqa: UP045 - evaluated at import, also by 3.9
Test = Callable[[Run], Result]


class Node:
    """A part of a condition: its text, and the paths it reads."""

    __slots__ = ("reads", "text")

    def __init__(self, text: str, reads: Reads) -> None:
        self.text = text
        self.reads = reads


class Term(NamedTuple):
    """A part that yields a value: how to read it, where it stands, and the paths it reads."""

    read: Read
    where: Where
    reads: Reads


class Member:
    """The list member that decided, bound again when the answer is explained."""

    __slots__ = ("inner", "mark", "slot", "value")

    def __init__(self, slot: int, mark: int | str, value: Any, inner: Result) -> None:
        self.slot = slot
        self.mark = mark
        self.value = value
        self.inner = inner


def path_text(where: Where, run: Run) -> str:
    """The path as text, loop members by their place in the list."""
    return where if isinstance(where, str) else where(run)


def doubt_of(result: Result) -> Unknown:
    """The unknown that left an answer open."""
    detail = result[2]
    while detail.__class__ is Member:
        detail = detail.inner[2]
    if not isinstance(detail, Unknown):
        raise TypeError("only an open answer has a doubt")
    return detail


def seen_in(run: Run, result: Result) -> tuple[tuple[str, Any], ...]:
    """The path and value pairs seen in the deciding part, each path once, in the order of reading."""
    pairs: dict[str, Any] = {}
    _gather(run, result, pairs)
    return tuple(pairs.items())


def _gather(run: Run, result: Result, pairs: dict[str, Any]) -> None:
    _, node, detail = result
    if detail.__class__ is tuple:
        for part in detail:
            _gather(run, part, pairs)
    elif detail.__class__ is Member:
        run.slots[detail.slot] = detail.value
        run.marks[detail.slot] = detail.mark
        _gather(run, detail.inner, pairs)
    else:
        for where, read in node.reads:
            value = read(run)
            if value.__class__ is not Unknown:
                pairs[where if where.__class__ is str else where(run)] = value  # type: ignore[operator]  # told apart by class for speed
