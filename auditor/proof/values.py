"""What flows through an evaluation: JSON values, the unknown, and comparing where parts were not seen.

Enters: two values of a document. Leaves: True, False, or an ``Unknown`` that says which path was not seen and why.
Guards the rule that a hidden part may make an answer unknown and can never turn it round.
"""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Mapping
from datetime import datetime
from typing import Any

UNSEEN = "$unseen"
MISSING = "not in this document version"
STEPS = 200_000
_DEEPEST = 64
_NUMBERS = frozenset((int, float))
ORDERINGS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


class Unknown:
    """A value nobody could read: where it stands and why; a count that is only bounded carries its bounds."""

    __slots__ = ("high", "low", "path", "reason")

    def __init__(self, path: str, reason: str, low: int | None = None, high: float | None = None) -> None:
        self.path = path
        self.reason = reason
        self.low = low
        self.high = high


class SpentError(Exception):
    """The evaluation used up its steps; never leaves the kernel."""


class Run:
    """The state of one evaluation: what it reads, the loop members in force, steps left, the next turn of time."""

    __slots__ = ("as_of", "document", "marks", "params", "slots", "steps", "turns_at")

    def __init__(self, document: Mapping[str, Any], params: Mapping[str, Any], as_of: datetime, loops: int) -> None:
        self.document = document
        self.params = params
        self.as_of = as_of
        self.steps = STEPS
        self.turns_at: datetime | None = None
        if loops:
            self.slots: list[Any] = [None] * loops
            self.marks: list[int | str] = [0] * loops

    def spend(self, steps: int) -> None:
        """Steps are taken off the budget; an empty budget ends the evaluation."""
        self.steps -= steps
        if self.steps < 0:
            raise SpentError

    def note_turn(self, moment: datetime | None) -> None:
        """The earliest turn still ahead of ``as_of`` is kept."""
        if moment is not None and moment > self.as_of and (self.turns_at is None or moment < self.turns_at):
            self.turns_at = moment


def is_unseen(value: Any) -> bool:
    """Whether a value is the mark of something not seen. Any object holding the mark counts: doubt is never read as data."""
    return value.__class__ is dict and UNSEEN in value


def why_unseen(marker: Mapping[str, Any]) -> str:
    """The reason written in the mark."""
    reason = marker[UNSEEN]
    return reason if isinstance(reason, str) and reason else "not seen"


def is_number(value: Any) -> bool:
    """Whether a value is a number; a flag is none."""
    return value.__class__ in _NUMBERS


def word_for(value: Any) -> str:
    """The word by which a person knows the type of a value."""
    if value is None:
        return "null"
    kinds = {bool: "flag", int: "number", float: "number", str: "text", list: "list", dict: "object"}
    return kinds.get(value.__class__, "something that is not JSON")


def member_path(path: str, mark: int | str) -> str:
    """The path of a list's member or of a map's key."""
    return f"{path}[{json.dumps(mark, ensure_ascii=False)}]"


def compare(run: Run, symbol: str, left: Any, right: Any, left_path: str, right_path: str) -> Any:
    """Whether ``left symbol right`` holds: True, False or Unknown, for ``==``, ``!=`` and the four orderings."""
    if left.__class__ is Unknown or right.__class__ is Unknown:
        return _compare_unknown(symbol, left, right)
    if symbol in ORDERINGS:
        if (is_number(left) and is_number(right)) or (left.__class__ is str and right.__class__ is str):
            return bool(ORDERINGS[symbol](left, right))
        path = right_path if right is None and left is not None else left_path
        return Unknown(path, f"type: {word_for(left)} and {word_for(right)} have no order")
    same = equal(run, left, right)
    if same is None:
        return first_unseen(left, left_path) or first_unseen(right, right_path) or Unknown(left_path, "nested too deep")
    return same if symbol == "==" else not same


