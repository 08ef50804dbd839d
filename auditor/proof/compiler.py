"""From an allowed tree to closures: each condition is compiled once and then only called.

Enters: a tree the grammar allowed. Leaves: a closure that takes a ``Run`` and returns a small tuple
``(True | False | None, the deciding node, what explains it)``.
Guards three-valued (Kleene) logic and the null rules; names stand for fields of the document, never for Python's own.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

from .comparing import comparing
from .explaining import Node, Result, Term, Test, Where, doubt_of, path_text
from .functions import CALLS, DAYS, days, moment, next_day, price_of_call
from .grammar import COMPARISONS, LARGEST, ExpressionError, Source, constant_of, is_constant
from .quantifiers import Loop, counting, member_where, quantifying, size_of
from .values import MISSING, UNSEEN, Run, Unknown, is_number, member_path, why_unseen, word_for

_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}


class Compiler:
    """Turns one tree into closures and remembers the names it met."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._scope: dict[str, tuple[int, Where]] = {}
        self.loops = 0
        self.names: set[str] = set()
        self.params: set[str] = set()

    def test(self, node: ast.expr) -> tuple[Test, Node]:
        """A part read as a condition."""
        if isinstance(node, ast.BoolOp):
            tests = tuple(self.test(part)[0] for part in node.values)
            whole = Node(self._source.quote(node), ())
            return (_conjunction if isinstance(node.op, ast.And) else _disjunction)(tests, whole), whole
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            inner, operand = self.test(node.operand)
            whole = Node(self._source.quote(node), operand.reads)
            return _negation(inner, operand, whole), whole
        if isinstance(node, ast.Compare):
            return self._comparison(node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"any", "all"}:
            return self._quantifier(node, wanted=node.func.id == "any")
        term = self.value(node)
        leaf = Node(self._source.quote(node), term.reads)
        return _bare(term, leaf), leaf

    def value(self, node: ast.expr) -> Term:
        """A part read as a value."""
        if is_constant(node):
            return _constant(constant_of(node), self._source.quote(node))
        if isinstance(node, (ast.List, ast.Tuple)):
            return _constant([constant_of(item) for item in node.elts], self._source.quote(node))
        if isinstance(node, ast.Name):
            return self._name(node)
        if isinstance(node, ast.Attribute):
            return self._attribute(node)
        if isinstance(node, ast.Subscript):
            base = self.value(node.value)
            return _entry(base, constant_of(node.slice))
        if isinstance(node, ast.BinOp):
            left, right = self.value(node.left), self.value(node.right)
            return _arithmetic(_ARITHMETIC[type(node.op)], left, right, self._source.quote(node))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            zero, inner = _constant(0, "0"), self.value(node.operand)
            return _arithmetic(operator.sub, zero, inner, self._source.quote(node))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id not in {"any", "all"}:
            return self._call(node, node.func.id)
        test, part = self.test(node)
        return Term(_as_value(test), part.text, part.reads)

    def _name(self, node: ast.Name) -> Term:
        if node.id in self._scope:
            slot, where = self._scope[node.id]
            return _path(lambda run: run.slots[slot], where)
        if node.id == "params":
            raise ExpressionError("params is read by name: params.x", self._source.start(node))
        self.names.add(node.id)
        return _path(_root(node.id), node.id)

    def _attribute(self, node: ast.Attribute) -> Term:
        if isinstance(node.value, ast.Name) and node.value.id == "params" and "params" not in self._scope:
            self.params.add(node.attr)
            return _path(_param(node.attr), f"params.{node.attr}")
        return _field(self.value(node.value), node.attr)

    def _comparison(self, node: ast.Compare) -> tuple[Test, Node]:
        nodes = [node.left, *node.comparators]
        tests, whole = [], Node(self._source.quote(node), ())
        for index, symbol in enumerate(node.ops):
            left, right = nodes[index], nodes[index + 1]
            terms = self.value(left), self.value(right)
            leaf = Node(self._source.quote(left, right), terms[0].reads + terms[1].reads)
            times = self._time_term(left), self._time_term(right)
            tests.append(comparing(COMPARISONS[type(symbol)], terms, times, leaf))
            whole = leaf if len(node.ops) == 1 else whole
        return (tests[0] if len(tests) == 1 else _conjunction(tuple(tests), whole)), whole

    def _time_term(self, node: ast.expr) -> tuple[str, Term] | None:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in DAYS:
            return node.func.id, self._moment(node.args[0])
        return None

    def _moment(self, node: ast.expr) -> Term:
        inner = self.value(node)
        return _strict(moment, (inner,), inner.where, inner.reads)

    def _call(self, node: ast.Call, name: str) -> Term:
        where = self._source.quote(node)
        if name == "count":
            loop = self._loop(node.args[0], counts=True)
            read = counting(loop)
            return Term(read, where, ((where, read),))
        if name in DAYS:
            inner = self._moment(node.args[0])
            return Term(_days(name, inner), where, inner.reads)
        terms = tuple(self.value(part) for part in node.args)
        reads = sum((term.reads for term in terms), ())
        if name == "is_set":
            return Term(_is_set(terms[0]), where, reads)
        if name == "default":
            return Term(_default(*terms), where, reads)
        return _strict(CALLS[name][1], terms, where if len(terms) > 1 else terms[0].where, reads)

    def _quantifier(self, node: ast.Call, *, wanted: bool) -> tuple[Test, Node]:
        loop = self._loop(node.args[0], counts=False)
        if loop.element is None:
            raise TypeError("a quantifier asks something of each member")
        whole = Node(self._source.quote(node), (size_of(loop),))
        return quantifying(loop, loop.element, whole, wanted=wanted), whole

    def _loop(self, node: ast.expr, *, counts: bool) -> Loop:
        slot, self.loops = self.loops, self.loops + 1
        if not isinstance(node, ast.GeneratorExp):
            items = self.value(node)
            member = _path(lambda run: run.slots[slot], member_where(items.where, slot))
            leaf = Node(self._source.quote(node), member.reads)
            return Loop(items.read, items.where, slot, (), None if counts else _bare(member, leaf), 2)
        inner = node.generators[0]
        if not isinstance(inner.target, ast.Name):
            raise TypeError("the grammar allows names only")
        name = inner.target.id
        if name in self._scope:
            raise ExpressionError(f"{name} is already the member of an outer list", self._source.start(inner.target))
        items = self.value(inner.iter)
        self._scope[name] = (slot, member_where(items.where, slot))
        filters = tuple(self.test(part)[0] for part in inner.ifs)
        element = None if counts else self.test(node.elt)[0]
        del self._scope[name]
        # One turn pays for every part of its body, so that the budget bounds work and not only turns.
        cost = 1 + sum(1 for part in (node.elt, *inner.ifs) for _ in ast.walk(part))
        return Loop(items.read, items.where, slot, filters, element, cost)


