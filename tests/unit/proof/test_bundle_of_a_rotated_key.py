"""A bundle whose key followed another one: who holds the old key can check it, and nobody can make up a chain of keys."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from auditor.domain.control import Library
from auditor.exports.bundle import BundleWriter
from auditor.exports.tree import Tree
from auditor.proof.bundle import verify
from auditor.proof.canonical import digest
from auditor.proof.entry import Entry, commitment, make
from auditor.proof.merkle import inclusion_proof
from auditor.proof.note import InclusionProof, format_note, parse_note
from auditor.proof.report import REFUSED, VERIFIED
from auditor.proof.rotation import RETIRED, proof_path, subject_of
from tests.fixtures.bundles import ENDS, FOREIGN, REAL, LogKey, build, salt_of, seal, story
from tests.fixtures.story_source import StorySource

NEW = LogKey.of("the key that followed")


def signed_by(text: str, *keys: LogKey) -> str:
    return format_note(text, [parse_note(key.note(text)).signatures[0] for key in keys])


def rotated(folder: Path) -> Path:
    """The story, with a rotation on its last day: begun under the old key, sealed by the new one."""
    told = story()
    told.log.heads.pop()
    subject, salt = subject_of(NEW.verifier.key), salt_of("rotation")
    told.log.add("key.rotate", ENDS - timedelta(seconds=30), subject, salt, digest({"key": subject}))
    told.log.sign(ENDS)
    build(folder, told=told)
    ledger, first, last = folder / "data/ledger", told.log.heads[0], told.log.heads[-1]
    (ledger / "checkpoint.start").write_text(REAL.note(str(first)))
    head = signed_by(str(last), REAL, NEW)
    (ledger / "checkpoint.end").write_text(head)
    leaf = last.size - 1
    proof = InclusionProof(leaf, tuple(inclusion_proof(leaf, last.size, told.log.node)), head, told.log.entries[leaf])
    (folder / "keys/rotations").mkdir(parents=True)
    (folder / proof_path(NEW.verifier)).write_text(str(proof))
    (folder / RETIRED).write_text(f"{REAL.verifier}\n")
    return seal(folder, NEW)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rotated(tmp_path_factory.mktemp("rotated") / "bundle")


@pytest.fixture
def bundle(pristine: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / "bundle"))


@pytest.mark.parametrize("pinned", [REAL, NEW])
def test_the_old_key_and_the_new_one_both_verify_it(pristine: Path, pinned: LogKey) -> None:
    said = verify(pristine, pinned.verifier)
    assert (said.outcome, said.trust, said.where, said.what) == (VERIFIED, "pinned", "", "")
    assert f"which followed {REAL.verifier.hash.hex()} on the log" in said.as_text()


def test_without_the_chain_it_is_refused_with_either_key(bundle: Path) -> None:
    (bundle / RETIRED).unlink()
    (bundle / proof_path(NEW.verifier)).unlink()
    seal(bundle, NEW)
    assert "another key" in verify(bundle, REAL.verifier).what
    assert verify(bundle, NEW.verifier).where == "data/ledger/checkpoint.start"


def proof_of(bundle: Path, key: LogKey = NEW) -> InclusionProof:
    return InclusionProof.parse((bundle / proof_path(key.verifier)).read_text())


def put(bundle: Path, proof: InclusionProof, key: LogKey = NEW) -> None:
    (bundle / proof_path(key.verifier)).write_text(str(proof))


def unproved(bundle: Path) -> None:
    (bundle / proof_path(NEW.verifier)).unlink()


def signed_by_the_new_key_alone(bundle: Path) -> None:
    proof = proof_of(bundle)
    put(bundle, proof._replace(checkpoint=signed_by(parse_note(proof.checkpoint).text, NEW)))


def signed_by_the_old_key_alone(bundle: Path) -> None:
    proof = proof_of(bundle)
    put(bundle, proof._replace(checkpoint=signed_by(parse_note(proof.checkpoint).text, REAL)))


def an_entry_that_is_not_there(bundle: Path) -> None:
    proof = proof_of(bundle)
    put(bundle, proof._replace(extra=proof.extra.replace(b'"actor":"system"', b'"actor":"another"')))


def another_entry_of_the_log(bundle: Path) -> None:
    proof = proof_of(bundle)
    entry = (bundle / "data/ledger/entries.jsonl").read_bytes().splitlines()[-2]
    put(bundle, proof._replace(extra=entry))


@pytest.mark.parametrize("pinned", [REAL, NEW])
@pytest.mark.parametrize(
    ("tampering", "what"),
    [
        (unproved, "missing"),
        (signed_by_the_new_key_alone, "no signature of"),
        (signed_by_the_old_key_alone, "no signature of"),
        (an_entry_that_is_not_there, "does not lie under the head"),
        (another_entry_of_the_log, "not the entry that names"),
    ],
)
def test_a_step_of_the_chain_that_is_not_shown_is_refused(
    bundle: Path, pinned: LogKey, tampering: Callable[[Path], None], what: str
) -> None:
    tampering(bundle)
    said = verify(seal(bundle, NEW), pinned.verifier)
    assert said.outcome == REFUSED
    assert said.where == proof_path(NEW.verifier)
    assert what in said.what


def test_a_stranger_cannot_name_themselves_the_next_key(bundle: Path) -> None:
    """With a log of their own, on which the old key's name stands and its signature does not."""
    head = parse_note(proof_of(bundle).checkpoint)
    entry = make(Entry("key.rotate", ENDS, "system", subject_of(FOREIGN.verifier.key), commitment(b"0" * 16, "0" * 64)))
    forged = proof_of(bundle)._replace(checkpoint=signed_by(head.text, FOREIGN), extra=entry)
    put(bundle, forged, FOREIGN)
    said = verify(seal(bundle, FOREIGN), REAL.verifier)
    assert (said.outcome, said.where) == (REFUSED, proof_path(FOREIGN.verifier))


