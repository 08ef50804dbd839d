"""Level 2 and the commands that need no installation: verify, reperform, open; over a bundle of the story."""

from __future__ import annotations

import http.client
import json
import threading
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from auditor.cli import main
from auditor.cli.showing import server
from auditor.domain.control import Library
from auditor.domain.document import as_json
from auditor.domain.errors import ExportError
from auditor.domain.reading import Readings
from auditor.domain.resource_type import Listing, ResourceType
from auditor.exports.archive import write_zip
from auditor.exports.bundle import BundleWriter
from auditor.exports.tree import Tree
from auditor.exports.unpacking import unpacked
from auditor.pipeline.reperform import reperform
from auditor.proof.canonical import digest
from tests.fixtures.bundles import BUCKET, REAL, Story, story
from tests.fixtures.story_source import StorySource


@dataclass(frozen=True)
class Answered:
    """What the story's buckets answered."""

    told: Any


def bucket(version: int = 1, *, honest: bool = True) -> ResourceType:
    """The story's bucket as a declared type: its document is the answer itself."""
    listing = Listing("s3:list_buckets", items="Buckets", id="Name", keep=("answer",))
    kind = ResourceType(BUCKET, version, "Buckets", listing=listing)

    @kind.document
    def describe(seen: Readings) -> dict[str, Any]:
        answer = as_json(seen["answer"])
        return dict(answer) if honest else {**answer, "more": 1}

    return kind


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return write(tmp_path, story())


def write(folder: Path, told: Story) -> Path:
    source, tree = StorySource(told), Tree(folder)
    writer = BundleWriter(source, tree, Library((), ()))
    identity = writer.write()
    writer.seal(source.sign(writer.manifest(), identity))
    write_zip(tree.root, tree.paths(), folder / "b.zip", folder="bundle")
    tree.close()
    return tree.root


def test_documents_are_derived_again_and_what_cannot_be_is_named(written: Path) -> None:
    told = reperform(written, [bucket()])
    assert told.differences == []
    assert told.done == 6
    assert dict(told.not_done) == {"needs auditor 0.1.0: aws.cloudtrail.coverage version 1": 1}
    assert told.exit_code == 4


def test_a_record_of_another_version_is_never_a_mismatch(written: Path) -> None:
    told = reperform(written, [bucket(2, honest=False)])
    assert (told.done, told.differences) == (0, [])
    assert told.not_done["needs auditor 0.1.0: aws.s3.bucket version 1"] == 6


def test_a_document_that_comes_out_otherwise_is_a_difference(written: Path) -> None:
    told = reperform(written, [bucket(honest=False)])
    assert len(told.differences) == 6
    assert told.exit_code == 1
    first = told.differences[0]
    assert first.judged != first.derived
    assert len(first.judged) == len(digest({}))


def test_the_command_verifies_a_zip_as_its_own_verifier_does(
    written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bundle", "verify", str(tmp_path / "b.zip"), "--key", str(REAL.verifier), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["outcome"], said["trust"]) == ("verified", "pinned")
    (written / "data/audit.json").write_text("{}")
    assert main(["bundle", "verify", str(written)]) == 1
    assert main(["reperform", str(written)]) == 1
    assert main(["bundle", "verify", str(tmp_path)]) == 2


def test_an_answer_that_this_release_cannot_read_is_told_as_a_difference(
    written: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reperform", str(written), "--key", str(REAL.verifier)]) == 1
    said = capsys.readouterr().out
    assert "DIFFERENT  aws.s3.bucket arn:aws:s3:::records" in said
    assert "not re-performed: 1, needs auditor 0.1.0: aws.cloudtrail.coverage version 1" in said


def test_a_zip_that_would_write_elsewhere_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as packed:
        packed.writestr("../outside.txt", "x")
    with pytest.raises(ExportError, match="no plain file below it"), unpacked(tmp_path / "bad.zip"):
        pass
    assert not (tmp_path.parent / "outside.txt").exists()


def test_an_opened_bundle_serves_its_files_and_nothing_else(written: Path) -> None:
    with server(written, 0) as shown:
        threading.Thread(target=shown.serve_forever, daemon=True).start()
        host, port = shown.server_address[0], shown.server_address[1]
        assert host == "127.0.0.1"
        client = http.client.HTTPConnection("127.0.0.1", int(port), timeout=5)
        try:
            for path, status in (
                ("/data/index.html", 200),
                ("/data/ledger/", 404),
                ("/../b.zip", 404),
                ("/data/audit.json", 200),
            ):
                client.request("GET", path)
                answer = client.getresponse()
                answer.read()
                assert answer.status == status, path
                assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            client.request("POST", "/data/index.html", body=b"x")
            assert client.getresponse().status == 501
        finally:
            client.close()
            shown.shutdown()
