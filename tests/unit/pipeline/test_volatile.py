"""Rows of volatile facts: which one a resource has after a look, what is unseen without it, and which one level 2 joins."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from auditor.domain.coverage import Coverage, CoverageState
from auditor.domain.document import as_json
from auditor.domain.evidence import Collection, Evidence, Held, Known, Provenance
from auditor.domain.reading import Reading, Readings, Unseen
from auditor.domain.resource_type import Listing, Read, ResourceType
from auditor.domain.source import Place
from auditor.domain.volatile import beside, joined, split, whole
from auditor.pipeline.reperform import Reperformed, reperform
from auditor.pipeline.volatile import Rows, gathered
from auditor.proof.canonical import canonical, digest, stamp
from tests.unit.pipeline.world import ACCOUNT, NOW

PLACE = Place(ACCOUNT, "us-east-1")
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Lamp:
    """A lamp."""

    name: Reading[Any]
    lit_at: Reading[Any]
    checked_at: Reading[Any]


lamp = ResourceType(
    "aws.library.lamp",
    version=1,
    title="lamp",
    listing=Listing("library:list_lamps", items="Lamps", id="Name", keep=("Name", "LitAt")),
    details={"check": Read("library:get_check", Name="{Name}", items="Checks", keep=("By", "At"))},
    volatile=("LitAt", "check[].At"),
)


@lamp.document
def describe(seen: Readings) -> Lamp:
    """The lamp as it burns."""
    return Lamp(seen["Name"], seen["LitAt"], seen["check"].map(lambda checks: checks[0].get("At") if checks else None))


def row(lit: str, checked: str) -> dict[str, Any]:
    return {"LitAt": lit, "check": {"0": {"At": checked}}}


def looked(
    read: Mapping[str, Any] | None = None, held: Mapping[str, Any] | None = None, *, state: CoverageState = "ok"
) -> Collection:
    evidence = tuple(
        Evidence(lamp.name, 1, name, PLACE.region, {}, NOW, (), volatile=one) for name, one in (read or {}).items()
    )
    kept = tuple(Held(lamp.name, name, PLACE.region, "d", one) for name, one in (held or {}).items())
    look = Coverage(PLACE.region, lamp.name, state, NOW, len(evidence) + len(kept))
    return Collection(PLACE.region, evidence, (look,), Provenance("", "", NOW, NOW), held=kept)


def facts(collection: Collection, before: Rows | None = None) -> Rows | None:
    """The rows after a look; none where nothing new is written."""
    known = {} if before is None else {(beside(lamp.name), PLACE.native_id): Known("before", "")}
    found = list(gathered(collection, (lamp,), PLACE, known, lambda _: before or {}))
    if not found:
        return None
    (one,) = found
    assert (one.resource_type, one.native_id, one.collected_at) == (beside(lamp.name), PLACE.native_id, NOW)
    assert one.operations == ("library:list_lamps", "library:get_check")
    rows: Rows = one.content["volatile"]
    return rows


BEFORE = {"a": row("1", "1"), "b": row("1", "1")}


def test_what_was_read_has_its_row_anew_and_what_is_gone_has_none() -> None:
    assert facts(looked({"a": row("2", "2")}), BEFORE) == {"a": row("2", "2")}


def test_what_is_held_has_the_listed_part_anew_and_that_of_its_details_as_it_was() -> None:
    assert facts(looked({"a": row("2", "2")}, {"b": {"LitAt": "3"}}), BEFORE) == {
        "a": row("2", "2"),
        "b": row("3", "1"),
    }
    assert facts(looked(held={"b": {}}), BEFORE) == {"b": {"check": row("", "1")["check"]}}, "no longer listed so"


def test_what_is_held_and_has_no_row_gets_none_that_would_read_as_never() -> None:
    assert facts(looked({"a": row("2", "2")}, {"c": {"LitAt": "3"}}), BEFORE) == {"a": row("2", "2")}


def test_a_listing_that_fell_short_takes_no_row_away() -> None:
    assert facts(looked({"a": row("2", "2")}, state="error"), BEFORE) == {**BEFORE, "a": row("2", "2")}
    assert facts(looked(state="denied"), BEFORE) is None


def test_an_empty_place_has_no_facts_and_one_that_became_empty_says_so_once() -> None:
    assert facts(looked()) is None
    assert facts(looked(), BEFORE) == {}


def test_without_its_row_a_resource_has_nothing_volatile_that_was_seen() -> None:
    stable, _ = split({"Name": "a", "LitAt": "1", "check": [{"By": "sam", "At": "1"}]}, lamp.volatile)
    seen = lamp.describe(whole(lamp, stable, None))
    assert isinstance(seen.lit_at, Unseen)
    assert isinstance(seen.checked_at, Unseen)
    assert not isinstance(seen.name, Unseen)
    assert lamp.describe(whole(lamp, stable, row("1", "1"))).checked_at.value == "1"


@pytest.mark.parametrize("stray", [{"check": "1"}, {"check": {"7": {"At": "1"}}}, {"Name": {"First": "x"}}, "1"])
def test_a_row_of_another_content_has_no_place_in_it(stray: Any) -> None:
    stable = {"Name": "a", "check": [{"By": "sam"}]}
    assert joined(stable, stray) == stable


def bundle(root: Path, told: Sequence[tuple[datetime, Rows]], judged: Mapping[str, Any], at: datetime) -> Reperformed:
    """A bundle's files as far as level 2 reads them: one verdict on lamp ``a``, and the facts that stood, with their times."""
    index = []

    def keep(kind: str, content: Any, resource: str, since: datetime) -> str:
        stored = canonical({"type": kind, "version": 1, "content": content})
        name = digest(json.loads(stored))
        path = root / f"data/evidence/{name[:2]}/{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(stored)
        index.append({
            "digest": name, "source": "s", "resource": resource, "collected_at": stamp(since), "type": kind, "type_version": 1,
            "region": PLACE.region, "place": PLACE.region, "stood": [[stamp(since), None]],
        })  # fmt: skip
        return name

    whole_content = joined({"Name": "a", "check": [{"By": "sam"}]}, judged)
    stable, _ = split(whole_content, lamp.volatile)
    evidence = keep(lamp.name, stable, "a", NOW)
    for since, rows in told:
        keep(beside(lamp.name), {"volatile": rows}, PLACE.native_id, since)
    span = {
        "document_digest": digest(as_json(lamp.describe(whole_content))), "evidence_digest": evidence,
        "evaluator": "auditor 1", "judged_as_of": stamp(at),
    }  # fmt: skip
    finding = {"source": "s", "place": PLACE.region, "resource": "a", "resource_type": lamp.name, "spans": [span]}
    (root / "data/findings.jsonl").write_bytes(canonical(finding) + b"\n")
    (root / "data/evidence/index.jsonl").write_bytes(b"".join(canonical(line) + b"\n" for line in index))
    return reperform(root, [lamp])


