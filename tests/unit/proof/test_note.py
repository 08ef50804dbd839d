"""Signatures, notes, heads and proofs as text: against published vectors, and against the tools an auditor has."""

from __future__ import annotations

import base64
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from auditor.proof import ed25519, sshsig
from auditor.proof.note import (
    Checkpoint,
    InclusionProof,
    NoteError,
    Signature,
    VerifierKey,
    format_note,
    open_note,
    parse_note,
)
from tests.fixtures.bundles import FOREIGN, ORIGIN, REAL

RFC_8032 = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = """If you think cryptography is the answer to your problem,
then you don't know what your problem is.

\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
"""
HEAD = Checkpoint(ORIGIN, 7, bytes(range(32)), datetime(2026, 11, 1, tzinfo=UTC))


def needs(tool: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(tool) is None, reason=f"{tool} is not on this machine")


@pytest.mark.parametrize(("key", "message", "signature"), RFC_8032)
def test_the_vectors_of_rfc_8032_hold_and_their_neighbours_do_not(key: str, message: str, signature: str) -> None:
    public, said, made = bytes.fromhex(key), bytes.fromhex(message), bytes.fromhex(signature)
    assert ed25519.verify(public, said, made)
    assert not ed25519.verify(public, said + b"!", made)
    for at in (0, 31, 32, 63):
        bent = made[:at] + bytes([made[at] ^ 1]) + made[at + 1 :]
        assert not ed25519.verify(public, said, bent)


def test_a_signature_bent_by_the_order_of_the_group_is_refused() -> None:
    key, _, signature = (bytes.fromhex(one) for one in RFC_8032[0])
    scalar = int.from_bytes(signature[32:], "little") + ed25519.L
    assert not ed25519.verify(key, b"", signature[:32] + scalar.to_bytes(32, "little"))


@pytest.mark.parametrize("y", [ed25519.P, ed25519.P + 1, 1 | 1 << 255, 2])
def test_a_point_not_written_in_its_one_way_is_no_key(y: int) -> None:
    _, message, signature = (bytes.fromhex(one) for one in RFC_8032[0])
    assert not ed25519.verify(y.to_bytes(32, "little"), message, signature)


def test_keys_and_signatures_of_another_length_are_refused() -> None:
    key, message, signature = (bytes.fromhex(one) for one in RFC_8032[0])
    assert not ed25519.verify(key[:-1], message, signature)
    assert not ed25519.verify(key, message, signature + b"\0")


def test_the_note_of_the_go_documentation_opens() -> None:
    key = VerifierKey.parse(GO_KEY)
    assert str(key) == GO_KEY
    assert open_note(GO_NOTE, key).endswith("what your problem is.\n")
    assert str(parse_note(GO_NOTE)) == GO_NOTE


def test_a_note_says_nothing_until_our_key_signed_it() -> None:
    note = REAL.note("a fact\n")
    assert open_note(note, REAL.verifier) == "a fact\n"
    with pytest.raises(NoteError, match="no signature"):
        open_note(note, FOREIGN.verifier)
    with pytest.raises(NoteError, match="does not belong"):
        open_note(note.replace("a fact", "no fact"), REAL.verifier)


def test_lines_of_unknown_keys_are_ignored_and_a_bad_one_of_ours_is_not() -> None:
    text = "a fact\n"
    ours = parse_note(REAL.note(text)).signatures[0]
    witness = Signature("witness.example", b"\x01\x02\x03\x04", b"whatever it is")
    assert open_note(format_note(text, [witness, ours]), REAL.verifier) == text
    with pytest.raises(NoteError, match="does not belong"):
        open_note(format_note(text, [ours, ours._replace(signature=bytes(64))]), REAL.verifier)


@pytest.mark.parametrize(
    "text",
    ["", "x\n", "x\n\n", "x\n\n\u2014 a", "x\n\n\u2014 a !!!!\n", "x\n\n- a AAAAAAAA\n", "x\ty\n\n\u2014 a AAAAAAAA\n"],
)
def test_what_is_no_note_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        parse_note(text)


@pytest.mark.parametrize("text", ["no newline", "tab\there\n", ""])
def test_a_text_that_cannot_be_a_note_is_not_signed(text: str) -> None:
    with pytest.raises(NoteError):
        format_note(text, parse_note(REAL.note("x\n")).signatures)


def test_a_text_that_looks_like_a_note_is_signed_as_text() -> None:
    inner = REAL.note("a fact\n")
    assert open_note(FOREIGN.note(inner), FOREIGN.verifier) == inner
    with pytest.raises(NoteError, match="no signature"):
        open_note(FOREIGN.note(inner), REAL.verifier)


