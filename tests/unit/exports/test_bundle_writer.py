"""The bundle as it is written: what the verifier, the auditor's tools and a browser make of it."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from auditor.domain.control import Library
from auditor.domain.errors import ExportError
from auditor.exports.archive import write_zip
from auditor.exports.bundle import BundleWriter
from auditor.exports.tree import Tree
from auditor.proof.bundle import verify
from auditor.proof.note import VerifierKey
from auditor.proof.report import REFUSED, VERIFIED
from auditor.trust.timestamps import nonce, request
from controls import shipped
from tests.fixtures.authority import Authority, authority
from tests.fixtures.bundles import ENDS, FOREIGN, REAL, edit_lines, seal, story
from tests.fixtures.story_source import StorySource

NOTHING = Library((), ())


def write(work: Path, source: StorySource | None = None, library: Library = NOTHING) -> Path:
    source, tree = source or StorySource(), Tree(work)
    writer = BundleWriter(source, tree, library)
    identity = writer.write()
    writer.seal(source.sign(writer.manifest(), identity))
    tree.close()
    return tree.root


def test_a_bundle_as_written_is_verified_under_the_pinned_key(tmp_path: Path) -> None:
    said = verify(write(tmp_path), REAL.verifier)
    assert (said.outcome, said.where, said.what) == (VERIFIED, "", "")
    assert said.figures["findings"] == 6


def test_the_same_input_gives_the_same_bytes_whatever_was_shown_of_the_library(tmp_path: Path) -> None:
    one, two = write(tmp_path / "one"), write(tmp_path / "two")
    files = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(two) for path in two.rglob("*") if path.is_file())
    assert all((one / path).read_bytes() == (two / path).read_bytes() for path in files)
    zips = []
    for name in ("one", "two"):
        tree = Tree(tmp_path / name)
        write_zip(tree.root, tree.paths(), tmp_path / f"{name}.zip", folder="bundle")
        tree.close()
        zips.append((tmp_path / f"{name}.zip").read_bytes())
    assert zips[0] == zips[1]


def test_a_zip_unpacks_to_what_is_verified_and_says_no_time_of_its_own(tmp_path: Path) -> None:
    write(tmp_path)
    tree = Tree(tmp_path)
    write_zip(tree.root, tree.paths(), tmp_path / "b.zip", folder="bundle-x")
    tree.close()
    with zipfile.ZipFile(tmp_path / "b.zip") as packed:
        assert {(one.date_time, one.create_system, one.external_attr >> 16) for one in packed.infolist()} == {
            ((1980, 1, 1, 0, 0, 0), 3, 0o100644)
        }
        packed.extractall(tmp_path / "out")
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "verify/", "--key", str(REAL.verifier)],
        cwd=tmp_path / "out" / "bundle-x",
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_part_is_proved_entry_by_entry_and_says_that_it_is_a_part(tmp_path: Path) -> None:
    root = write(tmp_path, StorySource(partial={"checks": ["cloudtrail.recent"]}))
    said = verify(root, REAL.verifier)
    assert (said.outcome, said.where, said.what) == (VERIFIED, "", "")
    assert said.figures["findings"] == 1
    assert any("that nothing was left out is not" in remark for remark in said.remarks)
    assert "none left out" not in said.as_text()
    assert list((root / "data/ledger/proofs").glob("*.tlog-proof"))


def test_a_part_cannot_be_told_as_a_whole(tmp_path: Path) -> None:
    root = write(tmp_path, StorySource(partial={"checks": ["cloudtrail.recent"]}))
    audit = (root / "data/audit.json").read_text()
    (root / "data/audit.json").write_text(audit.replace('"partial":{"checks":["cloudtrail.recent"]},', ""))
    seal(root)
    assert verify(root, REAL.verifier).outcome == REFUSED


def omitted(root: Path) -> None:
    edit_lines(root / "data/findings.jsonl", lambda lines: lines.pop(1))


def edited(root: Path) -> None:
    def change(lines: list[dict[str, list[dict[str, str]]]]) -> None:
        next(one for one in lines if one["spans"][0]["state"] == "fail")["spans"][0]["state"] = "pass"

    edit_lines(root / "data/findings.jsonl", change)


def flipped(root: Path) -> None:
    path = min((root / "data/evidence").rglob("*/*.json"))
    stored = bytearray(path.read_bytes())
    stored[-3] ^= 1
    path.write_bytes(bytes(stored))


@pytest.mark.parametrize("tampering", [omitted, edited, flipped])
def test_what_the_operator_changes_and_signs_again_with_the_real_key_is_refused(
    tmp_path: Path, tampering: Callable[[Path], None]
) -> None:
    root = write(tmp_path)
    tampering(root)
    seal(root)
    assert verify(root, REAL.verifier).outcome == REFUSED


def test_another_key_than_the_one_that_was_asked_for_is_refused(tmp_path: Path) -> None:
    key: VerifierKey = FOREIGN.verifier
    assert verify(write(tmp_path), key).outcome == REFUSED


def test_the_lines_of_the_readme_hold_in_ordinary_tools(tmp_path: Path) -> None:
    root = write(tmp_path)
    lines = (root / "README.txt").read_text().split("CHECK IT WITH OTHER TOOLS\n")[1].split("The third line")[0]
    script = "set -e\n" + lines.replace("/tmp/", f"{tmp_path}/")
    ran = subprocess.run(["bash", "-c", script], cwd=root, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert hashlib.sha256((root / "manifest-sha256.txt").read_bytes()).hexdigest() in ran.stdout
    assert 'Good "evidence-bundle" signature' in ran.stdout
    assert "Signature Verified Successfully" in ran.stdout


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    with authority(tmp_path_factory.mktemp("tsa")) as made:
        yield made


def stamped(work: Path, tsa: Authority) -> Path:
    """A bundle whose head and manifest were both shown to the authority."""

    def stamp(digest: bytes) -> bytes:
        return tsa.token(request(digest, nonce()))

    source, tree = StorySource(token=stamp), Tree(work)
    writer = BundleWriter(source, tree, NOTHING)
    identity = writer.write()
    writer.seal(source.sign(writer.manifest(), identity), stamp(bytes.fromhex(identity)))
    tree.close()
    return tree.root


def test_the_lines_about_time_stamps_hold_in_openssl_under_the_authoritys_roots_and_no_others(
    tmp_path: Path, tsa: Authority
) -> None:
    root = stamped(tmp_path, tsa)
    told = (root / "README.txt").read_text().split("CHECK THE TIME STAMPS (RFC 3161)\n")[1].split("Each shows")[0]
    script = "set -e\n" + told.replace("/tmp/", f"{tmp_path}/")
    assert script.count("openssl ts -verify") == 2
    for roots, code in ((tsa.roots, 0), (tsa.strangers, 1)):
        shutil.copy(roots, tmp_path / "roots.pem")
        ran = subprocess.run(["bash", "-c", script], cwd=root, capture_output=True, text=True, check=False)
        assert ran.returncode == code, ran.stdout + ran.stderr
        assert ran.stdout.count("Verification: OK") == (2 if code == 0 else 0)


def test_the_verifier_says_that_a_time_stamp_is_there_over_which_digest_and_how_to_check_it(
    tmp_path: Path, tsa: Authority
) -> None:
    root = stamped(tmp_path, tsa)
    said = verify(root, REAL.verifier)
    assert (said.outcome, said.where) == (VERIFIED, "")
    head = hashlib.sha256((root / "data/ledger/checkpoint.end").read_bytes()).hexdigest()
    assert said.figures["time_stamps"] == {"data/ledger/checkpoint.end": head, "manifest-sha256.txt": said.identity}
    told = [one for one in said.remarks if "not verified here: openssl ts -verify" in one]
    assert [head in told[0], said.identity in told[1]] == [True, True]
    shutil.copy(root / "manifest-sha256.txt.tsr", root / "data/ledger/checkpoint.end.tsr")
    refused = verify(seal(root), REAL.verifier)
    assert (refused.outcome, refused.where) == (REFUSED, "data/ledger/checkpoint.end.tsr")


def test_a_bundle_without_time_stamps_speaks_of_none(tmp_path: Path) -> None:
    root = write(tmp_path)
    assert "openssl ts" not in (root / "README.txt").read_text()
    assert "time_stamps" not in verify(root, REAL.verifier).figures


class Links(HTMLParser):
    """What a page refers to, and what it would run."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]
        assert not any(name.startswith("on") for name, _ in attrs)