def _conjunction(tests: tuple[Test, ...], whole: Node) -> Test:
    def test(run: Run) -> Result:
        open_one: Result | None = None
        parts = []
        for part in tests:
            result = part(run)
            if result[0] is False:
                return result
            if result[0] is None and open_one is None:
                open_one = result
            parts.append(result)
        return open_one or (True, whole, tuple(parts))

    return test


def _disjunction(tests: tuple[Test, ...], whole: Node) -> Test:
    def test(run: Run) -> Result:
        open_one: Result | None = None
        parts = []
        for part in tests:
            result = part(run)
            if result[0] is True:
                return result
            if result[0] is None and open_one is None:
                open_one = result
            parts.append(result)
        return open_one or (False, whole, tuple(parts))

    return test


def _negation(inner: Test, operand: Node, whole: Node) -> Test:
    def test(run: Run) -> Result:
        answer, node, detail = inner(run)
        if answer is None:
            return (None, node, detail)
        # Where the operand decided as a whole, the negation is what a reader wants quoted; else the part that decided.
        return (not answer, whole if node is operand else node, detail)

    return test


def _bare(term: Term, leaf: Node) -> Test:
    read, where = term.read, term.where
    yes: Result = (True, leaf, None)
    no: Result = (False, leaf, None)

    def test(run: Run) -> Result:
        value = read(run)
        if value is True:
            return yes
        if value is False:
            return no
        if value.__class__ is not Unknown:
            value = Unknown(path_text(where, run), f"type: {word_for(value)} is not a yes or no")
        return (None, leaf, value)

    return test


def _as_value(test: Test) -> Callable[[Run], Any]:
    def read(run: Run) -> Any:
        result = test(run)
        return doubt_of(result) if result[0] is None else result[0]

    return read


