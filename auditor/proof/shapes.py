"""Holding a condition against the shape of its document, so that a typo fails where it is written.

Enters: an allowed tree, a shape (plain JSON, see below) and the check's parameters. Leaves: nothing, or a refusal.
Guards two rules: every name exists, and a field that may be null is asked about before it is used.

A shape is ``{"type": "object", "fields": {name: shape}}``, ``{"type": "list", "of": shape}``, ``{"type": "map", "of": shape}``
or ``{"type": "text" | "number" | "flag" | "time" | "any"}``; ``"optional": true`` beside any of them says the value may be null.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Mapping
from typing import Any

from .functions import DAYS
from .grammar import ExpressionError, Source, constant_of, is_constant

Shape = Mapping[str, Any]
Facts = frozenset[str]
ANY: Shape = {"type": "any"}
FLAG: Shape = {"type": "flag"}
NUMBER: Shape = {"type": "number"}
TEXT: Shape = {"type": "text"}
TYPES = frozenset(("object", "list", "map", "text", "number", "flag", "time", "any"))
_NOTHING: Facts = frozenset()


def check_names(source: Source, tree: ast.expr, *, shape: Shape | None, params: Mapping[str, Any] | None) -> None:
    """Every name of the condition is known and used as its type allows; what is not given is not checked.

    Raises:
        ExpressionError: A name, type or missing guard, with the place in the text.
    """
    if shape is not None:
        check_shape(shape)
        if shape["type"] not in {"object", "any"}:
            raise ExpressionError("a document is an object")
    _Checker(source, shape, params).condition(tree, _NOTHING)


def check_shape(shape: Shape) -> None:
    """A shape is well formed, all the way down.

    Raises:
        ExpressionError: An unknown type, or fields or members that are not described.
    """
    kind = shape.get("type")
    if kind not in TYPES:
        raise ExpressionError(f"no such type in a shape: {kind!r}")
    inner = shape.get("fields") if kind == "object" else shape.get("of")
    if kind in {"object", "list", "map"} and not isinstance(inner, Mapping):
        raise ExpressionError(f"a shape of type {kind} describes what it holds")
    if kind == "object":
        for part in shape["fields"].values():
            check_shape(part)
    elif kind in {"list", "map"}:
        check_shape(shape["of"])


def shape_of(value: Any) -> Shape:
    """The shape of a parameter, read off its value; a list's members must agree to have one."""
    if value is None:
        return {"type": "any", "optional": True}
    if isinstance(value, list):
        kinds = [shape_of(item) for item in value]
        return {"type": "list", "of": kinds[0] if kinds and all(kind == kinds[0] for kind in kinds) else ANY}
    for kinds_of, shape in ((bool, FLAG), ((int, float), NUMBER), (str, TEXT)):
        if isinstance(value, kinds_of):
            return shape
    return ANY


def field_of(shape: Shape, name: str) -> Shape | None:
    """The shape of an object's field, or ``None`` if there is none of that name."""
    if shape["type"] == "any":
        return ANY
    found: Shape | None = shape["fields"].get(name) if shape["type"] == "object" else None
    return found


