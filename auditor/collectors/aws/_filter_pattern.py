"""CloudWatch Logs filter patterns: what one matches, as far as it can be told from a sample event.

Patterns over JSON (``{ $.eventName = "StopLogging" }``) and patterns of terms (``?StopLogging ?DeleteTrail``) are read;
patterns over columns never match JSON events. What cannot be read for certain is refused, not guessed.
Source: "Filter pattern syntax for metric filters", CloudWatch Logs user guide.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

Event: TypeAlias = Mapping[str, Any]
Test: TypeAlias = Callable[[Event], bool]

DEEPEST = 40
MISSING = object()

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<path>\$(?:\.?\[(?:\d+|\*|'[^']*'|"[^"]*")\]|\.[\w@/:-]+)*)
      | (?P<sign>&&|\|\||!=|<=|>=|[()=<>])
      | "(?P<quoted>(?:[^"\\]|\\.)*)"
      | %(?P<regex>[^%]*)%
      | (?P<bare>[^\s()&|=<>!"%$][^\s()&|=<>!"]*)
    )""",
    re.VERBOSE,
)
_STEP = re.compile(r"\[(\d+|\*)\]|\[['\"]([^'\"]*)['\"]\]|\.([\w@/:-]+)")
_TERM = re.compile(r'([?-]?)(?:"((?:[^"\\]|\\.)*)"|%([^%]*)%|([^\s"%]+))')
_PLAIN_REGEX = re.compile(r"[\w|^$]*")
_ORDER: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class PatternError(ValueError):
    """A pattern that we cannot read for certain."""


def read(pattern: str) -> Test:
    """A filter pattern as a question to an event.

    Raises:
        PatternError: Syntax we do not know, or a regular expression beyond alternatives of plain words.
    """
    text = pattern.strip()
    if text.startswith("["):
        return lambda _: False
    if text.startswith("{") and text.endswith("}"):
        return _Parser(text[1:-1]).whole()
    return _terms(text)


