"""The sentence a check says when it fails: fields looked up by dotted name, nothing else.

Enters: a template and the document it speaks of. Leaves: a sentence; or, at load time, a refusal of names that do not exist.
Guards the rule that a sentence can say only what a document holds: no format codes, no attributes of Python's own objects.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from .canonical import canonical
from .grammar import ExpressionError
from .shapes import Shape, field_of
from .values import is_unseen

NOT_SEEN = "(not seen)"
_FIELD = re.compile(r"\{([A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*)*)\}", re.ASCII)
_MOST_MEMBERS = 10
_MOST_LETTERS = 300


def check_template(template: str, shape: Shape | None, params: Mapping[str, Any] | None) -> None:
    """Every field a sentence names exists; without a shape or parameters only its form is checked.

    Raises:
        ExpressionError: A brace that opens no plain dotted name, or a name that is not in the shape or the parameters.
    """
    for _, path in _parts(template):
        if not path:
            continue
        if path[0] == "params":
            if len(path) != 2 or (params is not None and path[1] not in params):
                raise ExpressionError(f"no such parameter in the sentence: {'.'.join(path)}")
        elif shape is not None:
            _check_path(shape, path)


def fill(template: str, document: Mapping[str, Any], params: Mapping[str, Any]) -> str:
    """The sentence with its fields looked up; what was not seen says so."""
    said = []
    for text, path in _parts(template):
        said.append(text)
        if path:
            said.append(_look_up(params, path[1:]) if path[0] == "params" else _look_up(document, path))
    return "".join(said)


@lru_cache(maxsize=4096)
def _parts(template: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    pieces = _FIELD.split(template)
    for text in pieces[::2]:
        if "{" in text or "}" in text:
            raise ExpressionError(f"a brace in a sentence holds one dotted name: {template!r}")
    paths = [*(tuple(path.split(".")) for path in pieces[1::2]), ()]
    return tuple((text, paths[index]) for index, text in enumerate(pieces[::2]))


def _check_path(shape: Shape, path: tuple[str, ...]) -> None:
    for name in path:
        part = shape["of"] if shape["type"] == "map" else field_of(shape, name)
        if part is None:
            raise ExpressionError(f"no such field in the sentence: {'.'.join(path)}")
        shape = part


def _look_up(value: Any, path: tuple[str, ...]) -> str:
    for name in path:
        try:
            value = value[name]
        except (KeyError, TypeError):  # not there, or nothing that has fields
            return NOT_SEEN
    return _spoken(value)


def _spoken(value: Any) -> str:
    if value.__class__ is int:
        return str(value)
    if is_unseen(value):
        return NOT_SEEN
    if value is None:
        return "(not set)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        members = ", ".join(map(_spoken, value[:_MOST_MEMBERS]))
        left_out = len(value) - _MOST_MEMBERS
        return f"{members} and {left_out} more" if left_out > 0 else members or "(none)"
    text = value if isinstance(value, str) else _written(value)
    return text if len(text) <= _MOST_LETTERS else text[:_MOST_LETTERS] + "…"


def _written(value: Any) -> str:
    try:
        return canonical(value).decode()
    except ValueError:
        return NOT_SEEN
