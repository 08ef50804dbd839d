"""Comparisons, and the instants at which time alone will turn them.

Enters: two compiled sides. Leaves: a closure answering in three values.
Guards the promise behind ``turns_at``: until that instant the same document gives the same answer.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Optional

from .explaining import Node, Result, Term, Test, path_text
from .functions import days, next_day, next_flip
from .values import Run, Unknown, compare, contains, is_number

_MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "==", "!=": "!="}
_PLAIN: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
TimeTerm = Optional[tuple[str, Term]]  # noqa: UP045 - evaluated at import, also by 3.9


def comparing(symbol: str, terms: tuple[Term, Term], times: tuple[TimeTerm, TimeTerm], leaf: Node) -> Test:
    """``left symbol right`` as a test; ``times`` names the sides that are whole days of an instant."""
    left, right = terms
    if symbol in {"in", "not in"}:
        return _membership(left, right, leaf, negated=symbol == "not in")
    if times[0] is not None and times[1] is None:
        return _elapsing(symbol, times[0], right, left, leaf)
    if times[1] is not None and times[0] is None:
        return _elapsing(_MIRRORED[symbol], times[1], left, right, leaf)
    return _ordinary(symbol, left, right, leaf)


def _ordinary(symbol: str, left: Term, right: Term, leaf: Node) -> Test:
    yes: Result = (True, leaf, None)
    no: Result = (False, leaf, None)
    plain, read_left, read_right = _PLAIN[symbol], left.read, right.read

    def test(run: Run) -> Result:
        first, second = read_left(run), read_right(run)
        kind = first.__class__
        if kind is second.__class__ and (kind is int or kind is str):
            return yes if plain(first, second) else no
        answer = compare(run, symbol, first, second, path_text(left.where, run), path_text(right.where, run))
        return yes if answer is True else no if answer is False else (None, leaf, answer)

    return test


def _membership(left: Term, right: Term, leaf: Node, *, negated: bool) -> Test:
    inside: Result = (not negated, leaf, None)
    outside: Result = (negated, leaf, None)
    read_left, read_right = left.read, right.read

    def test(run: Run) -> Result:
        item, container = read_left(run), read_right(run)
        answer = contains(run, item, container, path_text(left.where, run), path_text(right.where, run))
        return inside if answer is True else outside if answer is False else (None, leaf, answer)

    return test


def _elapsing(symbol: str, time: tuple[str, Term], bound: Term, counted: Term, leaf: Node) -> Test:
    yes: Result = (True, leaf, None)
    no: Result = (False, leaf, None)
    name, at = time

    def test(run: Run) -> Result:
        moment, number = at.read(run), bound.read(run)
        if moment.__class__ is Unknown:
            return (None, leaf, moment)
        count = days(name, moment, run.as_of)
        if is_number(number):
            run.note_turn(next_flip(name, symbol, moment, number, run.as_of))
        else:
            run.note_turn(next_day(name, moment, run.as_of))
        answer = compare(run, symbol, count, number, path_text(counted.where, run), path_text(bound.where, run))
        return yes if answer is True else no if answer is False else (None, leaf, answer)

    return test
