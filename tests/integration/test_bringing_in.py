"""A bundle of the story, brought into blank books: what differs from this release is told, and what contradicts itself is refused."""

from __future__ import annotations

import json
import os
import shutil
import signal
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from auditor.bootstrap.opened import OpenedBooks, bring_in
from auditor.cli import main
from auditor.domain.control import Library
from auditor.domain.errors import ExportError
from auditor.exports.opening import BundleFolder
from auditor.proof.bundle import verify
from auditor.proof.canonical import canonical
from auditor.proof.judge import compile_check, published_digest
from auditor.store.database import Database
from dashboard.opened import application
from tests.fixtures.bundles import CHECKS, REAL, build, edit_lines, seal
from tests.fixtures.database import passable_folder
from tests.fixtures.library import check, control, small_library
from tests.fixtures.processes import Commands, Running, commands, eventually, processes_over

OURS = "s3.bucket.closed"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """The story, told of a tenant of its own: a database takes each tenant in once."""
    folder = build(tmp_path / "bundle")
    retold(folder, tenant=str(uuid4()))
    return folder


def retold(folder: Path, **otherwise: Any) -> None:
    """What the bundle says it is about, said otherwise and signed again by who may."""
    said = json.loads((folder / "data/audit.json").read_bytes())
    (folder / "data/audit.json").write_bytes(canonical({**said, **otherwise}) + b"\n")
    seal(folder)


