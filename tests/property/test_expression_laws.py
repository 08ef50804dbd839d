"""What must hold of every condition and every document."""

from __future__ import annotations

import copy
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import FrameType
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from auditor.proof.expression import Answer, ExpressionError, compile_expression
from auditor.proof.judge import compile_check, judge
from auditor.proof.values import STEPS
from tests.property.slow_evaluator import slow

AS_OF = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
PARAMS: dict[str, Any] = {"least": 2, "allowed": ["ab", "b"], "flag": True, "glob": "a*b"}
HIDDEN = {"$unseen": "denied"}
TIMES = (
    "2026-11-22T10:30:00Z",
    "2026-11-21T10:30:00Z",
    "2026-11-19T11:00:00Z",
    "2026-11-24T09:00:00Z",
    "soon",
    "2026-12-22T10:30:00Z",
)
SYMBOLS = ("==", "!=", "<", "<=", ">", ">=")

flags = st.booleans()
numbers = st.integers(-1, 4) | st.sampled_from((0.5, 2.0))
texts = st.sampled_from(("", "a", "ab", "aab", "b", "AB", "1.2", "1.10", "10.0.0.1", "10.0.0.0/30", *TIMES))
odd: st.SearchStrategy[Any] = st.sampled_from((None, HIDDEN, True, 1, "a", [], {}))


