"""A bundle as somebody brings it: what hands do to a ZIP is refused with a sentence before anything in it is read."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from auditor.cli import main
from auditor.domain.control import Library
from auditor.exports.archive import write_zip
from auditor.exports.bundle import BundleWriter
from auditor.exports.tree import Tree
from auditor.exports.unpacking import unpacked
from tests.fixtures.bundles import FOREIGN, REAL
from tests.fixtures.story_source import StorySource


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole bundle as the archive packs it."""
    work = tmp_path_factory.mktemp("work")
    source, tree = StorySource(), Tree(work)
    writer = BundleWriter(source, tree, Library((), ()))
    identity = writer.write()
    writer.seal(source.sign(writer.manifest(), identity))
    write_zip(tree.root, tree.paths(), work / "b.zip", folder="bundle")
    tree.close()
    return work / "b.zip"


def test_a_whole_zip_is_verified_and_nothing_of_it_is_left(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with unpacked(bundle) as root:
        folder = root.parent
    assert not folder.exists()
    assert main(["bundle", "verify", str(bundle), "--key", str(REAL.verifier)]) == 0
    assert "pinned: signed with the key you gave" in capsys.readouterr().out


def test_a_zip_of_another_key_is_refused_by_the_pinned_one(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bundle", "verify", str(bundle), "--key", str(FOREIGN.verifier)]) == 1
    assert "REFUSED  keys/log.vkey: another key" in capsys.readouterr().out


@pytest.mark.parametrize("cut", [0.02, 0.5, 0.999])
def test_a_truncated_zip_is_told_as_a_piece(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], cut: float
) -> None:
    stored = bundle.read_bytes()
    (tmp_path / "b.zip").write_bytes(stored[: int(len(stored) * cut)])
    refused(tmp_path / "b.zip", capsys, "no ZIP, or only a piece of one")


@pytest.mark.parametrize("at", [0.05, 0.3, 0.6])
def test_a_zip_with_a_byte_turned_is_never_verified(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], at: float
) -> None:
    stored = bytearray(bundle.read_bytes())
    with zipfile.ZipFile(
        bundle
    ) as packed:  # inside what a file was packed to: some bytes of a header say nothing to anybody
        entry = packed.infolist()[int(len(packed.infolist()) * at)]
    stored[entry.header_offset + 30 + len(entry.filename) + entry.compress_size // 2] ^= 0x55
    (tmp_path / "b.zip").write_bytes(bytes(stored))
    assert main(["bundle", "verify", str(tmp_path / "b.zip"), "--key", str(REAL.verifier)]) in {1, 2}
    assert "Traceback" not in capsys.readouterr().err


def a_link(packed: zipfile.ZipFile) -> None:
    entry = zipfile.ZipInfo("bundle/data/more.json")
    entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    packed.writestr(entry, "/etc/hostname")


def out_by_dots(packed: zipfile.ZipFile) -> None:
    packed.writestr("bundle/../../outside", "x")


def out_from_the_root(packed: zipfile.ZipFile) -> None:
    packed.writestr("/outside", "x")


def out_by_backslashes(packed: zipfile.ZipFile) -> None:
    packed.writestr("bundle\\..\\outside", "x")


def a_device(packed: zipfile.ZipFile) -> None:
    entry = zipfile.ZipInfo("bundle/data/zero")
    entry.create_system, entry.external_attr = 3, (stat.S_IFCHR | 0o666) << 16
    packed.writestr(entry, "")


@pytest.mark.parametrize("add", [a_link, out_by_dots, out_from_the_root, out_by_backslashes, a_device])
def test_links_and_ways_out_of_a_zip_are_refused_by_name(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], add: Callable[[zipfile.ZipFile], None]
) -> None:
    target = tmp_path / "in" / "b.zip"
    target.parent.mkdir()
    target.write_bytes(bundle.read_bytes())
    with zipfile.ZipFile(target, "a") as packed:
        add(packed)
    refused(target, capsys, "which is no plain file below it")
    assert [path.name for path in tmp_path.rglob("*")] == ["in", "b.zip"]


def test_a_file_told_twice_in_a_zip_is_refused(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "b.zip").write_bytes(bundle.read_bytes())
    with zipfile.ZipFile(tmp_path / "b.zip", "a") as packed:
        name = next(one for one in packed.namelist() if one.endswith("data/findings.jsonl"))
        with pytest.warns(UserWarning, match="Duplicate name"):
            packed.writestr(name, packed.read(name))
    refused(tmp_path / "b.zip", capsys, "twice")


@pytest.mark.parametrize(("name", "said"), [("none.zip", "there is no "), ("two.zip", "holds 2 bundles")])
def test_what_is_no_bundle_is_told_with_what_to_give(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, said: str
) -> None:
    if name == "two.zip":
        with zipfile.ZipFile(tmp_path / name, "w") as packed:
            for folder in ("a", "b"):
                packed.writestr(f"{folder}/manifest-sha256.txt", "")
    refused(tmp_path / name, capsys, said)


def refused(file: Path, capsys: pytest.CaptureFixture[str], said: str) -> None:
    """Unusable, in a sentence, with nothing of a traceback."""
    assert main(["bundle", "verify", str(file), "--key", str(REAL.verifier)]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("auditor: ")
    assert said in shown
    assert "Errno" not in shown