@pytest.fixture
def blank(app_database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.setattr("auditor.bootstrap.opened.SLUG", f"t{uuid4().hex}")
    return app_database


def brought(blank: Database, bundle: Path, library: Library | None = None) -> OpenedBooks:
    return bring_in(blank, BundleFolder(bundle), verify(bundle, REAL.verifier), library or knowing())


def knowing(**otherwise: Any) -> Library:
    """A library with the story's check as the story judged by it, but for what is said otherwise."""
    definition = CHECKS[OURS]
    known = check(OURS, "a-control", ("soc2", "CC6.1", "primary"), resource=definition["resource"], title="Closed")
    known = replace(
        known,
        compiled=compile_check(definition),
        definition=definition,
        published_digest=published_digest(definition),
    )
    whole = small_library()
    return Library(whole.frameworks, (*whole.controls, control("a-control", replace(known, **otherwise))))


def entered(books: OpenedBooks) -> FlaskClient:
    app, link = application(books, base_url="http://127.0.0.1:1")
    client = app.test_client()
    assert client.get(urlsplit(link).path).status_code == 303
    return client


def finding_of(books: OpenedBooks, name: str) -> Any:
    with books.app.reading(books.tenant.id) as conn:
        sql = "SELECT f.* FROM finding f JOIN resource r USING (tenant_id, resource_id) WHERE r.native_id LIKE :name"
        return conn.execute(text(sql), {"name": f"%{name}"}).one()


def test_the_current_row_is_the_last_span_with_what_was_judged_last(blank: Database, bundle: Path) -> None:
    books = brought(blank, bundle)
    gone, open_, out = (finding_of(books, name) for name in (":old", ":logs", ":private"))
    assert (gone.state, gone.span_seq, gone.open) == ("absent", 2, False)
    assert len(gone.document_digest) == 64
    assert (open_.state, open_.span_seq, open_.open) == ("fail", 1, True)
    assert (out.state, out.reason) == ("excluded", "excluded by id: *private")
    assert (open_.control_id, open_.tier) == ("a-control", "core")


def test_checks_that_this_release_does_not_have_are_shown_and_said_to_be_missing(blank: Database, bundle: Path) -> None:
    books = brought(blank, bundle)
    assert books.bundle.differences == {"cloudtrail.recent": "gone", "sqs.queue.encrypted": "gone"}
    client = entered(books)
    assert "2 definitions are not this release's" in client.get("/").text
    told = client.get("/bundle").text
    assert "This release has no such check" in told
    assert "cloudtrail.recent" in told


def test_a_finding_judged_by_another_condition_says_so_and_shows_the_one_that_judged(
    blank: Database, bundle: Path
) -> None:
    ours = {**CHECKS[OURS], "pass_when": "not public or name == 'logs'"}
    books = brought(blank, bundle, knowing(compiled=compile_check(ours), definition=ours))
    assert books.bundle.differences[OURS] == "condition"
    client = entered(books)
    page = client.get(f"/findings/{finding_of(books, ':logs').finding_id}").text
    assert "Judged by another condition than this release&#39;s" in page
    assert "&#34;pass_when&#34;: &#34;not public&#34;" in page
    assert "or name ==" not in page
    assert "Judged by another condition than this release&#39;s" in client.get("/controls/a-control").text


def test_a_part_shows_what_it_tells_and_says_that_it_is_one(blank: Database, bundle: Path) -> None:
    retold(bundle, partial={"controls": ["a-control"]})
    books = brought(blank, bundle)
    assert [one.id for one in books.library.checks] == [OURS]
    client = entered(books)
    page = client.get("/").text
    assert "A part" in page
    assert "does not show that nothing was left out" in page
    assert "does not tell which accounts and clusters are missing" in page
    assert "a-control" in client.get("/bundle").text
    assert client.get("/controls/second-factor").status_code == 404


def test_hostile_words_are_shown_as_words(blank: Database, bundle: Path) -> None:
    hostile = "<script>alert(1)</script>"
    edit_lines(bundle / "data/scope_changes.jsonl", lambda lines: lines[0].update(reason=hostile, changed_by=hostile))
    retold(bundle, name=hostile)
    books = brought(blank, bundle)
    client = entered(books)
    for path in ("/", "/bundle", "/sources", f"/sources/{finding_of(books, ':logs').source_id}"):
        page = client.get(path).text
        assert "&lt;script&gt;" in page, path
        assert "<script" not in page, path


def doubled(lines: list[dict[str, Any]]) -> None:
    lines.append(lines[0])


def nothing(lines: list[dict[str, Any]]) -> None:
    lines[0]["detail"] = "a\x00b"


def of_nobody(lines: list[dict[str, Any]]) -> None:
    lines[0]["source"] = "00000000-0000-0000-0000-000000000001"


@pytest.mark.parametrize(
    ("path", "change"),
    [("findings.jsonl", doubled), ("coverage.jsonl", nothing), ("coverage.jsonl", of_nobody), ("runs.jsonl", doubled)],
)
def test_files_that_contradict_each_other_are_refused_in_a_sentence(
    blank: Database, bundle: Path, path: str, change: Callable[[list[dict[str, Any]]], None]
) -> None:
    edit_lines(bundle / "data" / path, change)
    with pytest.raises(ExportError, match="do not fit together"):
        bring_in(blank, BundleFolder(seal(bundle)), verify(bundle), knowing())


@pytest.fixture
def typed(tmp_path: Path) -> Iterator[tuple[Commands, Path]]:
    """The command line with a folder for what is temporary, which shows what it leaves."""
    folder = passable_folder()
    with commands(tmp_path, TMPDIR=str(folder), BROWSER="true", PYTHONUNBUFFERED="1") as auditor:
        yield auditor, folder
    shutil.rmtree(folder)


def packed(bundle: Path, folder: Path) -> Path:
    with zipfile.ZipFile(folder / "bundle.zip", "w") as file:
        for path in sorted(bundle.rglob("*")):
            if path.is_file():
                file.write(path, f"bundle/{path.relative_to(bundle)}")
    return folder / "bundle.zip"


def link_in(running: Running) -> str:
    eventually(lambda: "/open/" in running.said() or not running.alive(), told=running.said)
    return next(word for word in running.said().split() if "/open/" in word)


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_command_shows_a_bundle_until_it_is_asked_to_end_and_leaves_nothing_behind(
    typed: tuple[Commands, Path], bundle: Path, tmp_path: Path, asked: signal.Signals
) -> None:
    auditor, folder = typed
    key = str(REAL.verifier)
    running = auditor.start("bundle", "open", str(packed(bundle, tmp_path)), "--key", key, "--no-browser")
    link = link_in(running)
    with httpx.Client(follow_redirects=True, timeout=30) as client:
        page = client.get(link).text
    assert BundleFolder(bundle).identity[:16] in page
    assert "verified; read-only" in page
    assert urlsplit(link).hostname == "127.0.0.1"
    assert list(folder.glob("auditor-bundle-*"))
    os.kill(running.process.pid, asked)
    assert running.process.wait(30) == 0, running.said()
    assert "Traceback" not in running.said()
    assert list(folder.iterdir()) == []
    assert processes_over(folder) == []


def test_a_command_that_is_ended_while_it_begins_leaves_nothing_behind(
    typed: tuple[Commands, Path], bundle: Path
) -> None:
    auditor, folder = typed
    running = auditor.start("bundle", "open", str(bundle), "--no-browser")
    eventually(lambda: bool(list(folder.glob("*/postgres/PG_VERSION"))), told=running.said)
    os.kill(running.process.pid, signal.SIGINT)
    assert running.process.wait(60) == 0, running.said()
    assert list(folder.iterdir()) == []
    assert processes_over(folder) == []


def test_of_a_bundle_that_is_refused_nothing_is_shown(
    typed: tuple[Commands, Path], bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    auditor, folder = typed
    edit_lines(bundle / "data/findings.jsonl", lambda lines: lines[0]["spans"][0].update(reason="all is well"))
    done = auditor.run("bundle", "open", str(seal(bundle)), "--no-browser")
    assert done.code == 1
    assert "REFUSED" in done.out
    assert "http://" not in done.out
    assert list(folder.iterdir()) == []
    assert main(["bundle", "open", str(bundle), "--pages", "--no-browser"]) == 1
    assert "http://" not in capsys.readouterr().out


def test_a_port_that_is_taken_is_a_sentence_before_anything_is_started(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code = main(["bundle", "open", str(bundle), "--port", str(taken.getsockname()[1]), "--no-browser"])
    said = capsys.readouterr()
    assert code == 2
    assert "cannot be bound" in said.err
