"""A second reading of the language, written to be obvious: no closures, no shortcuts, three values as 0, 1/2 and 1.

It shares no code with the kernel but Python's own parser, so that a mistake has to be made twice to go unnoticed.
"""

from __future__ import annotations

import ast
import ipaddress
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import product
from typing import Any

NO, PERHAPS, YES = 0.0, 0.5, 1.0
ENDLESS = 10**9


class Hidden:
    """Something not seen; a count knows at least between which numbers it lies."""

    def __init__(self, least: int | None = None, most: int | None = None) -> None:
        self.least = least
        self.most = most


Names = Mapping[str, Any]


def slow(source: str, document: Names, params: Names, as_of: datetime) -> bool | None:
    """The answer, by walking the tree anew each time."""
    names = {"null": None, "true": True, "false": False, "params": dict(params), **document}
    return {NO: False, PERHAPS: None, YES: True}[truth(ast.parse(source, mode="eval").body, names, as_of)]


def truth(node: ast.AST, names: Names, as_of: datetime) -> float:
    """A node as a condition."""
    match node:
        case ast.BoolOp(op=op, values=values):
            pick = min if isinstance(op, ast.And) else max
            return pick(truth(value, names, as_of) for value in values)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return 1 - truth(operand, names, as_of)
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            sides = [value(part, names, as_of) for part in (left, *comparators)]
            return min(compared(op, sides[i], sides[i + 1]) for i, op in enumerate(ops))
        case ast.Call(func=ast.Name(id="any"), args=[inner]):
            return max((min(*kept, asked) for kept, asked in members(inner, names, as_of)), default=NO)
        case ast.Call(func=ast.Name(id="all"), args=[inner]):
            return min((max(1 - min(kept), asked) for kept, asked in members(inner, names, as_of)), default=YES)
    found = value(node, names, as_of)
    return float(found) if isinstance(found, bool) else PERHAPS


def members(node: ast.AST, names: Names, as_of: datetime) -> Iterator[tuple[list[float], float]]:
    """For each member: the truths of its filters and of what is asked."""
    if not isinstance(node, ast.GeneratorExp):
        for member in walked(value(node, names, as_of)):
            yield [YES], float(member) if isinstance(member, bool) else PERHAPS
        return
    loop = node.generators[0]
    assert isinstance(loop.target, ast.Name)
    for member in walked(value(loop.iter, names, as_of)):
        inside = {**names, loop.target.id: member}
        if isinstance(member, Hidden):
            yield [PERHAPS], PERHAPS
        else:
            yield [YES, *(truth(part, inside, as_of) for part in loop.ifs)], truth(node.elt, inside, as_of)


def walked(found: Any) -> list[Any]:
    """What a loop meets: one hidden member where nothing can be walked."""
    if isinstance(found, list | dict):
        return [opened(part) for part in found]
    return [Hidden()]


def opened(found: Any) -> Any:
    """A hidden mark becomes the thing it stands for."""
    return Hidden() if isinstance(found, dict) and "$unseen" in found else found


def value(node: ast.AST, names: Names, as_of: datetime) -> Any:
    """A node as a value."""
    match node:
        case ast.Constant(value=found):
            return found
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            return [value(part, names, as_of) for part in parts]
        case ast.Name(id=name):
            return opened(names[name]) if name in names else Hidden()
        case ast.Attribute(value=base, attr=name):
            whole = value(base, names, as_of)
            return opened(whole[name]) if isinstance(whole, dict) and name in whole else Hidden()
        case ast.Subscript(value=base, slice=ast.Constant(value=name)):
            whole = value(base, names, as_of)
            return opened(whole.get(name)) if isinstance(whole, dict) else Hidden()
        case ast.BinOp(left=left, op=op, right=right):
            a, b = value(left, names, as_of), value(right, names, as_of)
            if not (number(a) and number(b)):
                return Hidden()
            return a * b if isinstance(op, ast.Mult) else a + b if isinstance(op, ast.Add) else a - b
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            a = value(operand, names, as_of)
            return -a if number(a) else Hidden()
        case ast.Call(func=ast.Name(id=name), args=args) if name not in {"any", "all"}:
            return called(name, args, names, as_of)
    answer = truth(node, names, as_of)
    return Hidden() if answer == PERHAPS else answer == YES


def called(name: str, args: list[ast.expr], names: Names, as_of: datetime) -> Any:
    """A function's result."""
    if name == "count":
        return counted(args[0], names, as_of)
    found = [value(part, names, as_of) for part in args]
    if name == "default":
        return found[1] if found[0] is None else found[0]
    if isinstance(found[0], Hidden) or isinstance(found[-1], Hidden):
        return Hidden()
    if name == "is_set":
        return found[0] is not None
    if not all(isinstance(part, str) for part in found):
        return Hidden()
    try:
        return PLAIN[name](*found, as_of) if name.startswith("days") else PLAIN[name](*found)
    except ValueError:
        return Hidden()