def _constant(value: Any, quoted: str) -> Term:
    return Term(lambda _: value, quoted, ())


def _path(read: Callable[[Run], Any], where: Where) -> Term:
    return Term(read, where, ((where, read),))


def _root(name: str) -> Callable[[Run], Any]:
    def read(run: Run) -> Any:
        try:
            value = run.document[name]
        except KeyError:
            return Unknown(name, MISSING)
        if value.__class__ is dict and UNSEEN in value:
            return Unknown(name, why_unseen(value))
        return value

    return read


def _param(name: str) -> Callable[[Run], Any]:
    def read(run: Run) -> Any:
        try:
            value = run.params[name]
        except KeyError:
            return Unknown(f"params.{name}", "no such parameter")
        if value.__class__ is dict and UNSEEN in value:
            return Unknown(f"params.{name}", why_unseen(value))
        return value

    return read


def _field(base: Term, name: str) -> Term:
    above, above_where = base.read, base.where
    where: Where
    if isinstance(above_where, str):
        where = f"{above_where}.{name}"
    else:
        outer = above_where

        def where(run: Run) -> str:
            return f"{outer(run)}.{name}"

    def read(run: Run) -> Any:
        whole = above(run)
        if whole.__class__ is dict:
            try:
                value = whole[name]
            except KeyError:
                return Unknown(path_text(where, run), MISSING)
            if value.__class__ is dict and UNSEEN in value:
                return Unknown(path_text(where, run), why_unseen(value))
            return value
        if whole.__class__ is Unknown:
            return whole
        return Unknown(path_text(above_where, run), f"type: {word_for(whole)} has no fields")

    return _path(read, where)


def _entry(base: Term, key: str) -> Term:
    above, above_where = base.read, base.where

    def where(run: Run) -> str:
        return member_path(path_text(above_where, run), key)

    def read(run: Run) -> Any:
        whole = above(run)
        if whole.__class__ is dict:
            # The keys of a map are data: one that is not there was looked for and is absent.
            value = whole.get(key)
            if value.__class__ is dict and UNSEEN in value:
                return Unknown(where(run), why_unseen(value))
            return value
        if whole.__class__ is Unknown:
            return whole
        return Unknown(path_text(above_where, run), f"type: {word_for(whole)} has no keys")

    return _path(read, where)


def _arithmetic(act: Callable[[Any, Any], Any], left: Term, right: Term, where: str) -> Term:
    def read(run: Run) -> Any:
        first, second = left.read(run), right.read(run)
        for value in (first, second):
            if value.__class__ is Unknown:
                return Unknown(value.path, value.reason)
        if not is_number(first) or not is_number(second):
            return Unknown(where, f"type: {word_for(first)} and {word_for(second)} make no number")
        if abs(first) > LARGEST or abs(second) > LARGEST:
            return Unknown(where, "the number is too large")
        outcome = act(first, second)
        return outcome if abs(outcome) <= LARGEST else Unknown(where, "the number is too large")

    return Term(read, where, left.reads + right.reads)


def _strict(act: Callable[..., Any], terms: tuple[Term, ...], where: Where, reads: Any) -> Term:
    readers = tuple(term.read for term in terms)
    price = price_of_call(act)

    def read(run: Run) -> Any:
        values = [reader(run) for reader in readers]
        for value in values:
            if value.__class__ is Unknown:
                return value
        run.spend(price(*values))
        try:
            return act(*values)
        except ValueError as error:
            return Unknown(path_text(where, run), str(error))

    return Term(read, where, reads)


def _is_set(term: Term) -> Callable[[Run], Any]:
    def read(run: Run) -> Any:
        value = term.read(run)
        return value if value.__class__ is Unknown else value is not None

    return read


def _default(term: Term, fallback: Term) -> Callable[[Run], Any]:
    def read(run: Run) -> Any:
        value = term.read(run)
        return fallback.read(run) if value is None else value

    return read


def _days(name: str, inner: Term) -> Callable[[Run], Any]:
    def read(run: Run) -> Any:
        at = inner.read(run)
        if at.__class__ is Unknown:
            return at
        run.note_turn(next_day(name, at, run.as_of))
        return days(name, at, run.as_of)

    return read
