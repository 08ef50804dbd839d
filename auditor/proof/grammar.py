"""What may be written in a condition: a small allow-list over Python's own grammar, with limits.

Enters: the text of a condition. Leaves: a syntax tree in which every node is one the compiler knows.
Guards the rule that nothing is run but what is listed here: a node, name or operator that is not listed is refused.
"""

from __future__ import annotations

import ast
import io
import math
import tokenize
from typing import Any

from .functions import CALLS, DAYS, NAMES, NULL_AWARE, QUANTIFIERS

LONGEST = 4_000
DEEPEST = 40
LARGEST = 2**63
CONSTANTS = {"null": None, "true": True, "false": False}
COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
    ast.NotIn: "not in",
}
_INNER = (ast.expr_context, ast.boolop, ast.operator, ast.unaryop, ast.cmpop)
_ARITHMETIC = (ast.Add, ast.Sub, ast.Mult)
# Written out, not asked of Unicode: its tables differ between Python versions, and a refusal must not.
_WITHOUT_SHAPE = frozenset(
    chr(code)
    for span in ((0, 9), (11, 32), (127, 160), (0x200B, 0x2010), (0x2028, 0x202F), (0x2060, 0x2070), (0xFEFF, 0xFF00))
    for code in range(*span)
)
_TEXT_BREAKERS = frozenset((tokenize.NL, tokenize.NEWLINE))


class ExpressionError(ValueError):
    """A condition, or the sentence beside it, that we refuse to read; ``offset`` is the character it starts at."""

    def __init__(self, message: str, offset: int | None = None) -> None:
        super().__init__(message)
        self.offset = offset


