"""Typed descriptions of resources: frozen dataclasses, their JSON, and the shape that expressions are checked against."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from auditor.domain.reading import UNSEEN_KEY, Seen, Unseen
from auditor.proof.canonical import stamp

Shape = dict[str, Any]


def as_json(value: Any) -> Any:
    """A document, or any part of it, as JSON that ``proof`` can judge; unseen becomes ``{"$unseen": reason}``.

    Raises:
        TypeError: A value that documents may not hold. Guessing a text for it would be judged as a fact.
    """
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, Seen):
        return as_json(value.value)
    if isinstance(value, Unseen):
        return {UNSEEN_KEY: value.reason}
    if isinstance(value, datetime):
        return stamp(value)
    if is_dataclass(value):
        return {name: as_json(getattr(value, name)) for name in _names(typing.cast("type", type(value)))}
    if isinstance(value, Mapping):
        return {str(key): as_json(member) for key, member in value.items()}
    if isinstance(value, (tuple, list)):
        return [as_json(member) for member in value]
    if isinstance(value, (frozenset, set)):
        return sorted(as_json(member) for member in value)
    raise TypeError(f"a document may not hold a {type(value).__name__}")


@cache
def _names(document_type: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(document_type))


@cache
def shape_of(document_type: type) -> Shape:
    """The shape of a document type as plain data: field names, kinds, and which may be null."""
    hints = get_type_hints(document_type)
    return {"type": "object", "fields": {name: _shape(hints[name]) for name in _names(document_type)}}


_PLAIN: dict[Any, str] = {str: "text", int: "number", float: "number", bool: "flag", datetime: "time"}


def _shape(hint: Any) -> Shape:
    origin, args = get_origin(hint), get_args(hint)
    if hint in _PLAIN:
        return {"type": _PLAIN[hint]}
    if hint is Any:
        return {"type": "any"}
    if origin is Seen:
        return _shape(args[0])
    if origin in {Union, types.UnionType}:
        return _union(args)
    if origin in {tuple, list, frozenset}:
        return {"type": "list", "of": _shape(args[0])}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "map", "of": _shape(args[1])}
    if typing.get_origin(hint) is None and is_dataclass(hint):
        return dict(shape_of(typing.cast("type", hint)))
    raise TypeError(f"a document field may not be {hint}")


def _union(args: tuple[Any, ...]) -> Shape:
    members = [_shape(arg) for arg in args if arg not in {type(None), Unseen}]
    optional = type(None) in args or any(member.get("optional") for member in members)
    kinds = {member["type"] for member in members}
    chosen = members[0] if len(kinds) == 1 else {"type": "any"}
    return {**chosen, "optional": True} if optional else chosen