@pytest.mark.parametrize(
    "text", ["", "a", "a+b+c", GO_KEY.replace("c74f", "c74e"), GO_KEY.replace("Peter", "Petra"), "a+00000000+AgAA"]
)
def test_what_is_no_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        VerifierKey.parse(text)


def test_a_head_is_written_as_c2sp_says_with_its_time_as_an_extension() -> None:
    assert str(HEAD) == f"{ORIGIN}\n7\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\nat 2026-11-01T00:00:00Z\n"
    assert Checkpoint.parse(str(HEAD)) == HEAD
    foreign = str(HEAD._replace(at=None)) + "their own line\n"
    assert Checkpoint.parse(foreign) == HEAD._replace(at=None, extensions=("their own line",))


@pytest.mark.parametrize(
    "body",
    ["", "a\n1\n", "a\n01\nAAAA\n", "a\n1\nAAAA\n", str(HEAD).rstrip("\n"), str(HEAD) + "\n", str(HEAD).replace("T00", "x00"), str(HEAD).replace("\n7\n", "\n-7\n")],
)  # fmt: skip
def test_what_is_no_head_is_refused(body: str) -> None:
    with pytest.raises(NoteError):
        Checkpoint.parse(body)


def test_an_inclusion_proof_travels_as_text_with_its_entry() -> None:
    proof = InclusionProof(5, (bytes(32), b"\1" * 32), REAL.note(str(HEAD)), b'{"v":1}')
    assert str(proof).startswith("c2sp.org/tlog-proof@v1\nextra eyJ2IjoxfQ==\nindex 5\nAAAA")
    assert InclusionProof.parse(str(proof)) == proof
    alone = proof._replace(hashes=(), extra=b"")
    assert InclusionProof.parse(str(alone)) == alone


@pytest.mark.parametrize(
    "text",
    [
        "",
        "c2sp.org/tlog-proof@v1\n\nx\n",
        "c2sp.org/tlog-proof@v1\nindex 05\n\nx\n",
        "c2sp.org/tlog-proof@v1\nindex 5\nAAAA\n\nx\n",
        "c2sp.org/tlog-proof@v2\nindex 5\n\nx\n",
    ],
)
def test_what_is_no_inclusion_proof_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        InclusionProof.parse(text)


def test_an_ssh_signature_holds_for_its_key_message_and_purpose_alone() -> None:
    armoured = REAL.sshsig(b"manifest")
    key = REAL.verifier.key
    assert sshsig.verify(armoured, key, b"manifest")
    assert not sshsig.verify(armoured, key, b"another")
    assert not sshsig.verify(armoured, FOREIGN.verifier.key, b"manifest")
    assert not sshsig.verify(armoured, key, b"manifest", "git")
    assert not sshsig.verify(armoured.replace("BEGIN", "BEGUN"), key, b"manifest")
    assert not sshsig.verify("-----BEGIN SSH SIGNATURE-----\n\u00e9\n-----END SSH SIGNATURE-----", key, b"manifest")


@needs("ssh-keygen")
def test_ssh_keygen_accepts_our_signature_and_refuses_an_altered_manifest(tmp_path: Path) -> None:
    (tmp_path / "m.sshsig").write_text(REAL.sshsig(b"manifest\n"))
    (tmp_path / "allowed").write_text(sshsig.allowed_signer("auditor", REAL.verifier.key))
    call = [
        "ssh-keygen",
        "-Y",
        "verify",
        "-f",
        str(tmp_path / "allowed"),
        "-I",
        "auditor",
        "-n",
        "evidence-bundle",
        "-s",
        str(tmp_path / "m.sshsig"),
    ]
    for message, good in ((b"manifest\n", True), (b"manifesto\n", False)):
        done = subprocess.run(call, input=message, capture_output=True, check=False, timeout=30)
        assert (done.returncode == 0) == good, done.stderr


@needs("openssl")
def test_openssl_verifies_a_head_with_the_last_64_bytes_of_its_signature_line(tmp_path: Path) -> None:
    note = REAL.note(str(HEAD))
    (tmp_path / "signature").write_bytes(base64.b64decode(note.split(" ")[-1])[-64:])
    (tmp_path / "key.pem").write_bytes(
        REAL.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    for body, good in ((str(HEAD), True), (str(HEAD).replace("7", "8", 1), False)):
        (tmp_path / "body").write_text(body)
        call = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(tmp_path / "key.pem"), "-rawin"]
        call += ["-in", str(tmp_path / "body"), "-sigfile", str(tmp_path / "signature")]
        done = subprocess.run(call, capture_output=True, check=False, timeout=30)
        assert (done.returncode == 0) == good, done.stderr