class _Checker:
    def __init__(self, source: Source, shape: Shape | None, params: Mapping[str, Any] | None) -> None:
        self._source = source
        self._document = shape
        self._params = params
        self._scope: dict[str, Shape] = {}

    # Conditions. What a condition proves about null flows to its right: (proved if true, proved if false).

    def condition(self, node: ast.expr, facts: Facts) -> tuple[Facts, Facts]:
        if isinstance(node, ast.BoolOp):
            return self._bool_op(node, facts)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            if_true, if_false = self.condition(node.operand, facts)
            return if_false, if_true
        shape = self.value(node, facts)
        if shape["type"] not in {"flag", "any"}:
            self._refuse(node, f"{self._source.quote(node)} is {shape['type']}, not a yes or no")
        self._guarded(node, shape, facts)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "is_set":
            return frozenset((_key(node.args[0]),)), _NOTHING
        return _NOTHING, _NOTHING

    def _bool_op(self, node: ast.BoolOp, facts: Facts) -> tuple[Facts, Facts]:
        gained = _NOTHING
        proves = 0 if isinstance(node.op, ast.And) else 1
        for part in node.values:
            gained |= self.condition(part, facts | gained)[proves]
        return (gained, _NOTHING) if proves == 0 else (_NOTHING, gained)

    # Values.

    def value(self, node: ast.expr, facts: Facts) -> Shape:
        if is_constant(node):
            return shape_of(constant_of(node))
        if isinstance(node, (ast.List, ast.Tuple)):
            return shape_of([constant_of(item) for item in node.elts])
        rule = getattr(self, f"_{type(node).__name__.lower()}", None)
        if rule is None:
            self.condition(node, facts)
            return FLAG
        shape: Shape = rule(node, facts)
        return shape

    def _name(self, node: ast.Name, _facts: Facts) -> Shape:
        if node.id in self._scope:
            return self._scope[node.id]
        if self._document is None:
            return ANY
        found = field_of(self._document, node.id)
        return found if found is not None else self._unknown(node, node.id, self._document["fields"])

    def _attribute(self, node: ast.Attribute, facts: Facts) -> Shape:
        if isinstance(node.value, ast.Name) and node.value.id == "params":
            if self._params is None:
                return ANY
            if node.attr not in self._params:
                return self._unknown(node, f"params.{node.attr}", [f"params.{name}" for name in self._params])
            return shape_of(self._params[node.attr])
        base = self._guarded(node.value, self.value(node.value, facts), facts)
        if base["type"] == "map":
            self._refuse(node, f'the keys of a map are data: write {self._source.quote(node.value)}["{node.attr}"]')
        if base["type"] not in {"object", "any"}:
            self._refuse(node, f"{self._source.quote(node.value)} is {base['type']} and has no fields")
        found = field_of(base, node.attr)
        return found if found is not None else self._unknown(node, node.attr, base["fields"])

    def _subscript(self, node: ast.Subscript, facts: Facts) -> Shape:
        base = self._guarded(node.value, self.value(node.value, facts), facts)
        if base["type"] not in {"map", "any"}:
            self._refuse(node, f"{self._source.quote(node.value)} is {base['type']}: only a map has keys")
        # A key may always be missing from a map, and then the answer is null.
        return {**base.get("of", ANY), "optional": True}

    def _binop(self, node: ast.BinOp, facts: Facts) -> Shape:
        for part in (node.left, node.right):
            self._expect(part, {"number"}, facts)
        return NUMBER

    def _unaryop(self, node: ast.UnaryOp, facts: Facts) -> Shape:
        if isinstance(node.op, ast.Not):
            self.condition(node, facts)
            return FLAG
        return self._expect(node.operand, {"number"}, facts)

    def _compare(self, node: ast.Compare, facts: Facts) -> Shape:
        parts = [node.left, *node.comparators]
        for index, symbol in enumerate(node.ops):
            left, right = parts[index], parts[index + 1]
            if isinstance(symbol, (ast.Eq, ast.NotEq)):
                first, second = self.value(left, facts), self.value(right, facts)
                self._comparable(node, first, second)
            elif isinstance(symbol, (ast.In, ast.NotIn)):
                item = self._guarded(left, self.value(left, facts), facts)
                whole = self._expect(right, {"list", "map"}, facts)
                self._comparable(node, item, TEXT if whole["type"] == "map" else whole.get("of", ANY))
            else:
                first, second = (
                    self._expect(left, {"number", "text"}, facts),
                    self._expect(right, {"number", "text"}, facts),
                )
                self._comparable(node, first, second)
        return FLAG

    def _call(self, node: ast.Call, facts: Facts) -> Shape:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        first = node.args[0]
        if name in {"any", "all", "count"}:
            self._members(name, first, facts)
            return NUMBER if name == "count" else FLAG
        if name == "is_set":
            self.value(first, facts)
            return FLAG
        if name == "default":
            return self._default(node, facts)
        if name in DAYS:
            self._expect(first, {"time", "text"}, facts)
            return NUMBER
        for part in node.args:
            self._expect(part, {"text"}, facts)
        return TEXT if name == "lower" else FLAG

    def _default(self, node: ast.Call, facts: Facts) -> Shape:
        shape, fallback = self.value(node.args[0], facts), self.value(node.args[1], facts)
        self._comparable(node, shape, fallback)
        if shape["type"] == "any":
            return fallback if not shape.get("optional") else {**ANY, "optional": bool(fallback.get("optional"))}
        return {**shape, "optional": bool(shape.get("optional")) and bool(fallback.get("optional"))}

    def _members(self, name: str, node: ast.expr, facts: Facts) -> None:
        if not isinstance(node, ast.GeneratorExp):
            whole = self._expect(node, {"list", "map"}, facts)
            member = TEXT if whole["type"] == "map" else whole.get("of", ANY)
            if name != "count" and (member["type"] not in {"flag", "any"} or member.get("optional")):
                self._refuse(node, f"{name}(list) wants a list of flags")
            return
        loop = node.generators[0]
        whole = self._expect(loop.iter, {"list", "map"}, facts)
        target = loop.target.id if isinstance(loop.target, ast.Name) else ""
        if self._document is not None and target in self._document.get("fields", ()):
            self._refuse(loop.target, f"{target} is a field of the document: the member needs a name of its own")
        self._scope[target] = TEXT if whole["type"] == "map" else whole.get("of", ANY)
        for part in loop.ifs:
            facts |= self.condition(part, facts)[0]
        if name != "count":
            self.condition(node.elt, facts)
        del self._scope[target]

    # Refusals.

    def _expect(self, node: ast.expr, kinds: set[str], facts: Facts) -> Shape:
        shape = self._guarded(node, self.value(node, facts), facts)
        if shape["type"] == "time" and "time" not in kinds:
            self._refuse(node, f"{self._source.quote(node)} is a time: ask days_since or days_until")
        if shape["type"] not in kinds | {"any"}:
            self._refuse(node, f"{self._source.quote(node)} is {shape['type']}, not {' or '.join(sorted(kinds))}")
        return shape

    def _guarded(self, node: ast.expr, shape: Shape, facts: Facts) -> Shape:
        if shape.get("optional") and _key(node) not in facts:
            quoted = self._source.quote(node)
            self._refuse(node, f"{quoted} may be null: ask is_set({quoted}) first, or use default({quoted}, ...)")
        return shape

    def _comparable(self, node: ast.expr, first: Shape, second: Shape) -> None:
        kinds = {"text" if shape["type"] == "time" else shape["type"] for shape in (first, second)}
        if len(kinds) > 1 and "any" not in kinds and kinds != {"object", "map"}:
            self._refuse(node, f"{self._source.quote(node)}: {first['type']} and {second['type']} are never the same")

    def _unknown(self, node: ast.expr, name: str, known: Any) -> Shape:
        near = difflib.get_close_matches(name, list(known), n=1)
        self._refuse(node, f"no field called {name}" + (f", did you mean {near[0]}?" if near else ""))
        raise AssertionError  # pragma: no cover - _refuse raises

    def _refuse(self, node: ast.expr, message: str) -> None:
        raise ExpressionError(message, self._source.start(node))


def _key(node: ast.expr) -> str:
    return ast.dump(node)
