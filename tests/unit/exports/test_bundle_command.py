"""``auditor bundle`` before it reads or asks for anything: what is wrong is said with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.cli import main

PERIOD = ("bundle", "create", "--from", "2026-10-01", "--to", "2026-11-01", "--out")


@pytest.mark.parametrize(("out", "said"), [("", "is a folder"), ("none/b.zip", "lies in a folder that is not there")])
def test_a_place_that_cannot_be_written_to_is_refused_before_a_bundle_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, out: str, said: str
) -> None:
    monkeypatch.setenv("AUDITOR_HOME", str(tmp_path / "home"))
    assert main([*PERIOD, str(tmp_path / out)]) == 2
    shown = capsys.readouterr().err
    assert said in shown
    assert "nothing was asked for yet" in shown
    assert not (tmp_path / "home").exists()


def test_bad_lines_of_a_sample_are_named_before_a_bundle_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUDITOR_HOME", str(tmp_path / "home"))
    sample = tmp_path / "sample.csv"
    sample.write_text("finding,resource\n1,arn:aws:s3:::a\n2,\n")
    assert main([*PERIOD, str(tmp_path / "b.zip"), "--sample", str(sample)]) == 2
    shown = capsys.readouterr().err
    assert f"--sample {sample}: line 3: no resource in it" in shown
    assert not (tmp_path / "home").exists()


def test_a_sample_that_is_not_there_is_named_with_what_it_holds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["observe", str(tmp_path), "--sample", str(tmp_path / "none.txt")]) == 2
    shown = capsys.readouterr().err
    assert "--sample" in shown
    assert "one native id a line" in shown
