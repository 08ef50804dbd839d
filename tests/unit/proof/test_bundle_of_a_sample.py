"""A bundle of sampled resources: each finding in it stays proved, and the report says what no part can show."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from auditor.domain.control import Library
from auditor.exports.bundle import BundleWriter
from auditor.exports.tree import Tree
from auditor.proof.bundle import verify
from auditor.proof.canonical import canonical
from auditor.proof.report import REFUSED, VERIFIED
from tests.fixtures.bundles import REAL, SOURCE, edit_lines, seal
from tests.fixtures.story_source import StorySource

RECORDS, LOGS, OLD, NEVER = (f"arn:aws:s3:::{name}" for name in ("records", "logs", "old", "never"))
Lines = list[dict[str, Any]]


def write(folder: Path, **partial: list[str]) -> Path:
    source, tree = StorySource(partial=partial), Tree(folder)
    writer = BundleWriter(source, tree, Library((), ()))
    identity = writer.write()
    writer.seal(source.sign(writer.manifest(), identity))
    tree.close()
    return tree.root


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("sample"), resources=[LOGS, NEVER, RECORDS])


@pytest.fixture
def sample(pristine: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / "bundle"))


def test_a_sample_is_proved_entry_by_entry_and_names_what_it_cannot_show(pristine: Path) -> None:
    said = verify(pristine, REAL.verifier)
    assert (said.outcome, said.where, said.what) == (VERIFIED, "", "")
    assert (said.figures["findings"], said.figures["spans"], said.figures["judged_again"]) == (2, 4, 4)
    assert said.figures["partial"] == {"resources": [LOGS, NEVER, RECORDS]}
    proofs = {path.stem for path in (pristine / "data/ledger/proofs").glob("*.tlog-proof")}
    lines = [json.loads(line) for line in (pristine / "data/findings.jsonl").read_bytes().splitlines()]
    assert {span["opened_event"] for one in lines for span in one["spans"]} <= proofs
    index = (pristine / "data/evidence/index.jsonl").read_bytes().splitlines()
    assert {json.loads(line)["evidence"] for line in index} <= proofs
    assert any("nothing was left out is not" in one for one in said.remarks)
    assert any("need not be the last there was" in one for one in said.remarks)
    assert any("1 of the 3 resources asked for it tells no finding" in one and NEVER in one for one in said.remarks)


def test_its_readme_says_that_it_is_a_part_and_of_what(pristine: Path) -> None:
    said = (pristine / "README.txt").read_text()
    assert f"THIS IS A PART: resources {LOGS}, {NEVER}, {RECORDS}." in said
    assert "nor that the last span told of a finding was its last" in said


def edited(root: Path) -> None:
    def change(lines: Lines) -> None:
        next(span for one in lines for span in one["spans"] if span["state"] == "fail")["state"] = "pass"

    edit_lines(root / "data/findings.jsonl", change)


def edited_as_to_when(root: Path) -> None:
    edit_lines(
        root / "data/findings.jsonl", lambda lines: lines[1]["spans"][0].update(recorded_at="2026-11-01T01:00:00Z")
    )


def swapped_for_another_evidence(root: Path) -> None:
    def change(lines: Lines) -> None:
        first, second = lines[1]["spans"][:2]
        for field in ("evidence_digest", "document_digest"):
            first[field] = second[field]

    edit_lines(root / "data/findings.jsonl", change)


def swapped_evidence_in_the_index(root: Path) -> None:
    def change(lines: Lines) -> None:
        lines[0]["digest"], lines[1]["digest"] = lines[1]["digest"], lines[0]["digest"]

    edit_lines(root / "data/evidence/index.jsonl", change)


def of_another_resource(root: Path) -> None:
    """A finding that is true, with its proofs, but was not asked for: it could be put beside others to draw a kinder picture."""
    audit = json.loads((root / "data/audit.json").read_bytes())
    (root / "data/audit.json").write_bytes(canonical({**audit, "partial": {"resources": [RECORDS]}}))


def of_another_source(root: Path) -> None:
    audit = json.loads((root / "data/audit.json").read_bytes())
    (root / "data/audit.json").write_bytes(canonical({**audit, "partial": {"sources": ["another"]}}))


def without_a_proof(root: Path) -> None:
    event = json.loads((root / "data/findings.jsonl").read_bytes().splitlines()[0])["spans"][0]["opened_event"]
    (root / f"data/ledger/proofs/{event}.tlog-proof").unlink()


def without_a_span_between(root: Path) -> None:
    edit_lines(root / "data/findings.jsonl", lambda lines: lines[1]["spans"].pop(1))


def told_as_the_whole(root: Path) -> None:
    audit = json.loads((root / "data/audit.json").read_bytes())
    del audit["partial"]
    (root / "data/audit.json").write_bytes(canonical(audit))


def in_no_form(root: Path) -> None:
    audit = json.loads((root / "data/audit.json").read_bytes())
    (root / "data/audit.json").write_bytes(canonical({**audit, "partial": {"resources": [[RECORDS]]}}))


@pytest.mark.parametrize(
    ("tampering", "where", "what"),
    [
        (edited, "data/findings.jsonl:1 span 1", "a fact was edited"),
        (edited_as_to_when, "data/findings.jsonl:2 span 1", "a fact was edited"),
        (swapped_for_another_evidence, "data/findings.jsonl:2 span 1", "a fact was edited"),
        (swapped_evidence_in_the_index, "data/evidence/index.jsonl:1", "not the evidence that the ledger committed to"),
        (of_another_resource, "data/findings.jsonl:1", f"the resource {LOGS} is none that this part is about"),
        (of_another_source, "data/findings.jsonl:1", f"the source {SOURCE} is none"),
        (without_a_proof, "data/findings.jsonl:1 span 1", "is not in the ledger"),
        (without_a_span_between, "data/findings.jsonl:2", "does not end where the next one begins"),
        (told_as_the_whole, "data/ledger/checkpoint.start", "after the period began"),
        (in_no_form, "data/audit.json", "not in its form"),
    ],
)
def test_a_sample_changed_and_signed_again_with_the_real_key_is_refused(
    sample: Path, tampering: Callable[[Path], None], where: str, what: str
) -> None:
    assert verify(seal(sample), REAL.verifier).outcome == VERIFIED
    tampering(sample)
    said = verify(seal(sample), REAL.verifier)
    assert said.outcome == REFUSED, said.as_text()
    assert where in said.where, said.as_text()
    assert what in said.what, said.as_text()


def test_that_the_last_span_was_left_off_no_part_shows_and_each_says_so(sample: Path) -> None:
    def left_off(lines: Lines) -> None:
        lines[1]["spans"].pop()
        lines[1]["spans"][-1].update(valid_to="9999-12-31T00:00:00Z", closed_event=None)

    edit_lines(sample / "data/findings.jsonl", left_off)
    said = verify(seal(sample), REAL.verifier)
    assert said.outcome == VERIFIED
    assert any("need not be the last there was" in one for one in said.remarks)