def counted(node: ast.expr, names: Names, as_of: datetime) -> Any:
    """A count, or the bounds of one."""
    if isinstance(node, ast.GeneratorExp):
        loop = node.generators[0]
        assert isinstance(loop.target, ast.Name)
        found, target, filters = value(loop.iter, names, as_of), loop.target.id, loop.ifs
    else:
        found, target, filters = value(node, names, as_of), "", []
    if not isinstance(found, list | dict):
        return Hidden()
    least = most = 0
    for member in walked(found):
        inside = {**names, target: member}
        kept = min([YES, *(truth(part, inside, as_of) for part in filters)])
        if isinstance(member, Hidden):
            most += ENDLESS
        else:
            least += kept == YES
            most += kept > NO
    return least if least == most else Hidden(least, most)


def compared(op: ast.cmpop, a: Any, b: Any) -> float:
    """One comparison of two values."""
    if isinstance(op, ast.NotEq):
        return 1 - compared(ast.Eq(), a, b)
    if isinstance(op, ast.NotIn):
        return 1 - compared(ast.In(), a, b)
    if isinstance(op, ast.In):
        return inside(a, b)
    if isinstance(a, Hidden) or isinstance(b, Hidden):
        return agreed(op, a, b)
    if isinstance(op, ast.Eq):
        return same(a, b)
    if not ((number(a) and number(b)) or (isinstance(a, str) and isinstance(b, str))):
        return PERHAPS
    return float({ast.Lt: a < b, ast.LtE: a <= b, ast.Gt: a > b, ast.GtE: a >= b}[type(op)])


def agreed(op: ast.cmpop, a: Any, b: Any) -> float:
    """What all numbers agree on that a bounded count could be."""
    spans = []
    for side in (a, b):
        if number(side):
            spans.append((side, side))
        elif isinstance(side, Hidden) and side.least is not None and side.most is not None:
            spans.append((side.least, side.most))
        else:
            return PERHAPS
    edges = {edge + step for span in spans for edge in span for step in (-1, 0, 1)}
    choices = [[edge for edge in edges if low <= edge <= high] for low, high in spans]
    answers = {compared(op, one, other) for one, other in product(*choices)}
    return answers.pop() if len(answers) == 1 else PERHAPS


def inside(item: Any, whole: Any) -> float:
    """Membership."""
    if isinstance(item, Hidden) or isinstance(whole, Hidden) or item is None:
        return PERHAPS
    if isinstance(whole, dict):
        return float(item in whole) if isinstance(item, str) else PERHAPS
    if not isinstance(whole, list):
        return PERHAPS
    return max((same(item, member) for member in whole), default=NO)


def same(a: Any, b: Any) -> float:
    """Equality, all the way down."""
    if isinstance(opened(a), Hidden) or isinstance(opened(b), Hidden):
        return PERHAPS
    if isinstance(a, list) and isinstance(b, list):
        holes = [sum(isinstance(opened(part), Hidden) for part in side) for side in (a, b)]
        if not any(holes):
            return min((same(x, y) for x, y in zip(a, b, strict=True)), default=YES) if len(a) == len(b) else NO
        too_long = (not holes[1] and len(a) - holes[0] > len(b)) or (not holes[0] and len(b) - holes[1] > len(a))
        return NO if too_long else PERHAPS
    if isinstance(a, dict) and isinstance(b, dict):
        return min((same(a[key], b[key]) for key in a), default=YES) if set(a) == set(b) else NO
    return float((number(a) and number(b) and a == b) or (type(a) is type(b) and a == b))


def number(found: Any) -> bool:
    """Whether it is a number and not a flag."""
    return isinstance(found, int | float) and not isinstance(found, bool)


def fits(subject: str, glob: str) -> bool:
    """A glob, by trying everything."""
    if not glob:
        return not subject
    if glob[0] == "*":
        return any(fits(subject[start:], glob[1:]) for start in range(len(subject) + 1))
    return bool(subject) and glob[0] in {"?", subject[0]} and fits(subject[1:], glob[1:])


def lies_in(address: str, cidr: str) -> bool:
    """An address or network inside a network."""
    one, other = (set(ipaddress.ip_network(part, strict=False)) for part in (address, cidr))
    return one <= other


def at_least(version: str, floor: str) -> bool:
    """Dotted versions."""
    one, other = ([int(part) for part in text.split(".")] for text in (version, floor))
    width = max(len(one), len(other))
    return one + [0] * (width - len(one)) >= other + [0] * (width - len(other))


def elapsed(text: str, as_of: datetime) -> int:
    """Microseconds since an instant written with a Z."""
    if not text.endswith("Z"):
        raise ValueError(text)
    moment = datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC)
    passed = as_of - moment
    return (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds


PLAIN: dict[str, Any] = {
    "days_since": lambda text, as_of: elapsed(text, as_of) // 86_400_000_000,
    "days_until": lambda text, as_of: -elapsed(text, as_of) // 86_400_000_000,
    "matches": fits,
    "in_cidr": lies_in,
    "version_gte": at_least,
    "lower": str.lower,
    "starts_with": str.startswith,
    "ends_with": str.endswith,
}