class Source:
    """The text of a condition, and the way from a node back to the characters it came from."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._lines = text.split("\n")
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line) + 1)

    def offset(self, line: int, column: int) -> int:
        """The character at a line (from 1) and a column in UTF-8 bytes, as the parser counts."""
        return self._starts[line - 1] + len(self._lines[line - 1].encode()[:column].decode(errors="ignore"))

    def position(self, line: int, column: int) -> int:
        """The character at a line (from 1) and a column in characters."""
        return min(self._starts[line - 1] + column, len(self.text))

    def start(self, node: ast.AST) -> int | None:
        """The first character of a node."""
        line, column = getattr(node, "lineno", None), getattr(node, "col_offset", None)
        return None if line is None or column is None else self.offset(line, column)

    def quote(self, *nodes: Any) -> str:
        """The characters from the first node to the end of the last."""
        first, last = nodes[0], nodes[-1]
        return self.text[
            self.offset(first.lineno, first.col_offset) : self.offset(last.end_lineno, last.end_col_offset)
        ]


def parse(text: Any) -> tuple[Source, ast.expr]:
    """The source and its tree, every node of it allowed.

    Raises:
        ExpressionError: No text, too long, too deep, not parsable, or holding anything outside the allow-list.
    """
    if not isinstance(text, str):
        raise ExpressionError(f"a condition is text, not {type(text).__name__}")
    source = Source(text.strip())
    if not source.text:
        raise ExpressionError("an empty condition")
    if len(source.text) > LONGEST:
        raise ExpressionError(f"a condition has at most {LONGEST} characters")
    for offset, letter in enumerate(source.text):
        # A backslash would allow escapes and joined lines; a letter without shape hides what a reader sees.
        if letter == "\\" or letter in _WITHOUT_SHAPE:
            raise ExpressionError("a condition holds neither backslashes nor control characters", offset)
    try:
        tree = ast.parse(source.text, mode="eval").body
        tokens = list(tokenize.generate_tokens(io.StringIO(source.text).readline))
    except (SyntaxError, ValueError, MemoryError, RecursionError, tokenize.TokenError) as error:
        raise ExpressionError(f"not a condition: {error}") from error
    _refuse_traps(source, tokens)
    _refuse_depth(tree)
    _Allowed(source).visit(tree)
    return source, tree


def constant_of(node: ast.AST) -> Any:
    """The value of a constant node, its sign included.

    Raises:
        KeyError: The node is no constant.
    """
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name) and node.id in CONSTANTS:
        return CONSTANTS[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        return -1 * constant_of(node.operand)
    raise KeyError


def is_constant(node: ast.AST) -> bool:
    """Whether a node is a constant, its sign included."""
    try:
        constant_of(node)
    except KeyError:
        return False
    return True


def _refuse_traps(source: Source, tokens: list[tokenize.TokenInfo]) -> None:
    # A comment inside a folded YAML text would swallow the rest of the condition; two texts side by side are one
    # text to Python, and a forgotten comma to the author.
    before = None
    for token in tokens:
        offset = source.position(*token.start)
        if token.type == tokenize.NAME and not token.string.isascii():
            raise ExpressionError(f"{token.string}: names are written in ASCII", offset)
        if token.type == tokenize.COMMENT:
            raise ExpressionError("a condition holds no comment", offset)
        if token.type == tokenize.STRING and before == tokenize.STRING:
            raise ExpressionError("two texts side by side: a comma is missing", offset)
        if token.type not in _TEXT_BREAKERS:
            before = token.type


def _refuse_depth(tree: ast.expr) -> None:
    # Iterative on purpose: everything after this line may recurse.
    waiting: list[tuple[ast.AST, int]] = [(tree, 1)]
    while waiting:
        node, depth = waiting.pop()
        if depth > DEEPEST:
            raise ExpressionError(f"a condition is nested at most {DEEPEST} deep")
        waiting.extend((child, depth + 1) for child in ast.iter_child_nodes(node) if not isinstance(child, _INNER))


class _Allowed:
    """The allow-list, node by node; what has no rule here has no place in a condition."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def visit(self, node: ast.AST) -> None:
        rule = getattr(self, f"_{type(node).__name__}", None)
        if rule is None:
            self._refuse(node, f"{type(node).__name__} has no place in a condition")
        else:
            rule(node)

    def _refuse(self, node: ast.AST, message: str) -> None:
        raise ExpressionError(message, self._source.start(node))

    def _Name(self, node: ast.Name) -> None:  # noqa: N802 - named after the node it allows
        self._name(node, node.id)

    def _name(self, node: ast.AST, name: str) -> None:
        if name.startswith("_"):
            self._refuse(node, f"{name}: names do not begin with an underscore")

    def _Attribute(self, node: ast.Attribute) -> None:  # noqa: N802 - named after the node it allows
        self._name(node, node.attr)
        if not isinstance(node.value, (ast.Name, ast.Attribute, ast.Subscript)):
            self._refuse(node, "a dot follows a name, a field or a subscript")
        self.visit(node.value)

    def _Subscript(self, node: ast.Subscript) -> None:  # noqa: N802 - named after the node it allows
        if not isinstance(node.slice, ast.Constant) or not isinstance(node.slice.value, str):
            self._refuse(node, "a subscript is a constant text")
        if not isinstance(node.value, (ast.Name, ast.Attribute, ast.Subscript)):
            self._refuse(node, "a subscript follows a name, a field or a subscript")
        self.visit(node.value)

    def _Constant(self, node: ast.Constant) -> None:  # noqa: N802 - named after the node it allows
        value = node.value
        if value is not None and type(value) not in {bool, int, float, str}:
            self._refuse(node, f"{type(value).__name__} constants have no place in a condition")
        if type(value) is float and not math.isfinite(value):
            self._refuse(node, "the number is not finite")
        if type(value) is int and value > LARGEST:
            self._refuse(node, "the number is too large")

    def _List(self, node: ast.List) -> None:  # noqa: N802 - named after the node it allows
        for item in node.elts:
            if not is_constant(item):
                self._refuse(item, "a list in a condition holds constants only")
            self.visit(item)

    def _Tuple(self, node: ast.Tuple) -> None:  # noqa: N802 - named after the node it allows
        for item in node.elts:
            if not is_constant(item):
                self._refuse(item, "a list in a condition holds constants only")
            self.visit(item)

    def _BoolOp(self, node: ast.BoolOp) -> None:  # noqa: N802 - named after the node it allows
        for part in node.values:
            self.visit(part)

    def _UnaryOp(self, node: ast.UnaryOp) -> None:  # noqa: N802 - named after the node it allows
        if not isinstance(node.op, (ast.Not, ast.USub)):
            self._refuse(node, f"the operator {type(node.op).__name__} has no place in a condition")
        if (
            isinstance(node.op, ast.USub)
            and isinstance(node.operand, ast.Constant)
            and type(node.operand.value) not in {int, float}
        ):
            self._refuse(node, "only a number has a sign")
        self.visit(node.operand)

    def _BinOp(self, node: ast.BinOp) -> None:  # noqa: N802 - named after the node it allows
        if not isinstance(node.op, _ARITHMETIC):
            self._refuse(node, f"the operator {type(node.op).__name__} has no place in a condition")
        self.visit(node.left)
        self.visit(node.right)

    def _Compare(self, node: ast.Compare) -> None:  # noqa: N802 - named after the node it allows
        for operator in node.ops:
            if type(operator) not in COMPARISONS:
                self._refuse(node, "`is` has no place in a condition: use is_set(x), or == null")
        for part in (node.left, *node.comparators):
            self.visit(part)

    def _Call(self, node: ast.Call) -> None:  # noqa: N802 - named after the node it allows
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in NAMES:
            self._refuse(node, f"only these may be called: {', '.join(sorted(NAMES))}")
        wanted = 1 if name in QUANTIFIERS | DAYS else NULL_AWARE.get(name) or CALLS[name][0]
        if node.keywords or len(node.args) != wanted or any(isinstance(part, ast.Starred) for part in node.args):
            self._refuse(node, f"{name} takes {wanted} plain argument{'s' * (wanted > 1)}")
        if name == "matches" and isinstance(node.args[1], ast.Constant) and "[" in str(node.args[1].value):
            self._refuse(node.args[1], "a glob knows * and ? only")
        for part in node.args:
            if isinstance(part, ast.GeneratorExp) and name in QUANTIFIERS:
                self._members(name, part)
            else:
                self.visit(part)

    def _members(self, name: str, node: ast.GeneratorExp) -> None:
        loop = node.generators[0]
        if len(node.generators) != 1 or loop.is_async or not isinstance(loop.target, ast.Name):
            self._refuse(node, "a generator has one plain `for name in list`")
        target = loop.target
        assert isinstance(target, ast.Name)  # noqa: S101 - told to the type checker, refused above
        if target.id in NAMES or target.id in CONSTANTS or target.id == "params":
            self._refuse(target, f"{target.id} already has a meaning")
        self.visit(target)
        if name == "count" and not (isinstance(node.elt, ast.Name) and node.elt.id == target.id):
            self._refuse(node, "count(x for x in list if ...): what counts stands behind `if`")
        for part in (node.elt, loop.iter, *loop.ifs):
            self.visit(part)