class _Parser:
    """Recursive descent over one JSON pattern; ``&&`` binds closer than ``||``."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._depth = 0

    def whole(self) -> Test:
        test = self._either()
        if self._tokens:
            raise PatternError(f"unexpected {self._tokens[0][1]}")
        return test

    def _either(self) -> Test:
        parts = [self._both()]
        while self._take("||"):
            parts.append(self._both())
        return lambda event: any(part(event) for part in parts)

    def _both(self) -> Test:
        parts = [self._one()]
        while self._take("&&"):
            parts.append(self._one())
        return lambda event: all(part(event) for part in parts)

    def _one(self) -> Test:
        if self._take("("):
            self._depth += 1
            if self._depth > DEEPEST:
                raise PatternError("nested too deep")
            inner = self._either()
            if not self._take(")"):
                raise PatternError("a parenthesis stays open")
            self._depth -= 1
            return inner
        kind, text = self._next()
        if kind != "path":
            raise PatternError(f"{text} is no field")
        return self._condition(text)

    def _condition(self, path: str) -> Test:
        kind, word = self._next()
        steps = _steps(path)
        if kind == "bare" and word.upper() in {"IS", "NOT"}:
            return _state(steps, word.upper(), self._next()[1].upper())
        if kind == "bare" and word.upper() == "EXISTS":
            return lambda event: _find(event, steps) is not MISSING
        if kind != "sign" or word in {"&&", "||", "(", ")"}:
            raise PatternError(f"{word} compares nothing")
        form, value = self._next()
        if form not in {"quoted", "bare", "regex"}:
            raise PatternError(f"{value} is no value")
        return _comparison(steps, word, _matcher(form, value), value)

    def _next(self) -> tuple[str, str]:
        if not self._tokens:
            raise PatternError("the pattern ends too early")
        return self._tokens.pop(0)

    def _take(self, sign: str) -> bool:
        if self._tokens and self._tokens[0] == ("sign", sign):
            self._tokens.pop(0)
            return True
        return False


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    place, text = 0, text.rstrip()
    while place < len(text):
        token = _TOKEN.match(text, place)
        if token is None or token.lastgroup is None:
            raise PatternError(f"unreadable from {text[place : place + 20]!r}")
        value = token[token.lastgroup]
        found.append((token.lastgroup, re.sub(r"\\(.)", r"\1", value) if token.lastgroup == "quoted" else value))
        place = token.end()
    return found


def _steps(path: str) -> tuple[str, ...]:
    return tuple(index or quoted or plain for index, quoted, plain in _STEP.findall(path[1:]))


def _find(event: Any, steps: tuple[str, ...]) -> Any:
    for step in steps:
        if isinstance(event, Mapping):
            event = event.get(step, MISSING)
        elif isinstance(event, list) and step.isdigit():
            event = event[int(step)] if int(step) < len(event) else MISSING
        elif step == "*":
            raise PatternError("a wildcard over members is not read")
        else:
            return MISSING
    return event


def _state(steps: tuple[str, ...], word: str, state: str) -> Test:
    wanted = {"NULL": None, "TRUE": True, "FALSE": False}
    if word == "NOT" and state == "EXISTS":
        return lambda event: _find(event, steps) is MISSING
    if word == "IS" and state in wanted:
        return lambda event: _find(event, steps) is wanted[state]
    raise PatternError(f"{word} {state} asks nothing we know")


def _comparison(steps: tuple[str, ...], sign: str, fits: Callable[[str], bool], value: str) -> Test:
    """A field that is not there matches neither ``=`` nor ``!=``."""
    if sign in _ORDER:
        try:
            bound = float(value)
        except ValueError as error:
            raise PatternError(f"{value} is no number") from error

        def ordered(event: Event) -> bool:
            found = _find(event, steps)
            return isinstance(found, (int, float)) and _ORDER[sign](found, bound)

        return ordered

    def equal(event: Event) -> bool:
        found = _find(event, steps)
        if found is MISSING or found is None or isinstance(found, (Mapping, list)):
            return False
        return fits(found if isinstance(found, str) else json.dumps(found)) == (sign == "=")

    return equal


def _matcher(form: str, value: str) -> Callable[[str], bool]:
    if form == "regex":
        return _regex(value)
    return lambda text: _wild(value, text)


def _regex(value: str) -> Callable[[str], bool]:
    if not _PLAIN_REGEX.fullmatch(value):
        raise PatternError("a regular expression beyond plain words is not read")
    compiled = re.compile(value)
    return lambda text: compiled.search(text) is not None


def _wild(pattern: str, text: str) -> bool:
    """Whether the text fits, where ``*`` stands for anything; linear, as patterns come from the account."""
    first, *rest = pattern.split("*")
    if not rest:
        return text == pattern
    *middle, last = rest
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    place, end = len(first), len(text) - len(last)
    for piece in middle:
        found = text.find(piece, place, end)
        if found < 0:
            return False
        place = found + len(piece)
    return True


def _terms(text: str) -> Test:
    """Words that must all be there, ``?`` words of which one must, ``-`` words that must not."""
    needed: list[Callable[[str], bool]] = []
    optional: list[Callable[[str], bool]] = []
    banned: list[Callable[[str], bool]] = []
    if _TERM.sub("", text).strip():
        raise PatternError("a quote stays open")
    for sign, quoted, regex, bare in _TERM.findall(text):
        fits = _regex(regex) if regex else _holds(re.sub(r"\\(.)", r"\1", quoted) or bare)
        {"": needed, "?": optional, "-": banned}[sign].append(fits)
    # Where plain words stand beside them, AWS leaves words with "?" out of account.
    asked = [] if needed else optional

    def test(event: Event) -> bool:
        line = json.dumps(event, separators=(",", ":"))
        return (
            all(fits(line) for fits in needed)
            and (not asked or any(fits(line) for fits in asked))
            and not any(fits(line) for fits in banned)
        )

    return test


def _holds(word: str) -> Callable[[str], bool]:
    return lambda line: word in line
