"""Splitting volatile facts off and joining them again, for any content and any paths."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from auditor.domain.projection import tree
from auditor.domain.volatile import joined, split

NAMES = st.sampled_from("abc01")
PLAIN = st.none() | st.booleans() | st.integers() | st.sampled_from(("", "2026"))
VALUES = st.recursive(
    PLAIN, lambda below: st.lists(below, max_size=3) | st.dictionaries(NAMES, below, max_size=3), max_leaves=20
)
CONTENTS = st.dictionaries(NAMES, VALUES, max_size=4)


@st.composite
def paths(draw: st.DrawFn) -> tuple[str, ...]:
    """Paths of which none goes through the end of another: a declaration that says both says nothing."""
    drawn = draw(st.lists(st.lists(NAMES, min_size=1, max_size=3).map(tuple), max_size=4, unique=True))
    apart = [one for one in drawn if not any(one != other and one[: len(other)] == other for other in drawn)]
    return tuple(draw(st.sampled_from((".", "[]."))).join(one) for one in apart)


def at(value: Any, below: Any) -> bool:
    """Whether anything stands where a path of the tree leads."""
    if isinstance(value, list):
        return any(at(member, below) for member in value)
    if not isinstance(value, dict):
        return False
    return any(name in value and (under is None or at(value[name], under)) for name, under in below.items())


@given(CONTENTS, paths())
def test_what_was_split_is_joined_to_what_it_was_even_after_it_was_kept(
    content: dict[str, Any], named: tuple[str, ...]
) -> None:
    before = json.dumps(content)
    kept = json.loads(json.dumps(split(content, named)))
    assert joined(*kept) == content
    assert json.dumps(content) == before, "nothing is taken out of what was given"


@given(CONTENTS, paths())
def test_nothing_volatile_is_left_in_the_stable_part_and_nothing_else_is_taken(
    content: dict[str, Any], named: tuple[str, ...]
) -> None:
    stable, row = split(content, named)
    assert not at(stable, tree(named))
    assert bool(row) == at(content, tree(named))
    assert split(stable, named) == (stable, {})
