"""AWS policy documents, read as an attacker would: who is let in, what they may do, and which conditions really narrow it.

Pure text analysis in the sense of the vendor's policy language. Where a policy leaves a doubt the answer is the one that
does not excuse: a condition narrows only if it pins the caller, a Deny excuses only what it covers wholly.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, cast
from urllib.parse import unquote

from auditor.domain.network import is_world
from auditor.domain.reading import Reading, Seen, Unseen

ANYONE = "*"


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement with every "string or list" made a list; ``None`` where the element is not there."""

    name: str
    allows: bool
    principals: tuple[tuple[str, str], ...] | None
    spares: bool  # NotPrincipal: everybody but the named
    actions: tuple[str, ...] | None
    not_actions: tuple[str, ...] | None
    resources: tuple[str, ...] | None
    not_resources: tuple[str, ...] | None
    condition: Mapping[str, Any]

    @property
    def for_anyone(self) -> bool:
        """Whether it speaks of every principal there is."""
        return self.spares or any(who == ANYONE for _, who in self.principals or ())


Policy: TypeAlias = "str | Mapping[str, Any] | tuple[Statement, ...] | None"


def parse(policy: Policy) -> tuple[Statement, ...]:
    """The statements of a policy given as a mapping, as JSON text or as URL-encoded JSON text; no policy has none.

    Raises:
        ValueError: The text is no policy. Reading it as empty would hide what it grants.
    """
    if isinstance(policy, tuple):
        return policy
    document = _document(policy) if isinstance(policy, str) else policy
    if not document:
        return ()
    if not isinstance(document, Mapping):
        raise ValueError("a policy is a JSON object")  # noqa: TRY004  (data from outside, not a wrong call)
    return tuple(_statement(raw, place) for place, raw in enumerate(_many(document.get("Statement")), start=1))


def statements_of(policy: Reading[Any]) -> Reading[tuple[Statement, ...]]:
    """A policy reading as its statements; a text that is no policy could not be seen."""
    match policy:
        case Seen(value):
            try:
                return Seen(parse(value))
            except ValueError:
                return Unseen("policy could not be read as JSON")
        case Unseen():
            return policy


def open_to_strangers(policy: Policy) -> tuple[str, ...]:
    """The names (Sid, or ``statement 2``) of the Allow statements that let anybody in, with no condition that narrows."""
    return tuple(
        statement.name
        for statement in parse(policy)
        if statement.allows and statement.for_anyone and not condition_narrows(statement.condition)
    )


def grants_administrator(policy: Policy) -> bool:
    """Whether it allows every action (or all but some) on every resource and no Deny of its own takes that back."""
    statements = parse(policy)
    if any(not statement.allows and not statement.condition and _everything(statement) for statement in statements):
        return False
    return any(statement.allows and _everything(statement) and not _limits(statement) for statement in statements)


def requires_tls(policy: Policy) -> bool:
    """Whether everybody is denied every action without TLS, on a bucket and on its objects."""
    covered = [
        pattern
        for statement in parse(policy)
        if not statement.allows and statement.for_anyone and not statement.spares and _denies_plain_text(statement)
        for pattern in statement.resources or ()
    ]
    roots = {BELOW.sub("", pattern) for pattern in covered}
    return any(_covers(covered, root) and _covers(covered, f"{root}/*") for root in roots if "/" not in root)


def condition_narrows(condition: Mapping[str, Any] | None) -> bool:
    """Whether some part pins the caller to named accounts, organisations, networks, endpoints or ARNs; parts are ANDed."""
    return any(
        _pins_network(values) if key in NETWORK_KEYS else _pins_caller(key, values)
        for key, values in positive(condition, NARROWING)
    )


