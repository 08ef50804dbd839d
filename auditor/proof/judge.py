"""Judging: one check, one document, one instant, one of four verdicts.

Enters: a definition compiled once, documents, and the instant to judge for. Leaves: a ``Judgement``.
Guards the rule that the engine that judged is the engine in the bundle: same definition, same document, same verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from .canonical import digest
from .expression import LANGUAGE, Answer, Expression, ExpressionError, compile_expression
from .template import check_template, fill

__all__ = [
    "VERDICTS",
    "CompiledCheck",
    "Judgement",
    "check_template",
    "compile_check",
    "judge",
    "judged_digest",
    "published_digest",
]

VERDICTS = ("pass", "fail", "not_applicable", "unknown")


@dataclass(frozen=True)
class CompiledCheck:
    """A check ready to judge: what it asks of which resource type, and the digest of everything that decides."""

    id: str
    resource_type: str
    document_version: Any
    applies_when: Expression | None
    pass_when: Expression
    fail: str
    params: dict[str, Any]
    judged_digest: str


class Judgement(NamedTuple):
    """A verdict and why: the deciding part of the condition, the values read there, and when time alone may change it.

    ``message`` is the check's sentence for a fail, what could not be determined for an unknown, empty otherwise.
    """

    verdict: str
    because: str
    values: tuple[tuple[str, Any], ...]
    path: str | None
    reason: str | None
    turns_at: datetime | None
    message: str


def compile_check(definition: Mapping[str, Any], *, shape: Mapping[str, Any] | None = None) -> CompiledCheck:
    """A check's definition, compiled; names are held against its parameters, and against the shape if there is one.

    Raises:
        ExpressionError: A key is missing, a condition or the sentence is refused; the message names the key.
    """
    for key in ("id", "resource", "document_version", "pass_when"):
        if key not in definition:
            raise ExpressionError(f"{definition.get('id', 'a check')}: {key} is missing")
    params = dict(definition.get("params") or {})
    conditions: dict[str, Expression] = {}
    for key in ("applies_when", "pass_when"):
        if definition.get(key) is None and key == "applies_when":
            continue
        try:
            conditions[key] = compile_expression(definition[key], shape=shape, params=params)
        except ExpressionError as error:
            raise ExpressionError(f"{definition['id']}: {key}: {error}", error.offset) from error
    sentence = definition.get("fail") or ""
    try:
        check_template(sentence, shape, params)
    except ExpressionError as error:
        raise ExpressionError(f"{definition['id']}: fail: {error}") from error
    return CompiledCheck(
        id=definition["id"],
        resource_type=definition["resource"],
        document_version=definition["document_version"],
        applies_when=conditions.get("applies_when"),
        pass_when=conditions["pass_when"],
        fail=sentence,
        params=params,
        judged_digest=judged_digest(definition),
    )


def judge(
    check: CompiledCheck, document: Mapping[str, Any], *, as_of: datetime, params: Mapping[str, Any] | None = None
) -> Judgement:
    """The verdict of a check on a document as of an instant; ``params`` given here replace the check's, name by name.

    Raises:
        ValueError: ``as_of`` knows no zone.
    """
    settings: Mapping[str, Any] = check.params if params is None else {**check.params, **params}
    turns_at = None
    if check.applies_when is not None:
        applies = check.applies_when.evaluate(document, settings, as_of)
        turns_at = applies.turns_at
        if applies.value is None:
            return _unknown(applies, turns_at)
        if applies.value is False:
            return Judgement("not_applicable", applies.because, applies.values, None, None, turns_at, "")
    answer = check.pass_when.evaluate(document, settings, as_of)
    if turns_at is None or (answer.turns_at is not None and answer.turns_at < turns_at):
        turns_at = answer.turns_at
    if answer.value is None:
        return _unknown(answer, turns_at)
    if answer.value:
        return Judgement("pass", answer.because, answer.values, None, None, turns_at, "")
    return Judgement("fail", answer.because, answer.values, None, None, turns_at, fill(check.fail, document, settings))


def judged_digest(definition: Mapping[str, Any]) -> str:
    """The digest of what decides a verdict; titles, sentences and mappings leave it as it is."""
    return digest(
        {
            "id": definition["id"],
            "resource": definition["resource"],
            "document_version": definition["document_version"],
            "applies_when": definition.get("applies_when"),
            "pass_when": definition["pass_when"],
            "params": dict(definition.get("params") or {}),
            "language": LANGUAGE,
        }
    )


def published_digest(definition: Mapping[str, Any]) -> str:
    """The digest of the whole definition, as a reader would see it."""
    return digest(dict(definition))


def _unknown(answer: Answer, turns_at: datetime | None) -> Judgement:
    place = f"{answer.path}: " if answer.path else ""
    message = f"could not be determined: {place}{answer.reason}"
    return Judgement("unknown", answer.because, answer.values, answer.path, answer.reason, turns_at, message)
