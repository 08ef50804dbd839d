"""Definitions as they are kept between processes: the same library, judged by the same conditions."""

from __future__ import annotations

import json
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import controls
from auditor.collectors.declared import resource_types
from auditor.domain.control import Library
from auditor.proof.canonical import instant
from auditor.proof.judge import judge
from controls.kept import from_plain, plain


@pytest.fixture(scope="module")
def loaded() -> Library:
    return controls.load(resource_types())


@pytest.fixture(scope="module")
def returned(loaded: Library) -> Library:
    return from_plain(json.loads(json.dumps(plain(loaded))))


def told(value: Any) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in fields(value) if field.name != "compiled"}


def test_what_is_kept_is_what_was_loaded(loaded: Library, returned: Library) -> None:
    assert returned.frameworks == loaded.frameworks
    for before, after in zip(loaded.controls, returned.controls, strict=True):
        assert told(after) | {"checks": ()} == told(before) | {"checks": ()}
    for one, other in zip(loaded.checks, returned.checks, strict=True):
        assert told(other) == told(one)
        for name in ("id", "resource_type", "document_version", "fail", "params", "judged_digest"):
            assert getattr(other.compiled, name) == getattr(one.compiled, name)


def test_what_is_kept_judges_every_example_as_it_must(returned: Library) -> None:
    for check in returned.checks:
        for example in check.examples:
            said = judge(check.compiled, example.given, as_of=instant(example.as_of or ""), params=example.params)
            assert said.verdict == example.expect, (check.id, example)


def test_shipped_definitions_are_read_once_and_anew_when_any_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loaded: Library
) -> None:
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    source = tmp_path / "definitions.yaml"
    source.write_text("one")
    monkeypatch.setattr(controls, "_sources", lambda: iter([source]))
    reads = []

    def load(_types: Any) -> Library:
        reads.append(1)
        return loaded

    monkeypatch.setattr(controls, "load", load)
    again = controls.shipped.__wrapped__
    assert again() is loaded
    assert set(again().check) == set(loaded.check)
    assert len(reads) == 1
    source.write_text("two")
    again()
    assert len(reads) == 2