def test_every_link_of_every_page_leads_to_a_file_of_the_bundle_and_nothing_runs(tmp_path: Path) -> None:
    root = write(tmp_path, library=shipped())
    pages = sorted((root / "data").rglob("*.html"))
    assert len(pages) > 5
    for page in pages:
        read = Links()
        read.feed(page.read_text())
        assert not read.tags & {"script", "iframe", "object", "form", "img"}
        for link in read.links:
            path, _, _ = link.partition("#")
            assert not path or (page.parent / path).resolve().is_file(), f"{page.name} -> {link}"


def test_from_a_check_one_click_leads_to_the_evidence_that_a_span_rests_on(tmp_path: Path) -> None:
    root = write(tmp_path)
    page = (root / "data/pages/check-s3.bucket.closed.1.html").read_text()
    assert "../evidence/" in page
    assert "records is open to the public" in page


def test_what_was_taken_out_of_evidence_stands_in_its_index_by_place_and_kind_and_never_by_value(
    tmp_path: Path,
) -> None:
    told = story()
    mark = {"redacted": True, "len_bucket": 32, "fp": "0a1b2c3d4e5f6071"}
    earlier = {"patterns_version": 2, "hits": [{"place": "TOKEN", "pattern": "token"}]}
    hits = [{"place": "line 2", "pattern": "password", "value": mark}]
    marks = {"patterns_version": 3, "hits": hits, "values": [{"place": "whole", "value": {**mark, "fp": "ff"}}]}
    document = {"name": "scripted", "public": False, "user_data": marks, "earlier": earlier}
    told.judged("s3.bucket.closed", "arn:aws:s3:::scripted", document, ENDS - timedelta(minutes=30), state="pass")
    told.log.heads.pop()
    told.log.sign(ENDS)
    root = write(tmp_path, StorySource(told))
    assert verify(root, REAL.verifier).outcome == VERIFIED
    lines = [json.loads(line) for line in (root / "data/evidence/index.jsonl").read_bytes().splitlines()]
    names = ("path", "place", "kind", "patterns_version", "fingerprint")
    found = (
        ("answer.earlier", "TOKEN", "token", 2, None),  # as a release kept it that made no fingerprints
        ("answer.user_data", "line 2", "password", 3, "0a1b2c3d4e5f6071"),
        ("answer.user_data", "whole", "value", 3, "ff"),
    )
    (scripted,) = [one["redactions"] for one in lines if one["resource"].endswith(":scripted")]
    assert scripted == [dict(zip(names, one, strict=True)) for one in found]
    assert [one["redactions"] for one in lines if not one["resource"].endswith(":scripted")] == [[]] * (len(lines) - 1)


