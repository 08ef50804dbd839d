"""Judging: verdicts, sentences and digests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from auditor.proof.expression import ExpressionError
from auditor.proof.judge import (
    VERDICTS,
    Judgement,
    check_template,
    compile_check,
    judge,
    judged_digest,
    published_digest,
)

AS_OF = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
HIDDEN = {"$unseen": "denied"}
BACKUPS: dict[str, Any] = {
    "id": "rds.instance.backup_retained",
    "resource": "aws.rds.instance",
    "document_version": 1,
    "params": {"min_days": 7},
    "applies_when": "not is_replica",
    "pass_when": "retention_days >= params.min_days",
    "fail": "{name} keeps {retention_days} days of backups, {params.min_days} are promised",
}
SHAPE = {
    "type": "object",
    "fields": {
        "name": {"type": "text"},
        "is_replica": {"type": "flag"},
        "retention_days": {"type": "number"},
        "box": {"type": "object", "fields": {"tags": {"type": "map", "of": {"type": "text"}}}},
    },
}


def verdict_on(document: dict[str, Any], definition: dict[str, Any] = BACKUPS, **params: Any) -> Judgement:
    return judge(compile_check(definition), {"name": "orders", **document}, as_of=AS_OF, params=params or None)


@pytest.mark.parametrize(
    ("document", "verdict"),
    [
        ({"is_replica": False, "retention_days": 14}, "pass"),
        ({"is_replica": False, "retention_days": 0}, "fail"),
        ({"is_replica": True, "retention_days": 0}, "not_applicable"),
        ({"is_replica": True, "retention_days": HIDDEN}, "not_applicable"),
        ({"is_replica": False, "retention_days": HIDDEN}, "unknown"),
        ({"is_replica": HIDDEN, "retention_days": 14}, "unknown"),
        ({"is_replica": HIDDEN, "retention_days": 0}, "unknown"),
    ],
)
def test_the_four_verdicts(document: dict[str, Any], verdict: str) -> None:
    assert verdict_on(document).verdict == verdict
    assert verdict in VERDICTS


def test_a_fail_says_its_sentence_and_what_was_read() -> None:
    found = verdict_on({"is_replica": False, "retention_days": 2})
    assert found.message == "orders keeps 2 days of backups, 7 are promised"
    assert found.because == "retention_days >= params.min_days"
    assert found.values == (("retention_days", 2), ("params.min_days", 7))
    assert (found.path, found.reason) == (None, None)


def test_an_unknown_says_what_could_not_be_determined() -> None:
    found = verdict_on({"is_replica": False, "retention_days": HIDDEN})
    assert found.message == "could not be determined: retention_days: denied"
    assert (found.path, found.reason) == ("retention_days", "denied")


def test_pass_and_not_applicable_say_nothing() -> None:
    assert not verdict_on({"is_replica": False, "retention_days": 14}).message
    assert not verdict_on({"is_replica": True}).message


def test_parameters_given_for_a_judgement_replace_those_of_the_check_by_name() -> None:
    assert verdict_on({"is_replica": False, "retention_days": 8}, min_days=9).verdict == "fail"
    assert verdict_on({"is_replica": False, "retention_days": 8}, other=9).verdict == "pass"


@pytest.mark.parametrize(
    ("applies", "passes", "turns_at"),
    [
        ("days_since(born) >= 5", "days_since(born) < 3", datetime(2026, 11, 25, tzinfo=UTC)),
        ("days_since(born) >= 1", "days_since(born) < 9", datetime(2026, 11, 29, tzinfo=UTC)),
        ("days_since(born) < 6", "days_since(born) < 9", datetime(2026, 11, 26, tzinfo=UTC)),
        ("days_since(born) < 9", "days_since(born) < 6", datetime(2026, 11, 26, tzinfo=UTC)),
        ("days_since(born) < 9", "name == null", datetime(2026, 11, 29, tzinfo=UTC)),
        ("days_since(born) < 9 and hidden", "days_since(born) < 4", datetime(2026, 11, 29, tzinfo=UTC)),
    ],
)
def test_a_verdict_turns_with_the_earlier_of_its_conditions(applies: str, passes: str, turns_at: datetime) -> None:
    definition = {**BACKUPS, "applies_when": applies, "pass_when": passes, "fail": ""}
    assert verdict_on({"born": "2026-11-20T00:00:00Z", "hidden": HIDDEN}, definition).turns_at == turns_at


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("{flag} {none} {number}", "true (not set) 1.5"),
        (
            "{hidden} {gone} {box.gone} {name.upper} {hidden.x}",
            "(not seen) (not seen) (not seen) (not seen) (not seen)",
        ),
        ("{members}", "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"),
        ("{few}: {empty}", "a, (not seen): (none)"),
        ("{box}", '{"a":1}'),
        ("{params.min_days}", "7"),
        ("{long}", "x" * 300 + "…"),
        ("{flag.__class__}", None),
        ("{name!r}", None),
        ("{name:>9}", None),
        ("{0}", None),
        ("{}", None),
        ("{name", None),
        ("name}", None),
        ("{{name}}", None),
        ("{box[a]}", None),
    ],
)
def test_a_sentence_looks_fields_up_and_does_nothing_else(template: str, sentence: str | None) -> None:
    document: dict[str, Any] = {
        "no": False,
        "flag": True,
        "none": None,
        "number": 1.5,
        "hidden": HIDDEN,
        "box": {"a": 1},
        "empty": [],
    }
    document |= {"members": list(range(12)), "few": ["a", HIDDEN], "long": "x" * 400}
    definition = {**BACKUPS, "applies_when": None, "pass_when": "no", "fail": template}
    if sentence is None:
        with pytest.raises(ExpressionError, match="fail: "):
            compile_check(definition)
    else:
        assert verdict_on(document, definition).message == sentence


@pytest.mark.parametrize(
    "template", ["{nmae}", "{name.first}", "{params.gone}", "{params}", "{params.min_days.x}", "{box.tag}"]
)
def test_a_sentence_may_name_only_what_exists(template: str) -> None:
    with pytest.raises(ExpressionError, match="no such"):
        check_template(template, SHAPE, {"min_days": 7})


def test_a_sentence_that_names_what_exists_is_taken() -> None:
    check_template("{name} {box.tags.Owner} {params.min_days}", SHAPE, {"min_days": 7})


@pytest.mark.parametrize("key", ["id", "resource", "document_version", "pass_when"])
def test_a_definition_without_what_decides_is_refused(key: str) -> None:
    with pytest.raises(ExpressionError, match=f"{key} is missing"):
        compile_check({name: value for name, value in BACKUPS.items() if name != key})


@pytest.mark.parametrize(
    "change",
    [
        {"pass_when": "retention >= 1"},
        {"applies_when": "is_relpica"},
        {"pass_when": "params.max_days > 1"},
        {"pass_when": None},
    ],
)
def test_names_are_checked_when_a_check_is_loaded(change: dict[str, Any]) -> None:
    compile_check(BACKUPS, shape=SHAPE)
    with pytest.raises(ExpressionError, match=f"rds.instance.backup_retained: {next(iter(change))}"):
        compile_check({**BACKUPS, **change}, shape=SHAPE)


def test_only_what_decides_moves_the_judged_digest() -> None:
    told = {**BACKUPS, "title": "Backups are kept", "fail": "{name}: too few", "severity": "high"}
    assert judged_digest(told) == judged_digest(BACKUPS) == compile_check(told).judged_digest
    assert published_digest(told) != published_digest(BACKUPS)


@pytest.mark.parametrize(
    "change",
    [{"id": "x"}, {"resource": "x"}, {"document_version": 2}, {"applies_when": "true"}, {"applies_when": None}, {"pass_when": "true"}, {"params": {"min_days": 8}}],
)  # fmt: skip
def test_whatever_decides_moves_the_judged_digest(change: dict[str, Any]) -> None:
    assert judged_digest({**BACKUPS, **change}) != judged_digest(BACKUPS)


def test_the_judged_digest_is_the_one_written_down() -> None:
    # Spans in the field carry it: a change here means every verdict is judged anew.
    assert judged_digest(BACKUPS) == "7c33a96761ea5a86ad17988b5dac67ba6d3aeed0eb53f84196d812b8c133cbc8"
