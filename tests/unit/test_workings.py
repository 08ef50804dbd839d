"""What is kept beside the bytecode: believed under its own digest only, and only if nobody else can have written it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from auditor.workings import digest_of, recall, remember

VALUE = {"a": [1, None, "ü"]}


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(sys, "pycache_prefix", None)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    path = tmp_path / "worker_out.py"
    path.write_text("")
    return str(path)


def kept(module: str) -> Path:
    return Path(module).parent / "__pycache__" / "things.json"


def test_what_was_kept_comes_back_under_its_digest_and_under_no_other(module: str) -> None:
    remember(module, "things", "one", VALUE)
    assert recall(module, "things", "one") == VALUE
    assert recall(module, "things", "two") is None
    assert recall(module, "others", "one") is None


def test_keeping_again_replaces_and_leaves_one_file(module: str) -> None:
    remember(module, "things", "one", VALUE)
    remember(module, "things", "two", [])
    assert recall(module, "things", "one") is None
    assert [path.name for path in kept(module).parent.iterdir()] == ["things.json"]


def test_a_damaged_file_is_not_believed(module: str) -> None:
    remember(module, "things", "one", VALUE)
    kept(module).write_bytes(kept(module).read_bytes().replace(b"null", b"true"))
    assert recall(module, "things", "one") is None


def test_a_file_that_others_may_write_is_not_believed(module: str) -> None:
    remember(module, "things", "one", VALUE)
    kept(module).chmod(0o666)
    assert recall(module, "things", "one") is None


def test_a_link_is_not_followed(module: str, tmp_path: Path) -> None:
    remember(module, "things", "one", VALUE)
    kept(module).rename(tmp_path / "elsewhere")
    kept(module).symlink_to(tmp_path / "elsewhere")
    assert recall(module, "things", "one") is None


def test_where_no_bytecode_may_be_written_nothing_is_kept(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    remember(module, "things", "one", VALUE)
    assert not kept(module).parent.exists()


def test_where_nothing_can_be_written_nothing_is_lost(module: str) -> None:
    (Path(module).parent / "__pycache__").write_text("a file where the folder should be")
    remember(module, "things", "one", VALUE)
    assert recall(module, "things", "one") is None


def test_a_digest_changes_with_each_file_its_name_and_whatever_else_is_said(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("a")
    two.write_text("b")
    seen = {digest_of([one, two]), digest_of([one]), digest_of([one, two], "more"), digest_of([])}
    assert digest_of([two, one]) in seen
    two.write_text("c")
    seen.add(digest_of([one, two]))
    two.rename(tmp_path / "three")
    seen.add(digest_of([one, tmp_path / "three"]))
    assert len(seen) == 6