FIRST, SECOND, THIRD = ({"a": row(word, word)} for word in "123")


def test_a_document_is_derived_with_the_facts_that_stood_as_it_was_judged(tmp_path: Path) -> None:
    told = bundle(tmp_path, [(NOW, FIRST), (NOW + 2 * HOUR, SECOND)], FIRST["a"], NOW + HOUR)
    assert (told.done, told.differences, told.exit_code) == (1, [], 0)


def test_facts_that_were_kept_in_the_moment_of_judging_are_no_difference(tmp_path: Path) -> None:
    told = bundle(tmp_path, [(NOW, FIRST), (NOW + HOUR, SECOND)], FIRST["a"], NOW + HOUR)
    assert (told.done, told.differences) == (1, [])


def test_facts_of_another_time_are_a_difference(tmp_path: Path) -> None:
    stood = [(NOW, FIRST), (NOW + HOUR, SECOND), (NOW + 2 * HOUR, THIRD)]
    assert len(bundle(tmp_path, stood, FIRST["a"], NOW + 3 * HOUR).differences) == 1
    assert len(bundle(tmp_path, stood, THIRD["a"], NOW + HOUR).differences) == 1


def test_a_bundle_without_the_facts_says_so_and_calls_nothing_different(tmp_path: Path) -> None:
    told = bundle(tmp_path, [], FIRST["a"], NOW)
    assert dict(told.not_done) == {"the bundle does not hold the volatile facts of aws.library.lamp": 1}
    assert told.exit_code == 4