def contains(run: Run, item: Any, container: Any, item_path: str, container_path: str) -> Any:
    """Whether a list holds an equal member, or a map the key: True, False or Unknown."""
    for value in (item, container):
        if value.__class__ is Unknown:
            return value
    if item is None:
        return Unknown(item_path, "type: null has no place in a list")
    if container.__class__ is dict:
        return item in container if item.__class__ is str else Unknown(item_path, "type: the keys of a map are text")
    if container.__class__ is not list:
        return Unknown(container_path, f"type: {word_for(container)} has no members")
    run.spend(len(container))
    doubt: Unknown | None = None
    for index, member in enumerate(container):
        same = equal(run, item, member)
        if same:
            return True
        if same is None and doubt is None:
            doubt = (
                first_unseen(member, member_path(container_path, index))
                or first_unseen(item, item_path)
                or Unknown(item_path, "nested too deep")
            )
    return False if doubt is None else doubt


def equal(run: Run, left: Any, right: Any, depth: int = 0) -> bool | None:
    """Whether two JSON values are the same, ``None`` if an unseen part decides it; a flag is never a number."""
    kind, other = left.__class__, right.__class__
    if is_unseen(left) or is_unseen(right) or depth > _DEEPEST:
        return None
    if kind is not other:
        return kind in _NUMBERS and other in _NUMBERS and left == right
    if kind is list:
        return _equal_lists(run, left, right, depth)
    if kind is dict:
        if left.keys() != right.keys():
            return False
        return _all_equal(run, [(left[key], right[key]) for key in left], depth)
    return bool(left == right)


def first_unseen(value: Any, path: str, depth: int = 0) -> Unknown | None:
    """The first unseen part inside a value, with its path."""
    if is_unseen(value):
        return Unknown(path, why_unseen(value))
    if depth > _DEEPEST:
        return None
    parts: list[tuple[str, Any]] = []
    if value.__class__ is list:
        parts = [(member_path(path, index), member) for index, member in enumerate(value)]
    elif value.__class__ is dict:
        parts = [(f"{path}.{key}", part) for key, part in value.items()]
    for place, part in parts:
        found = first_unseen(part, place, depth + 1)
        if found is not None:
            return found
    return None


def _equal_lists(run: Run, left: list[Any], right: list[Any], depth: int) -> bool | None:
    run.spend(len(left) + len(right))
    hidden_left = sum(map(is_unseen, left))
    hidden_right = sum(map(is_unseen, right))
    if not hidden_left and not hidden_right:
        if len(left) != len(right):
            return False
        return _all_equal(run, [(left[index], right[index]) for index in range(len(left))], depth)
    # An unseen member stands for any number of members, none included: only the count of seen ones can rule equality out.
    if not hidden_right and len(left) - hidden_left > len(right):
        return False
    if not hidden_left and len(right) - hidden_right > len(left):
        return False
    return None


def _all_equal(run: Run, pairs: list[tuple[Any, Any]], depth: int) -> bool | None:
    run.spend(len(pairs))
    answer: bool | None = True
    for left, right in pairs:
        same = equal(run, left, right, depth + 1)
        if same is False:
            return False
        if same is None:
            answer = None
    return answer


def _compare_unknown(symbol: str, left: Any, right: Any) -> Any:
    doubt = left if left.__class__ is Unknown else right
    first, second = _bounds(left), _bounds(right)
    if first is None or second is None:
        return doubt
    decided = _decide(symbol, first, second)
    return doubt if decided is None else decided


def _bounds(value: Any) -> tuple[float, float] | None:
    if value.__class__ is Unknown:
        return None if value.low is None else (value.low, value.high if value.high is not None else math.inf)
    return (value, value) if is_number(value) else None


def _decide(symbol: str, first: tuple[float, float], second: tuple[float, float]) -> bool | None:
    (low, high), (least, most) = first, second
    if symbol in {"==", "!="}:
        return (symbol == "!=") if high < least or most < low else None
    if symbol in {">", ">="}:
        (low, high), (least, most) = second, first
    if symbol in {"<", ">"}:
        return True if high < least else False if low >= most else None
    return True if high <= least else False if low > most else None
