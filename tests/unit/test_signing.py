"""The key that signs heads: made once, followed by another with notice, never readable by everybody."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from auditor.domain.errors import ConfigurationError
from auditor.domain.ledger import rotation_event
from auditor.proof import sshsig
from auditor.proof.note import Checkpoint, NoteError, open_note, parse_note
from auditor.trust.signing import LogKeys, ensure, open_head, read, retire, rotate

TENANT = uuid4()
ORIGIN = f"auditor.example/{TENANT}"
HEAD = Checkpoint(ORIGIN, 7, b"r" * 32, datetime(2026, 11, 22, 10, 30, tzinfo=UTC))


def nothing(_: UUID) -> bool:
    return False


@pytest.fixture
def path(tmp_path: Path) -> Path:
    ensure(tmp_path / "keys" / "ledger.key")
    return tmp_path / "keys" / "ledger.key"


def test_a_key_is_made_once_and_for_us_alone(path: Path) -> None:
    made = path.read_bytes()
    ensure(path)
    assert path.read_bytes() == made
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["ledger.key"]


def test_what_the_library_signs_the_kernel_opens(path: Path) -> None:
    keys = LogKeys(path)
    note = keys.sign(HEAD, covers=nothing)
    (key,) = keys.known(ORIGIN)
    assert Checkpoint.parse(open_note(note, key)) == HEAD == open_head(note, [key])
    assert keys.signed(ORIGIN, note)


def test_the_same_key_signs_in_the_form_of_ssh(path: Path) -> None:
    (key,) = LogKeys(path).keys()
    assert sshsig.verify(key.sshsig(b"a manifest"), key.public, b"a manifest")
    assert not sshsig.verify(key.sshsig(b"a manifest"), key.public, b"another")


def test_a_new_key_signs_only_heads_that_cover_its_announcement(path: Path) -> None:
    rotate(path)
    keys = LogKeys(path)
    old, new = keys.known(ORIGIN)
    ((subject, _),) = keys.announcements(TENANT)
    assert subject == f"ed25519:{new.key.hex()}"
    before = parse_note(keys.sign(HEAD, covers=nothing))
    after = parse_note(keys.sign(HEAD, covers=lambda event: event == rotation_event(TENANT, subject)))
    assert [before.signed_by(one) for one in (old, new)] == [True, False]
    assert [after.signed_by(one) for one in (old, new)] == [True, True]


def test_of_a_retired_key_the_public_part_stays(path: Path) -> None:
    (secret,), _ = read(path)
    rotate(path)
    before = LogKeys(path).known(ORIGIN)
    retire(path)
    assert LogKeys(path).known(ORIGIN) == before
    assert len(LogKeys(path).keys()) == 1
    assert secret not in read(path)[0]
    assert path.stat().st_mode & 0o777 == 0o600


def test_rotations_follow_each_other_one_at_a_time(path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nothing to retire"):
        retire(path)
    rotate(path)
    with pytest.raises(ConfigurationError, match="under way"):
        rotate(path)


def test_a_head_that_none_of_our_keys_signed_is_refused(path: Path, tmp_path: Path) -> None:
    ensure(tmp_path / "other.key")
    other = LogKeys(tmp_path / "other.key").known(ORIGIN)
    note = LogKeys(path).sign(HEAD, covers=nothing)
    with pytest.raises(NoteError, match="no key"):
        open_head(note, other)
    assert not LogKeys(tmp_path / "other.key").signed(ORIGIN, note)


def test_a_head_whose_text_was_changed_is_refused(path: Path) -> None:
    keys = LogKeys(path)
    note = keys.sign(HEAD, covers=nothing)
    with pytest.raises(NoteError, match="does not belong"):
        open_head(note.replace("\n7\n", "\n8\n"), keys.known(ORIGIN))


@pytest.mark.parametrize("text", ["", "c2hvcnQ=\n", "ed25519:00\n", "no base64 at all!\n"])
def test_a_file_that_holds_no_key_is_refused_by_its_path(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=r"ledger\.key does not hold"):
        LogKeys(path).keys()


def test_a_file_that_everybody_may_read_is_refused(path: Path) -> None:
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="everybody"):
        LogKeys(path).keys()


def test_without_a_file_the_setting_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="AUDITOR_LEDGER_KEY_FILE"):
        LogKeys(tmp_path / "none").keys()
