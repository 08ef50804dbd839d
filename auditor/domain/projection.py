"""What of an answer is kept: allow-listed paths only, as plain JSON. What is not kept cannot leak.

A value that was withheld becomes its mark here, on the one way by which an answer becomes evidence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeAlias

from auditor.domain.reading import UNSEEN_KEY
from auditor.domain.redaction import Fingerprint, Withheld
from auditor.domain.resource_type import TEMPLATE
from auditor.proof.canonical import stamp

Tree: TypeAlias = Mapping[str, "Tree | None"]
_MAPPING = (dict, Mapping)
"""``dict`` in front: asking an abstract class costs ten times as much, and nearly all answers are dictionaries."""


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


def project(answer: Any, kept: Tree | None, fingerprint: Fingerprint | None = None) -> Any:
    """The kept part of an answer. Lists are projected member by member; a name that is missing stays missing.

    Raises:
        TypeError: A plain value where fields are to be kept: the answer has another form than was declared.
    """
    if kept is None:
        return plain(answer, fingerprint)
    if isinstance(answer, list):
        return [project(member, kept, fingerprint) for member in answer]
    if not isinstance(answer, _MAPPING):
        if kept and answer is not None:
            raise TypeError(f"no fields in a {type(answer).__name__}")
        return plain(answer, fingerprint)
    told = ((name, answer.get(name), below) for name, below in kept.items())
    return {
        name: value if type(value) is str and below is None else project(value, below, fingerprint)
        for name, value, below in told
        if value is not None
    }


def plain(value: Any, fingerprint: Fingerprint | None = None) -> Any:
    """A vendor's value as JSON: times become RFC 3339 text in UTC, what was withheld its mark.

    Raises:
        TypeError: Bytes. They have no place in evidence: a declaration that meets them needs ``project``.
    """
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, datetime):
        return stamp(value if value.tzinfo else value.replace(tzinfo=UTC))
    if isinstance(value, _MAPPING):
        return {str(name): plain(member, fingerprint) for name, member in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return [plain(member, fingerprint) for member in value]
    if isinstance(value, Withheld):
        return value.mark(fingerprint)
    raise TypeError(f"evidence may not hold a {type(value).__name__}")


def walk(answer: Any, path: str) -> Iterator[Any]:
    """The items that a path like ``Reservations[].Instances[]`` leads to; nothing where a name is missing.

    Raises:
        TypeError: Something else stands where the path leads: taking it for an empty list would call resources gone.
    """
    name, _, rest = path.partition(".")
    if not isinstance(answer, _MAPPING):
        raise TypeError(f"no fields in a {type(answer).__name__}")
    found = answer.get(name.removesuffix("[]"))
    if found is None:
        return
    many = isinstance(found, (list, tuple))
    if rest:
        for member in found if many else (found,):
            yield from walk(member, rest)
        return
    if not many:
        raise TypeError(f"no list but a {type(found).__name__}")
    yield from found


class UnseenFieldError(Exception):
    """A field that a template needs could not be seen: what would be asked with it is unseen for the same reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def fill(template: Any, known: Mapping[str, Any]) -> Any:
    """A parameter with its ``{Field}`` templates filled, in lists too.

    Raises:
        KeyError: A field that this resource does not have: there is nothing to ask.
        UnseenFieldError: A field that could not be read, or not all of it: nobody knows what to ask.
    """
    if isinstance(template, str):
        whole = TEMPLATE.fullmatch(template)
        if whole:
            return _known(whole[1], known)
        return TEMPLATE.sub(lambda found: str(_known(found[1], known)), template)
    if isinstance(template, (list, tuple)):
        return [fill(member, known) for member in template]
    if isinstance(template, _MAPPING):
        return {name: fill(member, known) for name, member in template.items()}
    return template


def _known(name: str, known: Mapping[str, Any]) -> Any:
    value = known.get(name)
    if value is None:
        raise KeyError(name)
    reason = hidden(value)
    if reason is not None:
        raise UnseenFieldError(reason)
    return value


def hidden(value: Any) -> str | None:
    """Why a kept value, or a member of a kept list, could not be seen; ``None`` if all of it was."""
    if isinstance(value, str):
        return None
    for one in value if isinstance(value, (list, tuple)) else (value,):
        if isinstance(one, _MAPPING) and len(one) == 1 and UNSEEN_KEY in one:
            return str(one[UNSEEN_KEY])
    return None
