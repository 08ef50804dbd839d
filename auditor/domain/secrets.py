"""What looks like a secret, by its name or its form: text goes in, pattern names and places leave, never the value.

Guards two rules. Nothing that was matched is ever returned, so nothing can be kept, logged or shown. And a value that
only points to where the secret is kept (an ARN, a variable, a resolved reference) is no secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

PATTERNS_VERSION = 1
"""Raised when the lists below change: a scan of old evidence cannot be repeated, so it says which list it used."""

_WORDS = {
    "pass": "password",
    "passwd": "password",
    "password": "password",
    "passphrase": "password",
    "pgpassword": "password",
    "secret": "secret",
    "token": "token",
    "apikey": "api key",
    "privatekey": "private key",
    "credential": "credential",
}
_PLURALS = {f"{word}s": name for word, name in _WORDS.items() if not word.endswith("s")}
_NAMES = {**_WORDS, **_PLURALS}

_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")

# A name that ends like this says where the secret is kept or how it is measured, not what it is.
_POINTERS = frozenset({"arn", "id", "name"})
_PLACES = frozenset({"dir", "directory", "endpoint", "file", "path", "uri", "url"})
_MEASURES = frozenset(
    {"age", "count", "days", "expiration", "expiry", "length", "limit", "seconds", "size", "timeout", "ttl"}
)
_PLACE_VALUE = re.compile(r"(?:[.~]?/|[A-Za-z]:\\|[a-z][a-z0-9+.-]*://)\S*", re.IGNORECASE)

_REFERENCE = re.compile(
    r"arn:[\w-]+:.+"
    r"|.*\{\{\s*resolve:.+"
    r"|valueFrom\b.*"
    r"|\$\(.*|`.*"
    r"|\$\{?[A-Za-z_][\w:.]*\}?"
    r"|%[A-Za-z_]\w*%"
    r"|\{\{.*\}\}|<[^<>]*>"
    r"|!(?:Ref|Sub|GetAtt|ImportValue)\b.*",
    re.DOTALL,
)
_NOTHING = re.compile(r"(?:true|false|yes|no|null|none|nil|undefined|\*+)?", re.IGNORECASE)

_FORMS = {
    "access key id": re.compile(r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])"),
    "private key block": re.compile(r"-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----"),
    "json web token": re.compile(r"(?<![\w-])eyJ[\w-]{8,}+\.eyJ[\w-]{8,}+\.[\w-]*"),
}
_CONNECTION = re.compile(r"(?<![\w.+-])[A-Za-z][\w.+-]{0,31}+://[^\s:/@\"'<>]{0,256}+:(?P<value>[^\s/@\"'<>]{1,512}+)@")

# Bounded and possessive: user data is written by strangers, and a scan must stay linear in its length.
_ASSIGNED = re.compile(r"""(?<![\w.])(?P<name>[A-Za-z_][\w.-]{0,127}+)["']?\s*+(?::=|=>|==?|:)\s*+""")
_FLAGGED = re.compile(r"""(?<![^\s"'`(])--?(?P<name>[A-Za-z][\w-]{0,127}+)\s++(?!-)""")
_VALUE = re.compile(r""""(?:\\.|[^"\\]){0,256}+"?|'[^']{0,256}+'?|`[^`]{0,256}+`?|[^\s,;&|"'`]{1,256}+""")


@dataclass(frozen=True, slots=True)
class Hit:
    """Something that looks like a secret: which pattern saw it, and where."""

    pattern: str
    place: str


def secret_name(name: str) -> str | None:
    """The pattern that a name's whole words match, split at case and separators; ``None`` for ``BYPASS`` and its like."""
    words = [word.lower() for word in _WORD.findall(name)]
    pairs = [first + second for first, second in pairwise(words)]
    return next((_NAMES[word] for word in (*words, *pairs) if word in _NAMES), None)


def is_reference(value: str) -> bool:
    """Whether a value only points to a secret, or holds nothing one could keep secret."""
    stripped = value.strip()
    return _REFERENCE.fullmatch(stripped) is not None or _NOTHING.fullmatch(stripped) is not None


def scan(text: str) -> tuple[Hit, ...]:
    """Every pattern that a text shows, once per line, in order; places read ``line 3``."""
    return tuple(
        Hit(pattern, f"line {number}")
        for number, line in enumerate(text.splitlines(), start=1)
        for pattern in sorted({*_by_form(line), *_by_name_in(line)})
    )


def scan_named(values: Mapping[str, str]) -> tuple[Hit, ...]:
    """Every pattern that named values show, such as environment variables; the place is the name."""
    return tuple(
        Hit(pattern, name)
        for name in sorted(values)
        for pattern in sorted({*_by_form(values[name]), *_by_name(name, values[name])})
    )


def _by_form(text: str) -> Iterator[str]:
    yield from (name for name, form in _FORMS.items() if form.search(text))
    if any(not is_reference(found["value"]) for found in _CONNECTION.finditer(text)):
        yield "connection string"


def _by_name_in(line: str) -> Iterator[str]:
    for form in (_ASSIGNED, _FLAGGED):
        for found in form.finditer(line):  # goes on where the value starts: it may hold an assignment of its own
            value = _VALUE.match(line, found.end())
            if value is not None:
                yield from _by_name(found["name"], value[0])


def _by_name(name: str, value: str) -> Iterator[str]:
    pattern = secret_name(name)
    if pattern is None or _points_elsewhere(name, value):
        return
    yield pattern


def _points_elsewhere(name: str, value: str) -> bool:
    literal = value[:1] == "'"  # a shell leaves '$word' alone: it is the secret itself
    bare = value.strip().strip("\"'")
    if _NOTHING.fullmatch(bare) or (is_reference(bare) and not (literal and bare.startswith("$"))):
        return True
    last = (_WORD.findall(name) or [""])[-1].lower()
    if last in _POINTERS:
        return True
    if last in _PLACES:
        return _PLACE_VALUE.fullmatch(bare) is not None
    return last in _MEASURES and bare.isdigit()
