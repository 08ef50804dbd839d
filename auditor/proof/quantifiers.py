"""``any``, ``all`` and ``count``: loops over lists in which members may be unseen.

Enters: a compiled loop. Leaves: closures that answer in three values, or count within bounds.
Guards two rules: an unseen member stands for any number of members, and every turn of a loop is paid from the budget.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from .explaining import Member, Node, Read, Result, Test, Where, doubt_of, path_text
from .values import Run, Unknown, is_unseen, member_path, why_unseen, word_for


class Loop(NamedTuple):
    """What is walked, where its member is kept, which members are kept, what is asked of each, what one turn costs."""

    items: Read
    where: Where
    slot: int
    filters: tuple[Test, ...]
    element: Test | None
    cost: int


def member_where(loop_where: Where, slot: int) -> Where:
    """The path of the member a loop is at."""

    def where(run: Run) -> str:
        return member_path(path_text(loop_where, run), run.marks[slot])

    return where


def size_of(loop: Loop) -> tuple[Where, Read]:
    """How many members a loop had before it: what is shown when no single member decided."""

    def where(run: Run) -> str:
        return f"count({path_text(loop.where, run)})"

    def read(run: Run) -> Any:
        items = loop.items(run)
        return len(items) if isinstance(items, (list, dict)) else Unknown(path_text(loop.where, run), "no members")

    return where, read


def quantifying(loop: Loop, element: Test, node: Node, *, wanted: bool) -> Test:
    """``any`` (a member that is ``wanted`` true decides) or ``all`` (one that is false decides)."""
    slot, cost, filters = loop.slot, loop.cost, loop.filters
    exhausted: Result = (not wanted, node, None)

    def test(run: Run) -> Result:
        members = _members(run, loop)
        if isinstance(members, Unknown):
            return (None, node, members)
        slots, marks = run.slots, run.marks
        open_one: Result | None = None
        for mark, value in members:
            run.spend(cost)
            slots[slot] = value
            marks[slot] = mark
            if is_unseen(value):
                if open_one is None:
                    open_one = (None, node, Unknown(member_path(path_text(loop.where, run), mark), why_unseen(value)))
                continue
            kept, doubt = _kept(run, filters)
            if not kept:
                continue
            result = element(run)
            if result[0] is wanted and doubt is None:
                return (wanted, result[1], Member(slot, mark, value, result))
            if open_one is None and result[0] is not (not wanted):
                undecided = doubt or result
                open_one = (None, undecided[1], Member(slot, mark, value, undecided))
        return open_one or exhausted

    return test


def counting(loop: Loop) -> Read:
    """How many members a loop keeps; an ``Unknown`` with bounds where some could not be told."""
    slot, cost, filters = loop.slot, loop.cost, loop.filters

    def read(run: Run) -> Any:
        members = _members(run, loop)
        if isinstance(members, Unknown):
            return members
        sure, perhaps, without_end = 0, 0, False
        first: Unknown | None = None
        for mark, value in members:
            run.spend(cost)
            if is_unseen(value):
                without_end = True
                first = first or Unknown(member_path(path_text(loop.where, run), mark), why_unseen(value))
                continue
            if filters:
                run.slots[slot] = value
                run.marks[slot] = mark
            kept, doubt = _kept(run, filters)
            if doubt is None:
                sure += kept
            elif kept:
                perhaps += 1
                first = first or doubt_of(doubt)
        if first is None:
            return sure
        return Unknown(first.path, first.reason, sure, None if without_end else sure + perhaps)

    return read


def _kept(run: Run, filters: tuple[Test, ...]) -> tuple[bool, Result | None]:
    # A filter that is false drops the member whatever an unknown one before it would have said.
    doubt: Result | None = None
    for keep in filters:
        result = keep(run)
        if result[0] is False:
            return False, None
        if result[0] is None and doubt is None:
            doubt = result
    return True, doubt


def _members(run: Run, loop: Loop) -> Iterable[tuple[Any, Any]] | Unknown:
    items = loop.items(run)
    if items.__class__ is list:
        return enumerate(items)
    if items.__class__ is dict:
        run.spend(len(items))
        return [(key, key) for key in sorted(items)]
    if isinstance(items, Unknown):
        return items
    return Unknown(path_text(loop.where, run), f"type: {word_for(items)} has no members")
