"""A bundle read by whoever was handed it: strict where a field is named, lenient where it is optional, never silent."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from auditor.domain.control import Library
from auditor.domain.errors import EvidenceError, ExportError
from auditor.domain.opened import difference, of_part
from auditor.domain.told import EvidenceTold, FindingTold, SourceTold
from auditor.exports.opening import BundleFolder
from auditor.proof.canonical import canonical
from auditor.store.bringing_in import is_open, next_slot, stood
from controls import shipped
from tests.fixtures.bundles import BEGINS, build, edit_lines, seal
from tests.fixtures.library import small_library

FINDINGS = "data/findings.jsonl"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return build(tmp_path / "bundle")


def changed(bundle: Path, path: str, change: Callable[[dict[str, Any]], object]) -> BundleFolder:
    """The bundle, signed again by who may, with one object of a file changed."""
    if path.endswith(".jsonl"):
        edit_lines(bundle / path, lambda lines: change(lines[0]))
    else:
        said = json.loads((bundle / path).read_bytes())
        change(said)
        (bundle / path).write_bytes(canonical(said) + b"\n")
    return BundleFolder(seal(bundle))


def everything(folder: BundleFolder) -> list[Any]:
    return [
        folder.audit(),
        *folder.sources(),
        *folder.left_out(),
        *folder.scope_changes(),
        *folder.changes(),
        *folder.coverage(),
        *folder.runs(),
        *folder.findings(),
        *folder.index(),
        *folder.definitions(),
    ]


@pytest.mark.parametrize(
    ("path", "change", "said"),
    [
        ("data/audit.json", lambda one: one.update(as_of="yesterday"), "data/audit.json: as_of"),
        ("data/audit.json", lambda one: one.pop("kind"), "data/audit.json: kind: field required"),
        ("data/audit.json", lambda one: one.update(v=2), "data/audit.json: v"),
        ("data/scope.json", lambda one: one["sources"][0].update(kind="oracle"), "sources.0.kind"),
        ("data/scope.json", lambda one: one["sources"][0].update(every_seconds=0), "sources.0.every_seconds"),
        ("data/scope_changes.jsonl", lambda one: one.update(rule={"regions": 5}), "jsonl:1: rule.regions"),
        ("data/coverage.jsonl", lambda one: one.update(state="fine"), "jsonl:1: state"),
        ("data/coverage.jsonl", lambda one: one.update(listed=2**40), "jsonl:1: listed"),
        ("data/coverage.jsonl", lambda one: one.update(last_at="2026-11-01T00:00:00"), "jsonl:1: last_at"),
        ("data/runs.jsonl", lambda one: one.update(run="../run"), "jsonl:1: run"),
        (FINDINGS, lambda one: one.update(spans=[]), "jsonl:1: spans"),
        (FINDINGS, lambda one: one["spans"][0].update(state="perfect"), "jsonl:1: spans.0.state"),
        (FINDINGS, lambda one: one["spans"][0].update(evidence_digest="../../x"), "spans.0.evidence_digest"),
        ("data/evidence/index.jsonl", lambda one: one.update(operations="s3:Get"), "jsonl:1: operations"),
    ],
)
def test_a_field_that_is_named_and_is_not_what_it_is_named_for_is_refused_by_its_place(
    bundle: Path, path: str, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    with pytest.raises(ExportError) as refused:
        everything(changed(bundle, path, change))
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "path",
    ["data/audit.json", "data/inventory.json", "data/coverage.jsonl", "data/runs.jsonl", "data/evidence/index.jsonl"],
)
def test_a_field_that_nobody_named_is_passed_over(bundle: Path, path: str) -> None:
    before = everything(BundleFolder(bundle))
    assert everything(changed(bundle, path, lambda one: one.update(later={"v": 2}))) == before


def test_what_is_optional_and_missing_claims_nothing(bundle: Path) -> None:
    folder = BundleFolder(bundle)
    assert (folder.left_out(), list(folder.changes())) == ((), [])
    assert {one.baseline for one in folder.runs()} == {False}
    assert {one.stood for one, _ in folder.index()} == {()}


def test_a_file_that_no_manifest_names_is_not_read(bundle: Path) -> None:
    (bundle / "data" / "changes.jsonl").write_text("{}\n")
    with pytest.raises(ExportError, match="unlisted"):
        BundleFolder(bundle)


def test_evidence_is_held_against_its_digest_each_time_it_is_shown(bundle: Path) -> None:
    folder = BundleFolder(bundle)
    digest = next(iter(folder.index()))[0].digest
    assert folder.evidence(digest)["type"]
    file = bundle / "data" / "evidence" / digest[:2] / f"{digest}.json"
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(EvidenceError, match="altered"):
        folder.evidence(digest)
    file.unlink()
    with pytest.raises(EvidenceError, match="taken away"):
        folder.evidence(digest)
    with pytest.raises(EvidenceError, match="not in this bundle"):
        folder.evidence("0" * 64)


def test_the_next_slot_is_the_first_of_the_grid_after_the_instant(bundle: Path) -> None:
    told: SourceTold = BundleFolder(bundle).sources()[0]
    at = datetime(2026, 11, 5, 7, tzinfo=UTC)
    daily = told.model_copy(update={"every_seconds": 86400, "grid": datetime(2026, 12, 1, 6, tzinfo=UTC)})
    assert next_slot(daily, at) == datetime(2026, 11, 6, 6, tzinfo=UTC)
    assert next_slot(daily, datetime(2026, 11, 6, 6, tzinfo=UTC)) == datetime(2026, 11, 7, 6, tzinfo=UTC)
    assert next_slot(told.model_copy(update={"every_seconds": 86400}), at) == datetime(2026, 11, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("before", "states", "expected"),
    [
        (None, ["pass"], False),
        (None, ["fail"], True),
        (None, ["fail", "unknown"], True),
        (None, ["unknown"], False),
        ("fail", ["unknown"], True),
        ("fail", ["unknown", "pass", "unknown"], False),
        (None, ["fail", "excluded"], False),
        (None, ["fail", "absent"], False),
    ],
)
def test_a_deviation_that_can_no_longer_be_seen_is_still_open(
    bundle: Path, before: Any, states: list[Any], expected: bool
) -> None:
    finding: FindingTold = next(iter(BundleFolder(bundle).findings()))
    spans = [finding.spans[0].model_copy(update={"state": state, "prev_state": before}) for state in states]
    assert is_open(spans) is expected


def test_evidence_whose_times_are_not_told_stood_as_long_as_it_was_seen(bundle: Path) -> None:
    told: EvidenceTold = next(iter(BundleFolder(bundle).index()))[0]
    ((since, until),) = stood(told)
    assert since == told.collected_at
    assert until is not None
    assert until > told.last_at
    later = ((BEGINS, BEGINS + timedelta(days=1)), (BEGINS + timedelta(days=2), None))
    assert stood(told.model_copy(update={"stood": later})) == later


def test_how_a_definition_differs_is_told_by_what_it_means() -> None:
    check = shipped().check["s3.bucket.public_access_blocked"]
    same = (check.judged_digest, check.published_digest, check.definition)
    assert difference(check, *same) is None
    assert difference(None, *same) == "gone"
    assert difference(check, "0" * 64, *same[1:]) == "condition"
    retitled = {**check.definition, "title": "In other words"}
    assert difference(check, check.judged_digest, "0" * 64, retitled) == "text"
    for graded in ("requirements", "tier", "severity"):
        otherwise = {**check.definition, graded: "another"}
        assert difference(check, check.judged_digest, "0" * 64, otherwise) == "mapping"


def test_a_part_is_held_against_what_it_tells_and_nothing_else() -> None:
    whole = small_library()
    check = next(one for one in whole.checks if one.mapped)
    told = of_part(whole, {check.id})
    assert [one.id for one in told.checks] == [check.id]
    assert [one.id for one in told.controls] == [check.control]
    for framework in told.frameworks:
        served = set(check.requirements(framework.id))
        assert served <= framework.by_id.keys()
        for one in framework.requirements:
            assert one.id in served or framework.children(one.id)
            assert one.parent is None or one.parent in framework.by_id or one.parent not in whole.framework
    assert of_part(whole, set()) == Library(tuple(replace(one, requirements=()) for one in whole.frameworks), ())
