"""Conditions: one small language in which every check is written, with a third answer for what was not seen.

Enters: the text of a condition, a document, parameters and the instant to judge for. Leaves: an ``Answer``.
Guards the rule that judging is a pure function: no clock, no network, nothing outside the document and its parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from .canonical import UTC
from .compiler import Compiler
from .explaining import Test, doubt_of, seen_in
from .grammar import ExpressionError, parse
from .shapes import check_names
from .values import STEPS, UNSEEN, Run, SpentError

__all__ = ["LANGUAGE", "UNSEEN", "Answer", "Expression", "ExpressionError", "compile_expression"]

LANGUAGE = 1


class Answer(NamedTuple):
    """What a condition says of a document: yes, no or unknown (``None``), and why.

    ``because`` quotes the deciding part of the condition, ``values`` holds what was read there as (path, JSON value).
    ``path`` and ``reason`` are given for unknown only; ``turns_at`` is the earliest instant at which time alone may change
    the answer, ``None`` if it never will.
    """

    value: bool | None
    because: str
    values: tuple[tuple[str, Any], ...]
    path: str | None
    reason: str | None
    turns_at: datetime | None


@dataclass(frozen=True)
class Expression:
    """A condition compiled once; ``names`` are the document's fields it reads, ``params`` the parameters."""

    source: str
    names: frozenset[str]
    params: frozenset[str]
    _test: Test = field(repr=False, compare=False)
    _loops: int = field(repr=False, compare=False)

    def evaluate(self, document: Mapping[str, Any], params: Mapping[str, Any], as_of: datetime) -> Answer:
        """The answer for a document as of an instant; the same input gives the same answer on every machine.

        Raises:
            ValueError: ``as_of`` knows no zone.
        """
        if as_of.tzinfo is not UTC:
            if as_of.utcoffset() is None:
                raise ValueError("as_of must know its zone")
            as_of = as_of.astimezone(UTC)
        run = Run(document, params, as_of, self._loops)
        try:
            result = self._test(run)
            turns_at = run.turns_at
            # Explaining reads again what was paid for once, so a full budget is always enough.
            run.steps = STEPS
            values = seen_in(run, result)
        except SpentError:
            return Answer(None, self.source, (), None, "step budget", run.turns_at)
        if result[0] is None:
            doubt = doubt_of(result)
            return Answer(None, result[1].text, values, doubt.path, doubt.reason, turns_at)
        return Answer(result[0], result[1].text, values, None, None, turns_at)


def compile_expression(
    source: str, *, shape: Mapping[str, Any] | None = None, params: Mapping[str, Any] | None = None
) -> Expression:
    """The condition, compiled; with ``shape`` (of the document) and ``params`` given, every name in it is checked.

    Raises:
        ExpressionError: The text is not a condition, or names what does not exist, or asks of a field what it may not have.
    """
    text, tree = parse(source)
    compiler = Compiler(text)
    test, _ = compiler.test(tree)
    if shape is not None or params is not None:
        check_names(text, tree, shape=shape, params=params)
    return Expression(text.text, frozenset(compiler.names), frozenset(compiler.params), test, compiler.loops)
