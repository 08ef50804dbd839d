"""The language of conditions: what it answers, how it explains, what it refuses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from auditor.proof.expression import Answer, ExpressionError, compile_expression

AS_OF = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
HIDDEN = {"$unseen": "denied"}
RULES = [{"port": 80, "open": True}, {"port": 22, "open": False}]
DOCUMENT: dict[str, Any] = {
    "on": True, "off": False, "none": None, "hidden": HIDDEN, "size": 3, "name": "alpha", "half": [1, HIDDEN], "rules": RULES,
    "tags": {"Owner": "me", "Secret": HIDDEN}, "box": {"on": True, "hidden": HIDDEN}, "empty": [], "ons": [True, True],
    "at": "2026-11-20T10:30:00Z", "due": "2026-11-25T00:00:00+00:00", "huge": 2**62,
}  # fmt: skip
SHAPE: dict[str, Any] = {
    "type": "object",
    "fields": {
        "on": {"type": "flag"},
        "maybe": {"type": "flag", "optional": True},
        "size": {"type": "number"},
        "days": {"type": "number", "optional": True},
        "name": {"type": "text"},
        "alias": {"type": "text", "optional": True},
        "at": {"type": "time"},
        "used": {"type": "time", "optional": True},
        "free": {"type": "any"},
        "tags": {"type": "map", "of": {"type": "text"}},
        "box": {"type": "object", "optional": True, "fields": {"on": {"type": "flag"}}},
        "rules": {"type": "list", "of": {"type": "object", "fields": {"port": {"type": "number", "optional": True}}}},
        "late": {"type": "list", "optional": True, "of": {"type": "text"}},
        "ons": {"type": "list", "of": {"type": "flag"}},
    },
}


def ask(source: str, *, as_of: datetime = AS_OF, **params: Any) -> Answer:
    return compile_expression(source).evaluate(DOCUMENT, params, as_of)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        # three values
        ("on and hidden", None), ("off and hidden", False), ("hidden and off", False), ("hidden or on", True), ("hidden or off", None),
        ("not hidden", None), ("on and not off", True),
        # only yes and no are conditions
        ("size", None), ("name", None), ("none", None), ("empty", None), ("not size", None), ("1", None), ("true", True), ("False", False),
        # null is seen, and has no order, members or fields
        ("none == null", True), ("none != null", False), ("is_set(none)", False), ("is_set(size)", True), ("is_set(hidden)", None),
        ("none > 1", None), ("none in [1]", None), ("1 in none", None), ("none.on", None), ("default(none, 4) == 4", True),
        ("default(hidden, true)", None), ("default(gone, true)", None), ("default(none, hidden)", None), ("all(none)", None),
        # a missing field is unknown, a missing key of a map is absent
        ("gone", None), ("gone == null", None), ("box.gone == null", None), ('tags["Gone"] == null', True), ('tags["Owner"] == "me"', True),
        ('tags["Secret"] == null', None), ('"Owner" in tags', True), ('"Gone" not in tags', True), ("1 in tags", None),
        # types never mix, a flag is no number
        ("on == 1", False), ("size == 3.0", True), ('size == "3"', False), ("on > 0", None), ("name > 1", None), ('name > "aa"', True),
        ("ons == [1, 1]", False), ("ons == [true, true]", True), ("on in [1]", False), ('"alp" in name', None),
        # chains and numbers
        ("1 < size <= 3", True), ("1 < size < 3", False), ("0 < size < hidden", None), ("9 < size < hidden", False),
        ("size * 2 - 1 == 5", True), ("-size == -3", True), ("huge * 4 > 1", None), ("huge + huge + huge > 1", None), ("size + on > 1", None),
        # lists with members not seen
        ("count(half) > 0", True), ("count(half) > 1", None), ("count(half) >= 1", True), ("count(half) < 1", False), ("count(half) == 0", False),
        ("count(half) != 0", True), ("0 < count(half)", True), ("1 in half", True), ("2 in half", None), ("2 not in half", None),
        ("half == [1]", None), ("[1] == half", None), ("[] == half", False), ("half == []", False), ("any(x == 1 for x in half)", True), ("any(x == 2 for x in half)", None),
        ("all(x == 2 for x in half)", False), ("all(x == 1 for x in half)", None), ("count(half) + 1 > 1", None),
        ("any(x for x in empty)", False), ("all(x for x in empty)", True), ("all(ons)", True), ("any(half)", None), ("any(x for x in hidden)", None),
        # filters
        ("any(r.open for r in rules if r.port == 22)", False), ("all(r.open for r in rules if r.port == 80)", True),
        ("all(r.open for r in rules if hidden)", None), ("all(r.port > 0 for r in rules if hidden)", True), ("any(r.open for r in rules if hidden if off)", False),
        ("count(r for r in rules if r.open) == 1", True), ("count(r for r in rules if hidden) <= 2", True), ("count(r for r in rules if hidden) < 2", None),
        ('any(k == "Owner" for k in tags)', True), ("count(tags) == 2", True), ("count(name) == 5", None),
        ("any(all(r.port >= s.port for s in rules) for r in rules)", True),
        # functions
        ('matches(name, "al*a")', True), ('matches(name, "al")', False), ('matches(name, "?????")', True), ('matches(name, "*l?h*")', True),
        ('matches(name, "a*a*a")', False), ('matches(name, "*")', True), ('matches(size, "*")', None), ('matches(none, "*")', None), ('matches(name, "a*l")', False),
        ('in_cidr("10.1.2.3", "10.0.0.0/8")', True), ('in_cidr("10.0.0.0/7", "10.0.0.0/8")', False), ('in_cidr("::1", "0.0.0.0/0")', False),
        ('in_cidr("010.1.2.3", "10.0.0.0/8")', None), ('in_cidr("10.1.2.3", "10.0.0.0/255.0.0.0")', None), ('in_cidr("fe80::1%eth0", "fe80::/10")', None),
        ('in_cidr("2001:db8::/48", "2001:db8::/32")', True), ('in_cidr("alpha", "10.0.0.0/8")', None),
        ('version_gte("1.10", "1.9")', True), ('version_gte("v1.9.0", "1.9")', True), ('version_gte("1.9.1-eks-1", "1.9")', True),
        ('version_gte("1.9-rc1", "1.9")', None), ('version_gte(at, "1.9")', None), ('version_gte("1.9+build", "1.9")', True), ('version_gte("latest", "1.9")', None), ('version_gte("1.8", "1.9")', False),
        ('lower("AbÉ") == "abÉ"', True), ('starts_with(name, "al")', True), ('ends_with(name, "al")', False), ("lower(hidden) == name", None),
        # parameters
        ("size >= params.least", True), ("size in params.allowed", True), ("params.gone", None),
        # time
        ("days_since(at) == 2", True), ("days_until(due) == 2", True), ("days_until(at) == -2", True), ("days_since(due) == -3", True), ("days_since(name) > 1", None),
        ("days_since(hidden) > 1", None), ("days_since(none) > 1", None), ("days_since(at) > hidden", None),
    ],
)  # fmt: skip
def test_the_answer(source: str, *, expected: bool | None) -> None:
    assert ask(source, least=3, allowed=[1, 3]).value is expected


@pytest.mark.parametrize(
    ("source", "because", "values"),
    [
        ("on and size > 2", "on and size > 2", (("on", True), ("size", 3))),
        ("on and (off or size > 5)", "off or size > 5", (("off", False), ("size", 3))),
        ("size > 2 or hidden", "size > 2", (("size", 3),)),
        ("1 < size < 3", "size < 3", (("size", 3),)),
        ("not on", "not on", (("on", True),)),
        ("not (on and off)", "off", (("off", False),)),
        ("size >= params.least", "size >= params.least", (("size", 3), ("params.least", 3))),
        ("any(r.port == 22 for r in rules)", "r.port == 22", (("rules[1].port", 22),)),
        ("all(any(s.port == r.port for s in rules if s.open) for r in rules)", "any(s.port == r.port for s in rules if s.open)", (("count(rules)", 2),)),
        ("all(r.port > 1 for r in rules)", "all(r.port > 1 for r in rules)", (("count(rules)", 2),)),
        ("any(all(s.port <= r.port for s in rules) and r.open for r in rules)", "all(s.port <= r.port for s in rules) and r.open", (("count(rules)", 2), ("rules[0].open", True))),
        ("count(rules) > 1", "count(rules) > 1", (("count(rules)", 2),)),
        ('tags["Owner"] == "é" or off', 'tags["Owner"] == "é" or off', (('tags["Owner"]', "me"), ("off", False))),
        ('"é" == name or size > 5', '"é" == name or size > 5', (("name", "alpha"), ("size", 3))),
    ],
)  # fmt: skip
def test_the_answer_quotes_what_decided_and_what_was_seen_there(source: str, because: str, values: Any) -> None:
    answer = ask(source, least=3)
    assert (answer.because, answer.values) == (because, values)


@pytest.mark.parametrize(
    ("source", "because", "path", "reason"),
    [
        ("on and box.hidden", "box.hidden", "box.hidden", "denied"),
        ("gone.deep > 1", "gone.deep > 1", "gone", "not in this document version"),
        ("any(r.gone for r in rules)", "r.gone", "rules[0].gone", "not in this document version"),
        ("all(x == 1 for x in half)", "all(x == 1 for x in half)", "half[1]", "denied"),
        ("3 in half", "3 in half", "half[1]", "denied"),
        ("half == [1, 2]", "half == [1, 2]", "half[1]", "denied"),
        ("size and on", "size", "size", "type: number is not a yes or no"),
        ("none > 1", "none > 1", "none", "type: null and number have no order"),
        ("1 > none", "1 > none", "none", "type: number and null have no order"),
        ("none.on", "none.on", "none", "type: null has no fields"),
        ("params.gone == 1", "params.gone == 1", "params.gone", "no such parameter"),
        ('tags["Secret"] == "a"', 'tags["Secret"] == "a"', 'tags["Secret"]', "denied"),
        ("lower(size) == name", "lower(size) == name", "size", "type: number is not text"),
    ],
)
def test_an_unknown_names_the_path_and_the_reason(source: str, because: str, path: str, reason: str) -> None:
    answer = ask(source)
    assert (answer.value, answer.because, answer.path, answer.reason) == (None, because, path, reason)


def test_an_unknown_shows_the_member_it_was_met_at() -> None:
    answer = ask("all(r.port > hidden for r in rules)")
    assert (answer.because, answer.path, answer.values) == ("r.port > hidden", "hidden", (("rules[0].port", 80),))


def test_an_unseen_mark_beside_other_keys_is_still_unseen() -> None:
    answer = compile_expression("tags.a == 1").evaluate({"tags": {"a": 1, "$unseen": ""}}, {}, AS_OF)
    assert (answer.value, answer.reason) == (None, "not seen")


DAY = timedelta(days=1)
AT = datetime(2026, 11, 20, 10, 30, tzinfo=UTC)
DUE = datetime(2026, 11, 25, tzinfo=UTC)
TICK = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("source", "turns_at"),
    [
        ("days_since(at) > 90", AT + 91 * DAY),
        ("days_since(at) >= 90", AT + 90 * DAY),
        ("days_since(at) < 90", AT + 90 * DAY),
        ("90 <= days_since(at)", AT + 90 * DAY),
        ("days_since(at) > 2.5", AT + 3 * DAY),
        ("days_since(at) > 1", None),
        ("days_since(at) == 2", AT + 3 * DAY),
        ("days_since(at) == 4", AT + 4 * DAY),
        ("days_since(at) == 2.5", None),
        ("days_since(at) > params.least", AT + 4 * DAY),
        ("days_until(due) >= 1", DUE - DAY + TICK),
        ("days_until(due) > 1", DUE - 2 * DAY + TICK),
        ("days_until(due) < 30", None),
        ("days_until(due) == 1", DUE - 2 * DAY + TICK),
        ("days_since(at) + 1 > 90", AT + 3 * DAY),
        ("days_since(at) > days_until(due)", DUE - 2 * DAY + TICK),
        ("days_since(at) < 99 and days_until(due) >= 0", DUE + TICK),
        ("off and days_since(at) > 90", None),
        ("hidden and days_since(at) > 90", AT + 91 * DAY),
        ("days_since(at) < 999999999", None),
        ("days_since(hidden) < 9", None),
        ("on", None),
    ],
)
def test_the_turn_is_the_first_instant_at_which_time_may_change_the_answer(
    source: str, turns_at: datetime | None
) -> None:
    assert ask(source, least=3).turns_at == turns_at


def test_a_day_is_whole_only_at_its_last_instant() -> None:
    assert ask("days_since(at) == 1", as_of=AT + 2 * DAY - TICK).value is True
    assert ask("days_since(at) == 2", as_of=AT + 2 * DAY).value is True
    assert ask("days_until(due) == 1", as_of=DUE - DAY).value is True
    assert ask("days_until(due) == 0", as_of=DUE - DAY + TICK).value is True


def test_the_instant_counts_and_not_the_zone_it_is_written_in() -> None:
    elsewhere = AS_OF.astimezone(timezone(timedelta(hours=-11)))
    assert ask("days_since(at) == 2", as_of=elsewhere) == ask("days_since(at) == 2")
    with pytest.raises(ValueError, match="zone"):
        ask("on", as_of=AS_OF.replace(tzinfo=None))


def test_names_and_parameters_are_listed_without_loop_members() -> None:
    found = compile_expression("any(r.port in params.ports for r in rules) and is_set(box.name)")
    assert (found.names, found.params) == (frozenset(("rules", "box")), frozenset(("ports",)))


@pytest.mark.parametrize(
    "source",
    [
        "", "   ", "on and", "on # and off", "on\nand off", "__import__('os')", "on.__class__", "_on", "on()", "on.lower()", "open('x')", "lambda: on",
        "[x for x in rules]", "{x for x in rules}", "{1: 2}", "{1}", "(x for x in rules)", "any([x for x in rules])", "on if off else on", "(x := on)",
        "f'{on}'", "b'a' == name", "1j == 1", "... == 1", "size ** 9 > 1", "size << 9 > 1", "size / 2 > 1", "size // 2 > 1", "size % 2 == 1", "~size > 1",
        "+size > 1", "size & 1", "on is true", "none is None", "rules[0].open", "rules[0:1]", "tags[name]", "count(rules, 1)", "count(*rules)", "count(x=rules)",
        "matches(name)", "any(on for x, y in rules)", "any(on for x in rules for y in rules)", "any(on for params in rules)", "any(on for count in rules)",
        "count(x.port for x in rules)", "count(1 for x in rules)", "any(any(x for x in ons) for x in rules)", "params", "params == 1", "is_set(params)", "[on]", "[[1]]",
        "size in {1, 2}", '"a" "b" == name', 'name in ["a" "b"]', 'name == "\\x41"', "1e999 > size", f"{2**64} > size", "naïve", 'matches(name, "[ab]*")',
        "is_set(on, off)", "days_since()", '-"a" == name', "await on", "any(on async for x in rules)", "on\x00", "on or \u202e off", "default(on)",
    ],
)  # fmt: skip
def test_what_has_no_place_in_a_condition_is_refused(source: str) -> None:
    with pytest.raises(ExpressionError):
        compile_expression(source)


def test_only_text_is_a_condition() -> None:
    with pytest.raises(ExpressionError, match="not bool"):
        compile_expression(True)  # type: ignore[arg-type]  # what a YAML author may write


def test_a_refusal_says_where() -> None:
    with pytest.raises(ExpressionError) as refusal:
        compile_expression('name == "é" and size ** 2 > 1')
    assert refusal.value.offset == 16


@pytest.mark.parametrize(
    "source",
    [
        "on", "size > 1", "maybe == true", "is_set(maybe) and maybe", "not is_set(maybe) or maybe", "default(maybe, false)", "default(days, 0) > 1",
        "is_set(days) and days > 1", "on and is_set(days) and (on or days > 1)", "not (is_set(days) and days > 1)", "not is_set(days) or days > params.least",
        "is_set(box) and box.on", "not is_set(box) or not is_set(used) or (box.on and days_since(used) > 1)", 'is_set(tags["a"]) and starts_with(tags["a"], "b")',
        "any(r.port == 22 for r in rules)", "any(r.port > 22 for r in rules if is_set(r.port))", "any(is_set(r.port) and r.port > 22 for r in rules)",
        "is_set(late) and any(matches(x, name) for x in late)", "any(x == name for x in default(late, []))", "free.deep.er > 1", "free", "all(ons)",
        "days_since(at) > 1", 'alias == "a"', "name in params.names", "any(k == name for k in tags)", "is_set(alias) and alias in params.names", "(size > 1) == on",
    ],
)  # fmt: skip
def test_a_condition_that_fits_its_document_is_taken(source: str) -> None:
    compile_expression(source, shape=SHAPE, params={"least": 1, "names": ["a"]})


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("siez > 1", "did you mean size"), ("params.laest > 1", "did you mean params.least"), ("size", "not a yes or no"), ("maybe", "is_set"), ("not maybe", "is_set"),
        ("on and maybe", "is_set"), ("maybe and is_set(maybe)", "is_set"), ("is_set(maybe) or maybe", "is_set"), ("not is_set(maybe) and maybe", "is_set"),
        ("(is_set(days) or on) and days > 1", "is_set"), ("(not is_set(days) and on) or days > 1", "is_set"), ("days > 1", "is_set"), ("1 < days", "is_set"),
        ("box.on", "is_set"), ("is_set(box.on)", "is_set"), ("any(x == name for x in late)", "is_set"), ("name in late", "is_set"), ("alias in params.names", "is_set"),
        ("any(r.port > 22 for r in rules)", "is_set"), ("any(is_set(r.port) for r in rules) and any(r.port > 22 for r in rules)", "is_set"),
        ('starts_with(tags["a"], "b")', "is_set"), ('is_set(tags["a"]) and lower(tags["b"]) == name', "is_set"), ("days_since(used) > 1", "is_set"), ("days + 1 > 2", "is_set"),
        ("default(days, null) > 1", "is_set"), ("count(late) > 1", "is_set"), ('tags.a == "b"', r'tags\["a"\]'), ('rules["a"] == "b"', "only a map"), ("rules.port == 1", "no fields"),
        ("any(r.prot == 1 for r in rules)", "did you mean port"), ("at > name", "days_since"), ("name > 1", "never the same"), ("size == name", "never the same"),
        ("on > off_", "flag"), ("size in params.names", "never the same"), ("lower(size) == name", "number"), ("days_since(size) > 1", "number"), ("any(rules)", "list of flags"),
        ("any(x for x in name)", "text"), ("count(size) > 1", "number"), ("name + size > 1", "text"), ("on == 1", "never the same"), ("default(size, true) == 1", "never the same"),
        ("any(r.port == 1 for r in rules) and r.port == 1", "no field called r"),
    ],
)  # fmt: skip
def test_a_condition_that_does_not_fit_its_document_is_refused_at_load(source: str, words: str) -> None:
    with pytest.raises(ExpressionError, match=words):
        compile_expression(source, shape=SHAPE, params={"least": 1, "names": ["a"]})


@pytest.mark.parametrize(
    "shape",
    [
        {"type": "object", "fields": {"on": {"type": "boolean"}}},
        {"type": "object", "fields": {"on": {"type": "list"}}},
        {"type": "object"},
        {"type": "list", "of": {"type": "flag"}},
        {},
    ],
)
def test_a_malformed_shape_is_refused(shape: dict[str, Any]) -> None:
    with pytest.raises(ExpressionError, match=r"shape|document"):
        compile_expression("on", shape=shape)


def test_a_member_may_not_take_the_name_of_a_field() -> None:
    # Otherwise is_set(name) about the field would vouch for the member.
    with pytest.raises(ExpressionError, match="name of its own"):
        compile_expression("any(size.port == 1 for size in rules)", shape=SHAPE)