def positive(condition: Mapping[str, Any] | None, operators: frozenset[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The keys, in lower case, with their values, that stand under one of the operators and must be there to match."""
    for operator, keys in (condition or {}).items():
        if operator.lower().removeprefix("foranyvalue:") in operators:
            for key, values in keys.items():
                yield key.lower(), tuple(_text(value) for value in _many(values))


NARROWING = frozenset(
    {
        "stringequals",
        "stringequalsignorecase",
        "stringlike",
        "arnequals",
        "arnlike",
        "ipaddress",
    }
)
NETWORK_KEYS = frozenset({"aws:sourceip", "aws:vpcsourceip"})
ARN_KEYS = frozenset({"aws:principalarn", "aws:sourcearn", "s3:dataaccesspointarn"})
PATH_KEYS = frozenset({"aws:principalorgpaths", "aws:sourceorgpaths", "aws:vpceorgpaths"})
NAME_KEYS = frozenset(
    {
        "aws:principalaccount",
        "aws:principalorgid",
        "aws:sourceaccount",
        "aws:sourceorgid",
        "aws:sourceowner",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:sourcevpcarn",
        "aws:vpceaccount",
        "aws:vpceorgid",
        "kms:calleraccount",
        "s3:dataaccesspointaccount",
    }
)
OWN = ("${aws:ResourceAccount}", "${aws:ResourceOrgID}", "${aws:ResourceOrgPaths}")  # the owner's, not the caller's
WILD = re.compile(r"[*?]")
BELOW = re.compile(r"/?\*$")


def _pins_caller(key: str, values: tuple[str, ...]) -> bool:
    """Values are alternatives: one that anybody can match opens the rest."""
    known = key in ARN_KEYS or key in PATH_KEYS or key in NAME_KEYS or key == "aws:userid"
    return known and bool(values) and all(_names_somebody(key, value) for value in values)


def _names_somebody(key: str, value: str) -> bool:
    if "${" in value:
        return value.startswith(OWN)
    fixed = WILD.split(value, maxsplit=1)[0]
    if fixed == value:
        return bool(value)
    if key in PATH_KEYS:
        return "/" in fixed
    if key == "aws:userid":
        return ":" in fixed
    if key in ARN_KEYS:
        return _pinned_arn(value)
    return False


def _pinned_arn(pattern: str) -> bool:
    """With wildcards, its account must be spelt out; S3 names carry none and are unique by themselves."""
    parts = pattern.split(":", 5)
    if len(parts) < 6:
        return len(parts) == 5 and re.match(r"\d{12}", parts[4]) is not None
    if not parts[4]:
        return parts[2] == "s3" and re.match(r"[^*?]{3,}", parts[5]) is not None
    return re.fullmatch(r"\d{12}", parts[4]) is not None


def _pins_network(values: tuple[str, ...]) -> bool:
    try:
        return bool(values) and not is_world(values)
    except ValueError:
        return False


def _limits(statement: Statement) -> bool:
    """Whether a condition of an Allow asks for anything that is not always so."""
    return any(
        key.lower() != "aws:securetransport" and not all(_text(value) in {"*", "**"} for value in _many(values))
        for operator, keys in statement.condition.items()
        if not operator.lower().endswith("ifexists") and not operator.lower().startswith("forallvalues:")
        for key, values in keys.items()
    )


def _everything(statement: Statement) -> bool:
    """Every action, or all but some, on every resource, or all but some."""
    if statement.actions is not None:
        acts = any(_any(action) for action in statement.actions)
    else:
        acts = statement.not_actions is not None and not any(_any(action) for action in statement.not_actions)
    if statement.resources is not None:
        reaches = any(_any(resource) for resource in statement.resources)
    else:
        reaches = not any(_any(resource) for resource in statement.not_resources or ())
    return acts and reaches


def _any(pattern: str) -> bool:
    """A pattern that leaves nothing out: ``*``, ``*:*``, ``arn:aws:*``."""
    return "*" in pattern and re.fullmatch(r"(arn:(aws[a-z-]*:)?)?[*:]+", pattern) is not None


def _denies_plain_text(statement: Statement) -> bool:
    every = any(
        _any(action) or re.fullmatch(r"[a-z0-9-]+:\*", action, re.IGNORECASE) for action in statement.actions or ()
    )
    asked = [
        (operator.lower(), key.lower(), [_text(value) for value in _many(values)])
        for operator, keys in statement.condition.items()
        for key, values in keys.items()
    ]
    return (
        every
        and len(asked) == 1
        and asked[0][0] in {"bool", "boolifexists"}
        and asked[0][1] == "aws:securetransport"
        and "false" in asked[0][2]
    )


def _covers(patterns: Iterable[str], arn: str) -> bool:
    """Whether one pattern takes in the ARN, whose own ``*`` stands for everything below it."""
    return any(glob(pattern, arn.replace("*", "\0")) for pattern in patterns)


def glob(pattern: str, text: str) -> bool:
    """Whether the vendor's wildcards match the text; ``?`` never takes the place of everything."""
    quoted = "".join({"*": ".*", "?": "[^\0]"}.get(letter, re.escape(letter)) for letter in pattern)
    return re.fullmatch(quoted, text, re.DOTALL) is not None


def _document(text: str) -> Any:
    bare = text.strip()
    return json.loads(unquote(bare) if bare.startswith("%") else bare) if bare else None


def _statement(raw: Any, place: int) -> Statement:
    if not isinstance(raw, Mapping):
        raise ValueError("a statement is a JSON object")  # noqa: TRY004  (data from outside, not a wrong call)
    named = raw.get("Principal", raw.get("NotPrincipal"))
    return Statement(
        name=raw.get("Sid") or f"statement {place}",
        allows=raw.get("Effect") == "Allow",
        principals=None if named is None else tuple(_principals(named)),
        spares="NotPrincipal" in raw,
        actions=_texts(raw, "Action"),
        not_actions=_texts(raw, "NotAction"),
        resources=_texts(raw, "Resource"),
        not_resources=_texts(raw, "NotResource"),
        condition=cast("Mapping[str, Any]", raw.get("Condition") or {}),
    )


def _principals(named: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(named, Mapping):
        yield from (("AWS", str(who)) for who in _many(named))
        return
    for kind, members in named.items():
        yield from ((kind, str(who)) for who in _many(members))


def _texts(raw: Mapping[str, Any], element: str) -> tuple[str, ...] | None:
    return tuple(str(member) for member in _many(raw[element])) if element in raw else None


def _many(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
