"""A tag that excuses a resource is told in the reason and found there again."""

from __future__ import annotations

import pytest

from auditor.domain.excuse import by_tag, excusing_tag, reads_tags


@pytest.mark.parametrize("path", ["tag", "tags[0]", "environment_tag", "stores[2].tags[10]"])
def test_a_deciding_tag_is_quoted_and_found_again(path: str) -> None:
    reason = "Does not apply: as asked" + by_tag(((path, "Environment=Dev"), ("params.words[0]", "*=dev")))
    assert reason == "Does not apply: as asked; excused by tag Environment=Dev"
    assert excusing_tag(reason) == "Environment=Dev"


@pytest.mark.parametrize("value", [("is_replica", True), ("tags_fixed", "a=b"), ("count(tags)", 0), ("tags[0]", None)])
def test_what_is_no_tag_excuses_nothing(value: tuple[str, object]) -> None:
    assert by_tag((value,)) == ""
    assert excusing_tag("Does not apply: not is_replica") == ""


@pytest.mark.parametrize(
    ("condition", "asks"),
    [
        ("not (is_set(environment_tag) and matches(environment_tag, '*=dev'))", True),
        ("not any(tag in params.public_tags for tag in tags)", True),
        ("has_stages", False),
        ("tags_fixed and staged", False),
        (None, False),
    ],
)
def test_conditions_that_ask_tags_are_told_from_those_that_do_not(condition: str | None, *, asks: bool) -> None:
    assert reads_tags(condition) is asks