def mostly(plain: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """What is expected there, and now and then what nobody expects."""
    return st.integers(0, 5).flatmap(lambda roll: odd if roll == 0 else plain)


def records(fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    may_miss = {"name", "off", "width"}
    return st.fixed_dictionaries(
        {name: mostly(plain) for name, plain in fields.items() if name not in may_miss},
        optional={name: mostly(plain) for name, plain in fields.items() if name in may_miss},
    )


leaf = {"on": flags, "size": numbers, "name": texts}
items = st.lists(mostly(records({**leaf, "sizes": st.lists(mostly(numbers), max_size=3)})), max_size=3)
documents = records(
    {
        **leaf,
        "off": flags,
        "width": numbers,
        "at": st.sampled_from(TIMES),
        "box": records({**leaf, "box": records(leaf)}),
        "tags": st.dictionaries(st.sampled_from(("a", "b", "ab")), mostly(texts), max_size=2),
        "sizes": st.lists(mostly(numbers), max_size=3),
        "ons": st.lists(mostly(flags), max_size=3),
        "items": items,
    }
)


@st.composite
def values(draw: st.DrawFn, scope: tuple[str, ...], depth: int) -> str:
    roots = [
        "on",
        "size",
        "width",
        "name",
        "at",
        "tags",
        "sizes",
        "box.size",
        "box.name",
        "box.box.size",
        'tags["a"]',
        "gone",
    ]
    roots += [f"{name}{suffix}" for name in scope for suffix in ("", ".size", ".name", ".on")] * 3
    path = st.sampled_from(roots)
    constants = st.sampled_from(
        ("0", "1", "2", "-1", "1.5", '"a"', '"1.2"', "null", "true", "[1, 2]", "params.least", "params.gone")
    )
    if depth <= 0:
        return draw(path | constants)
    one, other = values(scope, depth - 1), values(scope, depth - 1)
    form = draw(st.integers(0, 9))
    if form <= 3:
        return draw(path)
    if form == 4:
        return draw(constants)
    if form == 5:
        return f"({draw(one)} {draw(st.sampled_from('+-*'))} {draw(other)})"
    if form == 6:
        return f"default({draw(path)}, {draw(one)})"
    if form == 7:
        return f"{draw(st.sampled_from(('days_since', 'days_until')))}({draw(st.sampled_from(('at', 'name')))})"
    if form == 8:
        return f"lower({draw(path)})"
    return draw(loops("count", scope, depth))


@st.composite
def loops(draw: st.DrawFn, name: str, scope: tuple[str, ...], depth: int) -> str:
    walked = draw(
        st.sampled_from(["items", "items", "sizes", "ons", "tags", "box", *(f"{outer}.sizes" for outer in scope)])
    )
    if draw(st.integers(0, 3)) == 0:
        return f"{name}({walked})"
    member = "xyzuvw"[len(scope)]
    inside = (*scope, member)
    kept = f" if {draw(conditions(inside, depth - 1))}" if draw(flags) else ""
    asked = member if name == "count" else draw(conditions(inside, depth - 1))
    return f"{name}({asked} for {member} in {walked}{kept})"


@st.composite
def conditions(draw: st.DrawFn, scope: tuple[str, ...] = (), depth: int = 3) -> str:
    one = values(scope, depth - 1)
    if depth <= 0:
        return draw(
            st.sampled_from(["on", "off", "box.on", "true", "false", "params.flag", *(f"{name}.on" for name in scope)])
        )
    inner = conditions(scope, depth - 1)
    form = draw(st.integers(0, 9))
    if form <= 1:
        return f"({draw(inner)} and {draw(inner)})"
    if form == 2:
        return f"({draw(inner)} or {draw(inner)})"
    if form == 3:
        return f"(not {draw(inner)})"
    if form <= 5:
        return f"({draw(one)} {draw(st.sampled_from(SYMBOLS))} {draw(one)})"
    if form == 6:
        whole = draw(st.sampled_from(("params.allowed", "tags", "sizes", '["a", "b"]', "(1, 2)")))
        return f"({draw(one)} {draw(st.sampled_from(('in', 'not in')))} {whole})"
    if form == 7:
        second = {
            "matches": '"a?*"',
            "starts_with": '"a"',
            "ends_with": '"b"',
            "in_cidr": '"10.0.0.0/29"',
            "version_gte": '"1.9"',
        }
        name = draw(st.sampled_from([*second, "is_set"]))
        return f"is_set({draw(one)})" if name == "is_set" else f"{name}({draw(one)}, {second[name]})"
    if form == 8:
        return f"(0 <= {draw(one)} < {draw(one)})"
    return draw(loops(draw(st.sampled_from(("any", "all"))), scope, depth))


def ask(condition: str, document: dict[str, Any], as_of: datetime = AS_OF) -> Answer:
    return compile_expression(condition).evaluate(document, PARAMS, as_of)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield (*path, key)
        yield from places(part, (*path, key))


def hide(document: dict[str, Any], path: tuple[Any, ...]) -> dict[str, Any]:
    copied = copy.deepcopy(document)
    here: Any = copied
    for key in path[:-1]:
        here = here[key]
    here[path[-1]] = {"$unseen": "hidden by the test"}
    return copied


@settings(max_examples=300)
@given(conditions(), documents)
@example("count(sizes) > 1", {"sizes": [1, 2, HIDDEN]})
@example("any(x.on for x in items if x.size > 1)", {"items": [{"on": False, "size": HIDDEN}]})
def test_a_second_evaluator_written_apart_gives_the_same_answer(condition: str, document: dict[str, Any]) -> None:
    assert ask(condition, document).value is slow(condition, document, PARAMS, AS_OF)


@settings(max_examples=150)
@given(conditions(), documents, st.data())
def test_hiding_a_value_never_turns_one_verdict_into_the_other(
    condition: str, document: dict[str, Any], data: st.DataObject
) -> None:
    before = ask(condition, document).value
    for path in data.draw(st.lists(st.sampled_from([*places(document)] or [()]), max_size=4)):
        if path:
            after = ask(condition, hide(document, path)).value
            assert after is None or before is None or after is before


@settings(max_examples=60)
@given(conditions(depth=2), conditions(depth=2), conditions(depth=1), documents)
def test_the_laws_of_three_valued_logic_hold(p: str, q: str, r: str, document: dict[str, Any]) -> None:
    def value(text: str) -> bool | None:
        return ask(text, document).value

    assert value(f"not ({p} and {q})") is value(f"not {p} or not {q}")
    assert value(f"not ({p} or {q})") is value(f"not {p} and not {q}")
    assert value(f"{p} and {q}") is value(f"{q} and {p}")
    assert value(f"{p} or {q}") is value(f"{q} or {p}")
    assert value(f"{p} and ({q} or {r})") is value(f"({p} and {q}) or ({p} and {r})")
    assert value(f"not not {p}") is value(p)
    assert value(f"{p} and true") is value(p)
    assert value(f"{p} and false") is False
    assert value(f"{p} or true") is True


@settings(max_examples=150)
@given(conditions(), documents, st.lists(st.floats(0, 1), min_size=1, max_size=3))
def test_until_it_turns_the_answer_stays(condition: str, document: dict[str, Any], parts: list[float]) -> None:
    now = ask(condition, document)
    end = now.turns_at or AS_OF + timedelta(days=400)
    assert end > AS_OF
    for part in (*parts, 1.0):
        moment = min(AS_OF + (end - AS_OF) * part, end - timedelta(microseconds=1))
        assert ask(condition, document, moment).value is now.value


@settings(max_examples=150)
@given(
    st.sampled_from(("days_since", "days_until")),
    st.sampled_from(SYMBOLS),
    st.integers(-5, 5) | st.sampled_from((0.5, -1.5)),
    st.integers(-6 * 86_400, 6 * 86_400),
)
def test_at_the_turn_a_comparison_with_days_really_changes(name: str, symbol: str, number: float, seconds: int) -> None:
    written = (AS_OF + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    condition = compile_expression(f"{name}(at) {symbol} {number}")
    now = condition.evaluate({"at": written}, {}, AS_OF)
    if now.turns_at is not None:
        assert condition.evaluate({"at": written}, {}, now.turns_at).value is not now.value


@settings(max_examples=150)
@given(conditions(), documents)
def test_judging_twice_gives_the_same_and_never_asks_a_clock(condition: str, document: dict[str, Any]) -> None:
    definition = {
        "id": "c",
        "resource": "r",
        "document_version": 1,
        "pass_when": condition,
        "params": {**PARAMS, "gone": None},
    }
    try:
        check = compile_check({**definition, "fail": "{name} {box.name} {items}"})
    except ExpressionError:
        return  # types that can never be the same are refused at load
    before = copy.deepcopy(document)
    with (
        patch.object(time, "time", side_effect=AssertionError),
        patch.object(time, "monotonic", side_effect=AssertionError),
        patch.object(time, "perf_counter", side_effect=AssertionError),
    ):
        first = judge(check, document, as_of=AS_OF)
        again = judge(check, document, as_of=AS_OF)
    assert repr(first) == repr(again)
    assert document == before
    assert (first.verdict == "unknown") is (first.reason is not None)


@settings(max_examples=150)
@given(conditions(), documents)
def test_the_deciding_part_is_quoted_from_the_condition(condition: str, document: dict[str, Any]) -> None:
    answer = ask(condition, document)
    assert answer.because
    assert answer.because in condition


HOSTILE = st.sampled_from(
    ("__class__", ".__class__", "()", "lambda: 0", "x := 1", "[x for x in y]", "{1: 2}", "{1}", "**", "<<", "/", "%", "@", "is", "await", "yield", "*a", "f'{on}'", "b''", "1j", "...", "if", "else", "a[0]", "a[1:2]", "print", "eval('1')", "open", "getattr", "\\", "#", "\x00", "'a' 'b'", "~", "|", "(", ")", "]", "in", "for", "1e999", "9" * 30, "\ud800", "ﬁ", "é")
)  # fmt: skip


@settings(max_examples=200)
@given(st.lists(HOSTILE | conditions(depth=1), min_size=1, max_size=5).map(" ".join) | st.text(max_size=30))
def test_whatever_is_written_is_refused_or_answered_and_never_run(source: str) -> None:
    try:
        compiled = compile_expression(source)
    except ExpressionError:
        return
    assert not any(word in source for word in ("__", "lambda", ":=", "**", "eval(", "print(", "[x for", "#", "\\"))
    assert compiled.evaluate({"on": True}, PARAMS, AS_OF).value in {True, False, None}


@pytest.mark.parametrize(
    "source",
    ["(" * 300 + "on" + ")" * 300, "not " * 900 + "on", "-" * 3000 + "size > 1", "a" + ".a" * 60, "1 + " * 900 + "1 > 2", "any(" * 60 + "ons" + ")" * 60, "[" * 1500, "x" * 4001],
)  # fmt: skip
def test_hostile_nesting_is_refused(source: str) -> None:
    with pytest.raises(ExpressionError):
        compile_expression(source)


@pytest.mark.parametrize(
    "source",
    [
        "any(any(any(x + y + z < 0 for z in big) for y in big) for x in big)",
        "count(x for x in big if all(x * y >= 0 for y in big)) == 1",
        "all(x in big for x in big) and all(big == big for x in big)",
        'any(matches(text, "*a?a?a?a?b") for x in big)',
    ],
)
def test_huge_loops_end_in_unknown_for_want_of_steps_and_a_step_is_a_few_lines(source: str) -> None:
    document = {"big": list(range(2000)), "text": "a" * 9000}
    with at_most_lines(10 * STEPS):
        answer = ask(source, document)
    assert (answer.value, answer.reason) == (None, "step budget")


@contextmanager
def at_most_lines(most: int) -> Iterator[None]:
    """End what executes more lines of Python than this, calls and returns included."""
    left = most

    def count(_frame: FrameType, _event: str, _told: object) -> Any:
        nonlocal left
        left -= 1
        assert left > 0, f"more than {most} lines"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        yield
    finally:
        sys.settrace(before)
