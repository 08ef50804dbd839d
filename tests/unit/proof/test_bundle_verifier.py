"""The bundle's verifier against a whole bundle, and against everything somebody might do to one.

Two kinds of hands: those without the key change files and leave the seal as it is; those with it change files and seal again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from auditor.proof.bundle import verify
from auditor.proof.canonical import canonical, stamp
from auditor.proof.note import Checkpoint, open_note
from auditor.proof.report import Report
from tests.fixtures.bundles import (
    BEGINS,
    CHECKS,
    DAY,
    ENDS,
    FOREIGN,
    REAL,
    build,
    edit_lines,
    seal,
    seal_manifest,
    story,
    write_ledger,
)

Lines = list[dict[str, Any]]


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("bundle") / "bundle")


@pytest.fixture
def bundle(pristine: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / "bundle"))


def refused(folder: Path, where: str, what: str) -> Report:
    report = verify(folder, REAL.verifier)
    assert (report.outcome, report.exit_code) == ("refused", 1), report.as_text()
    assert where in report.where, report.as_text()
    assert what in report.what, report.as_text()
    return report


def run(folder: Path, *arguments: str, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    """As an auditor runs it: in the bundle's root, with nothing but an interpreter."""
    call = [python, "-I", "-S", "-B", "verify/", *arguments]
    return subprocess.run(call, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def one_file(folder: Path, pattern: str) -> Path:
    return min(folder.glob(pattern))


def span_of(lines: Lines, name: str, seq: int) -> dict[str, Any]:
    finding = next(line for line in lines if line["name"] == name)
    found: dict[str, Any] = next(span for span in finding["spans"] if span["seq"] == seq)
    return found


# -- a bundle as it should be
def test_an_untouched_bundle_is_verified_and_tells_what_it_counted(pristine: Path) -> None:
    report = verify(pristine, REAL.verifier)
    assert (report.outcome, report.trust) == ("verified", "pinned"), report.as_text()
    assert report.figures["judged_again"] == 7
    assert report.figures["states"] == {"pass": 2, "fail": 1, "not_applicable": 1, "absent": 1, "excluded": 1}
    assert report.figures["runs"] == {"done": 3, "missed": 1}
    assert report.figures["places_held"] == 1
    assert [step.name for step in report.steps] == [
        "key", "seal", "files", "ledger", "evidence", "calls", "coverage", "findings", "verdicts", "at the end",
    ]  # fmt: skip


def test_without_a_key_it_says_that_trust_is_not_pinned(pristine: Path) -> None:
    done = run(pristine)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "trust not pinned" in done.stdout
    assert "trust not pinned" not in run(pristine, "--key", str(REAL.verifier)).stdout


def test_the_shipped_files_run_alone_in_any_folder_and_leave_nothing_behind(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "vkey").write_text(f"{REAL.verifier}\n")
    before = sorted(bundle.rglob("*"))
    done = run(bundle, "--key", str(tmp_path / "vkey"), "--json")
    said = json.loads(done.stdout)
    assert (done.returncode, said["outcome"], said["trust"], done.stderr) == (0, "verified", "pinned", "")
    assert sorted(bundle.rglob("*")) == before


def test_the_installed_package_says_the_same(pristine: Path) -> None:
    call = [sys.executable, "-m", "auditor.proof", str(pristine), "--key", str(REAL.verifier)]
    done = subprocess.run(call, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout == run(pristine, "--key", str(REAL.verifier)).stdout


def test_python_39_verifies_it(pristine: Path) -> None:
    found = sorted(Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/3.9.*/bin/python"))
    python = str(found[0]) if found else shutil.which("python3.9")
    if python is None:
        pytest.skip("Python 3.9 is not on this machine")
    done = run(pristine, "--key", str(REAL.verifier), python=python)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_entries_from_before_may_come_as_single_proofs(tmp_path: Path) -> None:
    folder = build(tmp_path / "bundle", with_proofs=True)
    assert verify(folder, REAL.verifier).outcome == "verified"
    proof = one_file(folder, "data/ledger/proofs/*")
    proof.write_text(proof.read_text().replace("index 1\n", "index 2\n").replace("index 3\n", "index 2\n"))
    refused(seal(folder), proof.name, "does not lie in the ledger")


def test_a_ledger_that_began_in_the_period_needs_no_head_before_it(tmp_path: Path) -> None:
    told = story()
    folder = build(tmp_path / "bundle", told=told)
    ledger = folder / "data" / "ledger"
    (ledger / "checkpoint.start").unlink()
    (ledger / "earlier.jsonl").unlink()
    (ledger / "frontier.start.json").write_bytes(canonical({"size": 0, "hashes": []}) + b"\n")
    (ledger / "entries.jsonl").write_bytes(b"".join(entry + b"\n" for entry in told.log.entries))
    assert verify(seal(folder), REAL.verifier).outcome == "verified"


# -- hands without the key
def test_a_flipped_byte_in_evidence_is_refused_by_name(bundle: Path) -> None:
    file = one_file(bundle, "data/evidence/*/*.json")
    stored = bytearray(file.read_bytes())
    stored[len(stored) // 2] ^= 1
    file.write_bytes(bytes(stored))
    done = run(bundle, "--key", str(REAL.verifier))
    assert done.returncode == 1
    assert f"REFUSED  {file.relative_to(bundle)}: changed" in done.stdout


def test_an_edited_verdict_is_refused(bundle: Path) -> None:
    file = bundle / "data" / "findings.jsonl"
    file.write_bytes(file.read_bytes().replace(b'"state":"fail"', b'"state":"pass"', 1))
    refused(bundle, "data/findings.jsonl", "changed")


def test_an_edited_verdict_with_a_new_manifest_is_refused_by_the_seal(bundle: Path) -> None:
    edit_lines(bundle / "data" / "findings.jsonl", lambda lines: span_of(lines, "records", 2).update(state="pass"))
    seals = {path: path.read_bytes() for path in bundle.glob("manifest-sha256.txt.*")}
    seal(bundle)
    for path, stored in seals.items():
        path.write_bytes(stored)
    refused(bundle, "manifest-sha256.txt", "not the manifest that was sealed")


def test_a_swapped_key_is_refused_when_the_key_is_pinned_and_shown_as_not_pinned_else(bundle: Path) -> None:
    shutil.rmtree(bundle / "data")
    build(bundle.parent / "theirs", key=FOREIGN)
    done = run(bundle.parent / "theirs", "--key", str(REAL.verifier))
    assert done.returncode == 1
    assert "REFUSED  keys/log.vkey: another key" in done.stdout
    assert "trust not pinned" in run(bundle.parent / "theirs").stdout


@pytest.mark.parametrize("path", ["data/notes.txt", "data/evidence/more.json", "verify/json.py", "extra"])
def test_an_added_file_is_refused(bundle: Path, path: str) -> None:
    (bundle / path).write_text("raise SystemExit(0)\n")
    done = run(bundle, "--key", str(REAL.verifier))
    assert done.returncode == 1
    assert f"REFUSED  {path}: unlisted" in done.stdout


def test_a_missing_file_is_refused(bundle: Path) -> None:
    (bundle / "data" / "inventory.json").unlink()
    refused(bundle, "data/inventory.json", "missing")


def test_a_link_is_refused_before_anything_is_read(bundle: Path) -> None:
    file = bundle / "data" / "inventory.json"
    file.rename(bundle.parent / "elsewhere.json")
    file.symlink_to(bundle.parent / "elsewhere.json")
    report = refused(bundle, "data/inventory.json", "a link")
    assert not report.steps


def test_a_pipe_and_an_odd_name_are_refused(bundle: Path) -> None:
    os.mkfifo(bundle / "data" / "pipe")
    refused(bundle, "data/pipe", "neither a file nor a folder")
    (bundle / "data" / "pipe").unlink()
    (bundle / "data" / "a b\x1b[2J").write_text("")
    assert "\x1b" not in refused(bundle, "data/a b", "other signs").as_text()


@pytest.mark.parametrize("path", ["data/../../outside", "/etc/passwd", "data//x", "data/./x", "data/a b"])
def test_a_path_outside_is_refused_even_under_a_good_seal(bundle: Path, path: str) -> None:
    (bundle.parent / "outside").write_text("")
    manifest = bundle / "manifest-sha256.txt"
    manifest.write_text(f"{'0' * 64}  {path}\n")
    audit = json.loads((bundle / "data" / "audit.json").read_bytes())
    seal_manifest(bundle, audit["period"])
    refused(bundle, "manifest-sha256.txt:1", "not a digest and a path inside the bundle")


def test_a_file_listed_outside_data_is_refused(bundle: Path) -> None:
    manifest = bundle / "manifest-sha256.txt"
    manifest.write_text(manifest.read_text() + f"{'0' * 64}  verify/json.py\n")
    audit = json.loads((bundle / "data" / "audit.json").read_bytes())
    seal_manifest(bundle, audit["period"])
    refused(bundle, "manifest-sha256.txt", "outside data/")


@pytest.mark.parametrize("missing", ["manifest-sha256.txt", ""])
def test_what_is_no_bundle_is_unusable(bundle: Path, missing: str) -> None:
    (bundle / missing).unlink() if missing else shutil.rmtree(bundle)
    report = verify(bundle, REAL.verifier)
    assert (report.outcome, report.exit_code, report.trust) == ("unusable", 2, "not pinned")


@pytest.mark.parametrize("key", ["no such file", "a+00000000+AAAA"])
def test_a_key_that_is_none_is_unusable(pristine: Path, key: str) -> None:
    done = run(pristine, "--key", key)
    assert done.returncode == 2
    assert "UNUSABLE --key" in done.stdout


# -- hands with the key
def test_an_edited_verdict_under_a_good_seal_is_refused_by_the_ledger(bundle: Path) -> None:
    edit_lines(bundle / "data" / "findings.jsonl", lambda lines: span_of(lines, "logs", 1).update(state="pass"))
    refused(seal(bundle), "data/findings.jsonl:3 span 1", "a fact was edited")


@pytest.mark.parametrize(
    ("field", "to"), [("reason", "all is well"), ("valid_from", stamp(BEGINS)), ("severity", "low")]
)
def test_any_edited_fact_of_a_span_is_refused_by_the_ledger(bundle: Path, field: str, to: str) -> None:
    edit_lines(bundle / "data" / "findings.jsonl", lambda lines: span_of(lines, "logs", 1).update({field: to}))
    refused(seal(bundle), "data/findings.jsonl:3 span 1", "a fact was edited")


def test_a_wrong_verdict_that_the_ledger_committed_to_is_refused_by_judging_again(tmp_path: Path) -> None:
    told = story()
    at = ENDS - timedelta(minutes=30)
    told.judged("s3.bucket.closed", "arn:aws:s3:::wide", {"name": "wide", "public": True}, at, state="pass")
    told.log.heads.pop()
    told.log.sign(ENDS)
    folder = build(tmp_path / "bundle", told=told)
    refused(folder, "data/findings.jsonl:7 span 1", "says pass; judged again from its document it is fail")


def test_a_dropped_span_is_refused(bundle: Path) -> None:
    def drop(lines: Lines) -> None:
        spans = next(line for line in lines if line["name"] == "records")["spans"]
        del spans[1]

    edit_lines(bundle / "data" / "findings.jsonl", drop)
    refused(seal(bundle), "data/findings.jsonl:6", "span 1 does not end where the next one begins")


def test_a_dropped_span_whose_neighbours_were_joined_is_refused(bundle: Path) -> None:
    def drop(lines: Lines) -> None:
        spans = next(line for line in lines if line["name"] == "records")["spans"]
        del spans[1:]
        spans[0].update(valid_to="9999-12-31T00:00:00Z", closed_event=None)

    edit_lines(bundle / "data" / "findings.jsonl", drop)
    refused(seal(bundle), "data/findings.jsonl", "leaves out finding.change")


def test_an_omitted_finding_is_refused_though_the_real_key_sealed_it(bundle: Path) -> None:
    edit_lines(bundle / "data" / "findings.jsonl", lambda lines: lines.pop())
    seal(bundle)
    done = run(bundle, "--key", str(REAL.verifier))
    assert done.returncode == 1
    assert "REFUSED  data/findings.jsonl: leaves out finding.open" in done.stdout


def test_an_omitted_finding_from_before_the_period_is_refused_by_the_last_runs_manifest(bundle: Path) -> None:
    edit_lines(bundle / "data" / "findings.jsonl", lambda lines: lines.pop(2))
    refused(seal(bundle), "data/findings.jsonl", "not what stood in eu-west-1 when run")


def test_a_finding_told_twice_is_refused(bundle: Path) -> None:
    edit_lines(bundle / "data" / "findings.jsonl", lambda lines: lines.insert(0, lines[0]))
    refused(seal(bundle), "data/findings.jsonl:2", "told twice")


def test_a_finding_that_the_ledger_does_not_know_is_refused(bundle: Path) -> None:
    edit_lines(
        bundle / "data" / "findings.jsonl", lambda lines: span_of(lines, "logs", 1).update(opened_event="another")
    )
    refused(seal(bundle), "data/findings.jsonl:3 span 1", "is not in the ledger")


@pytest.mark.parametrize("number", [0, 7, -1])
def test_a_dropped_ledger_entry_is_refused(bundle: Path, number: int) -> None:
    edit_lines(bundle / "data" / "ledger" / "entries.jsonl", lambda lines: lines.pop(number))
    refused(seal(bundle), "data/ledger/entries.jsonl", "the entries lead to size 31, the signed end says 32")


def test_a_replaced_and_a_moved_ledger_entry_are_refused(bundle: Path) -> None:
    edit_lines(bundle / "data" / "ledger" / "entries.jsonl", lambda lines: lines[3].update(actor="another"))
    refused(seal(bundle), "data/ledger/entries.jsonl", "do not give the root")
    edit_lines(bundle / "data" / "ledger" / "entries.jsonl", lambda lines: lines[3].update(actor="system"))
    edit_lines(bundle / "data" / "ledger" / "entries.jsonl", lambda lines: lines.insert(3, lines.pop(4)))
    refused(seal(bundle), "data/ledger/entries.jsonl", "do not give the root")


def test_a_ledger_entry_in_another_spelling_is_refused(bundle: Path) -> None:
    file = bundle / "data" / "ledger" / "entries.jsonl"
    file.write_bytes(file.read_bytes().replace(b'{"actor":', b'{"actor": ', 1))
    refused(seal(bundle), "data/ledger/entries.jsonl:1", "one spelling")


def test_a_changed_left_edge_is_refused(bundle: Path) -> None:
    file = bundle / "data" / "ledger" / "frontier.start.json"
    edge = json.loads(file.read_bytes())
    file.write_bytes(canonical({**edge, "hashes": ["00" * 32 for _ in edge["hashes"]]}))
    refused(seal(bundle), "data/ledger/frontier.start.json", "not the tree that checkpoint.start signed")


def test_entries_from_before_that_were_made_up_are_refused(bundle: Path) -> None:
    edit_lines(bundle / "data" / "ledger" / "earlier.jsonl", lambda lines: lines[1].update(commit="00" * 32))
    refused(seal(bundle), "data/ledger/earlier.jsonl", "do not give the tree")
    edit_lines(bundle / "data" / "ledger" / "earlier.jsonl", lambda lines: lines[0].update(level=1 << 40))
    refused(seal(bundle), "data/ledger/earlier.jsonl:1", "cannot begin at leaf 0")


def test_a_period_shortened_by_an_earlier_head_is_refused(tmp_path: Path) -> None:
    told = story()
    folder = build(tmp_path / "bundle", told=told)
    write_ledger(folder, told.log, key=REAL, earlier=told.earlier, end=1)
    refused(seal(folder), "data/audit.json", "the ledger's head was signed at another time")
    audit = json.loads((folder / "data" / "audit.json").read_bytes())
    audit["as_of"] = stamp(BEGINS + timedelta(hours=3))
    (folder / "data" / "audit.json").write_bytes(canonical(audit))
    refused(seal(folder), "data/audit.json", "told as over, the ledger ends before it does")
    (folder / "data" / "audit.json").write_bytes(canonical({**audit, "running": True}))
    refused(seal(folder), "data/calls/index.jsonl", "has no entry in the ledger")


def test_a_period_begun_by_a_later_head_is_refused(tmp_path: Path) -> None:
    told = story()
    folder = build(tmp_path / "bundle", told=told)
    write_ledger(folder, told.log, key=REAL, earlier=told.earlier, start=1)
    refused(seal(folder), "data/ledger/checkpoint.start", "after the period began")


def test_a_period_edited_without_the_key_is_refused(bundle: Path) -> None:
    file = bundle / "data" / "audit.json"
    audit = json.loads(file.read_bytes())
    file.write_bytes(canonical({**audit, "period": {**audit["period"], "to": stamp(ENDS - DAY)}}) + b"\n")
    refused(bundle, "data/audit.json", "changed")


def test_a_seal_for_another_period_is_refused(bundle: Path) -> None:
    seal_manifest(bundle, {"from": stamp(BEGINS), "to": stamp(ENDS + DAY)})
    refused(bundle, "manifest-sha256.txt.note", "sealed for another period")


def test_a_swapped_definition_is_refused(bundle: Path) -> None:
    file = one_file(bundle, "data/controls/s3.bucket.closed@*.json")
    kinder = {**CHECKS["s3.bucket.closed"], "pass_when": "not public or public"}
    file.write_bytes(canonical({"check": kinder, "published": [kinder], "language": 1}) + b"\n")
    refused(seal(bundle), file.name, "another definition than its name says")


def test_a_published_text_that_was_swapped_is_refused(bundle: Path) -> None:
    file = one_file(bundle, "data/controls/s3.bucket.closed@*.json")
    kinder = {**CHECKS["s3.bucket.closed"], "title": "Bucket is just fine"}
    file.write_bytes(canonical({"check": kinder, "published": [kinder], "language": 1}) + b"\n")
    refused(seal(bundle), "data/findings.jsonl", "the published definition")


def test_a_definition_in_a_language_we_do_not_speak_is_counted_not_guessed(bundle: Path) -> None:
    file = one_file(bundle, "data/controls/s3.bucket.closed@*.json")
    file.write_bytes(canonical({**json.loads(file.read_bytes()), "language": 2}) + b"\n")
    report = verify(seal(bundle), REAL.verifier)
    assert (report.outcome, report.figures["not_judged_again"], report.figures["judged_again"]) == ("verified", 6, 1)
    assert any("not judged again" in remark for remark in report.remarks)


def test_a_swapped_document_is_refused(bundle: Path) -> None:
    refused(_without(bundle, "documents", b'"public":true'), "data/findings.jsonl", "is not in the bundle")


def test_evidence_that_is_not_there_is_refused(bundle: Path) -> None:
    refused(_without(bundle, "evidence", b'"public":true'), "data/evidence/index.jsonl", "is not in the bundle")


@pytest.mark.parametrize(
    ("field", "to", "what"),
    [
        ("salt", "00" * 16, "not the evidence that the ledger committed to"),
        ("salt", "00", "not in its form"),
        ("evidence", "another", "has no entry in the ledger"),
    ],
)
def test_an_evidence_line_that_the_ledger_did_not_commit_to_is_refused(
    bundle: Path, field: str, to: str, what: str
) -> None:
    edit_lines(bundle / "data" / "evidence" / "index.jsonl", lambda lines: lines[1].update({field: to}))
    refused(seal(bundle), "data/evidence/index.jsonl:2", what)


# -- calls
def test_a_flipped_byte_in_a_record_of_calls_is_refused_by_name(bundle: Path) -> None:
    file = one_file(bundle, "data/calls/*/*.json")
    file.write_bytes(file.read_bytes().replace(b"list_buckets", b"list_baskets"))
    refused(bundle, str(file.relative_to(bundle)), "changed")


def test_an_edited_record_of_calls_is_refused_under_a_good_seal_too(bundle: Path) -> None:
    file = one_file(bundle, "data/calls/*/*.json")
    file.write_bytes(file.read_bytes().replace(b"list_buckets", b"list_baskets"))
    refused(seal(bundle), "data/calls/index.jsonl:1", f"{file.stem} is not in the bundle")


def test_an_edited_record_of_calls_under_a_name_of_its_own_is_refused_by_the_ledger(bundle: Path) -> None:
    file = one_file(bundle, "data/calls/*/*.json")
    edited = file.read_bytes().replace(b"list_buckets", b"list_baskets")
    name = hashlib.sha256(edited).hexdigest()
    file.unlink()
    (bundle / "data" / "calls" / name[:2]).mkdir(exist_ok=True)
    (bundle / "data" / "calls" / name[:2] / f"{name}.json").write_bytes(edited)
    edit_lines(bundle / "data" / "calls" / "index.jsonl", lambda lines: lines[0].update(digest=name))
    refused(seal(bundle), "data/calls/index.jsonl:1", "not the record of calls that the ledger committed to")


@pytest.mark.parametrize(
    ("rests_on", "what"),
    [
        ({"numbers": [0, 2]}, "call 2 is not in the record, which holds 2"),
        ({"numbers": [-1]}, "call -1 is not in the record"),
        ({"numbers": [True]}, "call True is not in the record"),
        ({"numbers": []}, "no call in it"),
        ({"record": "0" * 64}, "is not indexed"),
    ],
)
def test_evidence_that_rests_on_calls_that_no_record_holds_is_refused(
    bundle: Path, rests_on: dict[str, Any], what: str
) -> None:
    edit_lines(bundle / "data" / "evidence" / "index.jsonl", lambda lines: lines[0]["calls"].update(rests_on))
    refused(seal(bundle), "data/evidence/index.jsonl:1", what)


def test_a_record_of_calls_that_the_ledger_does_not_know_is_refused(bundle: Path) -> None:
    edit_lines(bundle / "data" / "calls" / "index.jsonl", lambda lines: lines[0].update(evidence="another"))
    refused(seal(bundle), "data/calls/index.jsonl:1", "has no entry in the ledger")


def test_evidence_in_the_place_of_a_record_of_calls_is_refused(bundle: Path) -> None:
    evidence = json.loads((bundle / "data" / "evidence" / "index.jsonl").read_bytes().splitlines()[0])
    name = evidence["digest"]
    shutil.copytree(bundle / "data" / "evidence" / name[:2], bundle / "data" / "calls" / name[:2], dirs_exist_ok=True)
    told = {key: evidence[key] for key in ("evidence", "digest", "salt")}
    edit_lines(bundle / "data" / "calls" / "index.jsonl", lambda lines: lines[0].update(told))
    refused(seal(bundle), f"data/calls/{name[:2]}/{name}.json", "not of calls")


def test_a_bundle_from_before_there_were_records_of_calls_is_verified(bundle: Path) -> None:
    shutil.rmtree(bundle / "data" / "calls")
    edit_lines(
        bundle / "data" / "evidence" / "index.jsonl", lambda lines: [line.pop("calls") for line in lines] and None
    )
    report = verify(seal(bundle), REAL.verifier)
    assert report.outcome == "verified", report.as_text()
    assert "0 in 0 records" in report.as_text()


def test_a_stand_in_is_named_by_whoever_verifies(bundle: Path) -> None:
    audit = json.loads((bundle / "data" / "audit.json").read_bytes())
    stands_in = {"source": "9d", "name": "acme", "host": "127.0.0.1:5000"}
    (bundle / "data" / "audit.json").write_bytes(canonical({**audit, "not_a_real_provider": [stands_in]}) + b"\n")
    report = verify(seal(bundle), REAL.verifier)
    assert report.outcome == "verified", report.as_text()
    assert "not a real provider: the answers behind acme (127.0.0.1:5000)" in report.as_text()


def test_evidence_told_of_another_resource_is_refused(bundle: Path) -> None:
    edit_lines(
        bundle / "data" / "evidence" / "index.jsonl", lambda lines: lines[0].update(resource="arn:aws:s3:::other")
    )
    refused(seal(bundle), "data/findings.jsonl:3 span 1", "is not indexed for this resource")


def _late(entries: Lines) -> None:
    entries[-1]["at"] = stamp(ENDS + timedelta(minutes=6))


def _early(entries: Lines) -> None:
    entries[-1]["at"] = stamp(BEGINS)


@pytest.mark.parametrize(
    ("change", "what"), [(_late, "later than the head that covers it"), (_early, "a clock was set back")]
)
def test_a_clock_that_was_moved_is_refused(tmp_path: Path, change: Callable[[Lines], None], what: str) -> None:
    told = story()
    entries = [json.loads(entry) for entry in told.log.entries]
    change(entries)
    told.log.entries = [canonical(entry) for entry in entries]
    told.log.heads.pop()
    told.log.sign(ENDS)
    folder = build(tmp_path / "bundle", told=told)
    refused(folder, "data/ledger/entries.jsonl:27", what)


def test_a_head_of_another_log_or_key_is_refused(bundle: Path) -> None:
    file = bundle / "data" / "ledger" / "checkpoint.end"
    head = Checkpoint.parse(open_note(file.read_text(), REAL.verifier))
    file.write_text(REAL.note(str(head._replace(origin="auditor.example/other"))))
    refused(seal(bundle), "data/ledger/checkpoint.end", "another log")
    file.write_text(FOREIGN.note(str(head)))
    refused(seal(bundle), "data/ledger/checkpoint.end", "no signature")


def test_a_slot_of_the_schedule_without_a_line_is_refused(bundle: Path) -> None:
    edit_lines(bundle / "data" / "runs.jsonl", lambda lines: lines.pop())
    refused(seal(bundle), "data/runs.jsonl", f"leaves out the slot {stamp(BEGINS + 3 * DAY)}")


def test_a_run_told_as_missed_that_the_ledger_saw_end_is_refused(bundle: Path) -> None:
    edit_lines(bundle / "data" / "runs.jsonl", lambda lines: lines[2].update(state="missed"))
    refused(seal(bundle), "data/runs.jsonl:3", "the ledger knows how it ended")
    edit_lines(bundle / "data" / "runs.jsonl", lambda lines: lines[2].update(run=None))
    refused(seal(bundle), "data/runs.jsonl", "leaves out run")


def test_a_run_with_edited_counts_is_refused(bundle: Path) -> None:
    edit_lines(bundle / "data" / "runs.jsonl", lambda lines: lines[2].update(counts={"judged": 400}))
    refused(seal(bundle), "data/runs.jsonl:3", "is not as the ledger committed to it")


def _denied(lines: Lines) -> None:
    for line in lines:
        line.update(state="denied", detail="AccessDenied")


def test_absence_without_a_complete_listing_is_refused(bundle: Path) -> None:
    edit_lines(bundle / "data" / "coverage.jsonl", _denied)
    refused(seal(bundle), "data/findings.jsonl", "no complete listing")


def test_a_place_without_a_complete_listing_cannot_be_not_applicable(bundle: Path) -> None:
    edit_lines(bundle / "data" / "coverage.jsonl", lambda lines: _denied(lines[2:]))
    refused(seal(bundle), "data/findings.jsonl:2 span 1", "coverage has no complete listing there then")


def test_an_exclusion_without_a_scope_is_refused(bundle: Path) -> None:
    edit_lines(bundle / "data" / "scope_changes.jsonl", lambda lines: lines.clear())
    refused(seal(bundle), "data/findings.jsonl:5 span 2", "excluded, yet no scope")


def test_gaps_in_coverage_are_counted_and_read_as_unknown(bundle: Path) -> None:
    edit_lines(bundle / "data" / "coverage.jsonl", lambda lines: lines[1].update(fresh_seconds=3600))
    report = verify(seal(bundle), REAL.verifier)
    assert report.outcome == "verified", report.as_text()
    assert (report.figures["reached_with_gaps"], report.figures["states"]["unknown"]) == (1, 2)
    assert report.figures["longest_gap_seconds"] == timedelta(days=1, hours=21).total_seconds()


def test_a_source_without_a_finished_run_is_named_as_not_held_against_one(bundle: Path) -> None:
    file = bundle / "data" / "scope.json"
    scope = json.loads(file.read_bytes())
    idle = {**scope["sources"][0], "source": "another", "from": stamp(ENDS)}
    file.write_bytes(canonical({"sources": [*scope["sources"], idle, idle]}))
    report = verify(seal(bundle), REAL.verifier)
    assert report.outcome == "verified", report.as_text()
    assert any(remark.startswith("1 of 2 sources had no run") for remark in report.remarks)


def test_overlapping_coverage_is_refused(bundle: Path) -> None:
    edit_lines(
        bundle / "data" / "coverage.jsonl", lambda lines: lines.insert(1, {**lines[0], "valid_from": stamp(BEGINS)})
    )
    refused(seal(bundle), "data/coverage.jsonl:2", "overlaps")


@pytest.mark.parametrize(
    "path", ["data/findings.jsonl", "data/runs.jsonl", "data/coverage.jsonl", "data/evidence/index.jsonl"]
)
@pytest.mark.parametrize(
    "line", [b"{}\n", b"[]\n", b"{\n", b'{"a":1,"a":1}\n', b"{}", b'{"a": 1}\n', b'{"source":[]}\n']
)
def test_a_badly_formed_line_is_refused_with_its_number(bundle: Path, path: str, line: bytes) -> None:
    (bundle / path).write_bytes(line)
    refused(seal(bundle), f"{path}:1", "")


@pytest.mark.parametrize(
    "path", ["data/findings.jsonl", "data/ledger/entries.jsonl", "data/scope.json", "data/audit.json"]
)
def test_a_bundle_without_one_of_its_files_is_refused(bundle: Path, path: str) -> None:
    audit = json.loads((bundle / "data" / "audit.json").read_bytes())
    (bundle / path).unlink()
    manifest = bundle / "manifest-sha256.txt"
    manifest.write_text(
        "".join(line for line in manifest.read_text().splitlines(keepends=True) if not line.endswith(f"  {path}\n"))
    )
    seal_manifest(bundle, audit["period"])
    refused(bundle, path, "missing")


def test_a_running_audit_says_until_when_it_is_known(tmp_path: Path) -> None:
    folder = build(tmp_path / "bundle")
    file = folder / "data" / "audit.json"
    audit = json.loads(file.read_bytes())
    file.write_bytes(
        canonical({**audit, "running": True, "period": {**audit["period"], "to": stamp(ENDS + DAY)}}) + b"\n"
    )
    report = verify(seal(folder), REAL.verifier)
    assert report.outcome == "verified", report.as_text()
    assert f"the period is not over: it is known until {stamp(ENDS)}" in report.remarks


def _without(folder: Path, kind: str, content: bytes) -> Path:
    file = next(one for one in sorted(folder.glob(f"data/{kind}/*/*.json")) if content in one.read_bytes())
    file.unlink()
    return seal(folder)