def test_text_from_the_cloud_is_shown_and_not_run(tmp_path: Path) -> None:
    told = story()
    hostile = "<script>alert(1)</script>"
    for finding in told.findings.values():
        finding["name"] = hostile
    root = write(tmp_path, StorySource(told))
    page = (root / "data/pages/check-s3.bucket.closed.1.html").read_text()
    assert hostile not in page
    assert "&lt;script&gt;" in page


def test_no_cell_of_a_table_is_a_formula(tmp_path: Path) -> None:
    root = write(tmp_path)
    for path in (root / "data/csv").glob("*.csv"):
        with path.open(newline="") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        assert cells
        assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)
    assert "'=cmd|'x'" in (root / "data/csv/changes.csv").read_text()


class KilledError(Exception):
    """Stands for the process being gone."""


@pytest.mark.parametrize("step", ["findings", "evidence", "ledger", "pages"])
def test_a_build_that_was_killed_goes_on_and_gives_the_same_bundle(tmp_path: Path, step: str) -> None:
    whole = write(tmp_path / "whole")
    source = StorySource()

    def dies(name: str, _percent: int) -> None:
        if name == step:
            raise KilledError

    killed = Tree(tmp_path / "killed")
    with pytest.raises(KilledError):
        BundleWriter(source, killed, NOTHING, tell=dies).write()
    killed.close()
    again = Tree(tmp_path / "killed")
    BundleWriter(source, again, NOTHING).write()
    again.close()
    assert (tmp_path / "killed/bundle/manifest-sha256.txt").read_bytes() == (whole / "manifest-sha256.txt").read_bytes()


def test_a_document_that_cannot_be_had_is_told_before_anything_is_signed(tmp_path: Path) -> None:
    told = story()
    for path in [one for one in told.objects if one.startswith("documents/")]:
        del told.objects[path]
    with pytest.raises(ExportError, match="documents that verdicts rest on cannot be had"):
        write(tmp_path, StorySource(told))
    shutil.rmtree(tmp_path / "bundle")
