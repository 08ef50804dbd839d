"""How verdicts add up."""

from __future__ import annotations

import pytest

from auditor.domain.control import Library
from auditor.domain.rollup import RequirementStanding, Tally, rollup
from tests.fixtures.library import check, control, library, requirement


def one(counts: dict[str, dict[str, int]], *checks_of_clause: str) -> RequirementStanding:
    """The standing of a clause with these primary core checks."""
    checks = tuple(check(name, "a-control", ("law", "1", "primary")) for name in checks_of_clause)
    return rollup(library(control("a-control", *checks), clauses=(requirement("law", "1"),)), counts)[0].by_id["1"]


def family() -> Library:
    return library(
        control(
            "a-control",
            check("child.check", "a-control", ("law", "1.a", "primary")),
            check("parent.check", "a-control", ("law", "1", "primary")),
        ),
        clauses=(requirement("law", "1"), requirement("law", "1.a", parent="1"), requirement("law", "2")),
    )


def test_a_requirement_holds_when_all_its_primary_core_checks_pass() -> None:
    assert one({"a": {"pass": 3}, "b": {"pass": 1}}, "a", "b").standing == "holding"


def test_one_failing_resource_makes_a_requirement_deviate_even_if_others_are_unknown() -> None:
    standing = one({"a": {"pass": 99, "fail": 1}, "b": {"unknown": 5}}, "a", "b")
    assert (standing.standing, standing.deviating, standing.undetermined) == ("deviating", ("a",), ("b",))


def test_one_unknown_leaves_a_requirement_undetermined() -> None:
    assert one({"a": {"pass": 99, "unknown": 1}}, "a").standing == "undetermined"


def test_a_check_nobody_ran_is_named_and_leaves_the_requirement_undetermined() -> None:
    standing = one({"a": {"pass": 1}}, "a", "b")
    assert (standing.standing, standing.unseen) == ("undetermined", ("b",))


def test_an_empty_population_never_turns_a_requirement_green() -> None:
    assert one({"a": {"not_applicable": 4}}, "a").standing == "undetermined"
    assert one({"a": {"not_applicable": 4}, "b": {"pass": 1}}, "a", "b").standing == "holding"


def test_a_resource_that_is_gone_is_no_verdict() -> None:
    standing = one({"a": {"absent": 7, "pass": 1}}, "a")
    assert (standing.standing, standing.tally) == ("holding", Tally(passing=1))
    assert one({"a": {"absent": 7}}, "a").unseen == ("a",)


def test_supporting_and_extended_checks_never_turn_a_requirement() -> None:
    asked = library(
        control(
            "a-control",
            check("heart", "a-control", ("law", "1", "primary")),
            check("aside", "a-control", ("law", "1", "supporting")),
            check("extra", "a-control", ("law", "1", "primary"), tier="extended"),
        ),
        clauses=(requirement("law", "1"),),
    )
    standing = rollup(asked, {"heart": {"pass": 1}, "aside": {"fail": 5}, "extra": {"fail": 5}})[0]
    assert standing.by_id["1"].standing == "holding"
    assert standing.by_id["1"].supporting == ("aside", "extra")
    assert standing.tally == Tally(passing=1)


def test_a_requirement_without_primary_core_checks_has_no_machine_part() -> None:
    assert rollup(family(), {})[0].by_id["2"].standing == "none"


@pytest.mark.parametrize(
    ("child", "parent", "expected"),
    [("fail", "pass", "deviating"), ("unknown", "pass", "undetermined"), ("pass", "fail", "deviating"), ("pass", "pass", "holding")],
)  # fmt: skip
def test_a_parent_takes_the_worst_of_itself_and_its_children(child: str, parent: str, expected: str) -> None:
    standing = rollup(family(), {"child.check": {child: 1}, "parent.check": {parent: 1}})[0]
    assert standing.by_id["1"].standing == expected
    assert standing.by_id["1.a"].standing == {"fail": "deviating", "unknown": "undetermined", "pass": "holding"}[child]


def test_deviating_controls_are_counted_among_all_controls_of_a_requirement() -> None:
    asked = library(
        control("one", check("a", "one", ("law", "1", "primary")), check("b", "one", ("law", "1", "primary"))),
        control("two", check("c", "two", ("law", "1", "primary"))),
        clauses=(requirement("law", "1"),),
    )
    standing = rollup(asked, {"a": {"fail": 1}, "b": {"fail": 1}, "c": {"pass": 1}})[0].by_id["1"]
    assert (standing.controls, standing.deviating_controls) == (("one", "two"), ("one",))


def test_a_check_that_serves_two_clauses_is_counted_once_in_the_framework() -> None:
    asked = library(
        control("a-control", check("a", "a-control", ("law", "1", "primary"), ("law", "2", "primary"))),
        clauses=(requirement("law", "1"), requirement("law", "2")),
    )
    assert rollup(asked, {"a": {"pass": 3, "fail": 1}})[0].tally == Tally(passing=3, failing=1)


def test_a_loop_of_parents_ends() -> None:
    asked = library(
        control("a-control", check("a", "a-control", ("law", "1", "primary"))),
        clauses=(requirement("law", "1", parent="2"), requirement("law", "2", parent="1")),
    )
    assert rollup(asked, {"a": {"fail": 1}})[0].by_id["2"].standing == "deviating"


@pytest.mark.parametrize(
    ("tally", "share"),
    [
        (Tally(passing=999, failing=1), 99),
        (Tally(passing=999, unknown=1), 99),
        (Tally(passing=5, not_applicable=9), 100),
        (Tally(not_applicable=9), None),
        (Tally(passing=2, failing=1), 66),
    ],
)
def test_the_share_is_rounded_down_and_leaves_out_what_does_not_apply(tally: Tally, share: int | None) -> None:
    assert tally.share == share


def test_standings_are_counted_by_word() -> None:
    standings = rollup(family(), {"child.check": {"fail": 1}, "parent.check": {"pass": 1}})[0].standings
    assert standings == {"deviating": 2, "undetermined": 0, "holding": 0, "none": 1}