def test_a_stranger_cannot_put_themselves_before_the_key_that_is_pinned(bundle: Path) -> None:
    """Anybody can write a line of their own under a head that others signed; that makes no predecessor who may seal."""
    proof = proof_of(bundle)
    put(bundle, proof._replace(checkpoint=signed_by(parse_note(proof.checkpoint).text, FOREIGN, NEW)))
    (bundle / RETIRED).write_text(f"{NEW.verifier}\n")
    said = verify(seal(bundle, FOREIGN), NEW.verifier)
    assert (said.outcome, said.where) == (REFUSED, proof_path(FOREIGN.verifier))


def test_a_chain_in_no_form_is_refused_by_its_file(bundle: Path) -> None:
    (bundle / RETIRED).write_text("no key\n")
    assert verify(seal(bundle, NEW), NEW.verifier).where == RETIRED


def test_a_head_after_the_rotation_may_be_signed_by_the_new_key_alone(bundle: Path) -> None:
    end = bundle / "data/ledger/checkpoint.end"
    end.write_text(NEW.note(parse_note(end.read_text()).text))
    assert verify(seal(bundle, NEW), REAL.verifier).outcome == VERIFIED
    end.write_text(FOREIGN.note(parse_note(end.read_text()).text))
    assert verify(seal(bundle, NEW), NEW.verifier).where == "data/ledger/checkpoint.end"


def test_of_keys_that_this_log_never_knew_none_is_told(tmp_path: Path) -> None:
    source, tree = StorySource(), Tree(tmp_path)
    writer = BundleWriter(source, tree, Library((), ()))
    identity = writer.write()
    writer.seal(replace(source.sign(writer.manifest(), identity), retired=(str(FOREIGN.verifier),)))
    tree.close()
    assert not (tree.root / RETIRED).exists()
    assert verify(tree.root, REAL.verifier).outcome == VERIFIED


def test_an_entry_of_rotation_names_its_key_openly(pristine: Path) -> None:
    last = (pristine / "data/ledger/entries.jsonl").read_bytes().splitlines()[-1]
    assert json.loads(last)["subject"] == f"ed25519:{NEW.verifier.key.hex()}"
