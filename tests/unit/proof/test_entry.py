"""Ledger entries: one spelling, no names, a salted commitment."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta, timezone

import pytest

from auditor.proof.entry import Entry, EntryError, commitment, make, parse

AT = datetime(2026, 11, 1, 2, 3, 4, tzinfo=UTC)
ENTRY = Entry("finding.open", AT, "system", "5ce0e9a5-6015-5fec-aadf-a328ae398115", "ab" * 32)
STORED = (
    b'{"actor":"system","at":"2026-11-01T02:03:04Z","commit":"' + b"ab" * 32 + b'",'
    b'"subject":"5ce0e9a5-6015-5fec-aadf-a328ae398115","type":"finding.open","v":1}'
)


def test_an_entry_has_one_spelling_and_comes_back_from_it() -> None:
    assert make(ENTRY) == STORED
    assert parse(STORED) == ENTRY
    elsewhere = ENTRY._replace(at=AT.astimezone(timezone(timedelta(hours=9))))
    assert make(elsewhere) == STORED


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (b'"v":1', b'"v":2'),
        (b'"v":1', b'"v":true'),
        (b'"v":1', b'"v":1.0'),
        (b'"v":1', b'"v":1,"x":1'),
        (b',"v":1', b""),
        (b'"v":1', b'"v": 1'),
        (b'{"actor":"system"', b'{"actor":"other","actor":"system"'),
        (b'"system"', b"null"),
        (b'"system"', b'"\\u0073ystem"'),
        (b'"system"', b'"Ann Smith"'),
        (b"finding.open", b"finding.lost"),
        (b"04Z", b"04+00:00"),
        (b"04Z", b"04.000Z"),
        (b"04Z", b"64Z"),
        (b"ab" * 32, b"AB" * 32),
        (b"ab" * 32, b"ab" * 31),
    ],
)
def test_any_other_spelling_is_refused(was: bytes, becomes: bytes) -> None:
    assert was in STORED
    with pytest.raises(EntryError):
        parse(STORED.replace(was, becomes))


@pytest.mark.parametrize("stored", [b"", b"[]", b"nothing", b"\xff", b"[" * 60_000, STORED + b"\n", b" " * 65_536])
def test_what_is_no_entry_is_refused(stored: bytes) -> None:
    with pytest.raises(EntryError):
        parse(stored)


@pytest.mark.parametrize(
    "entry",
    [
        ENTRY._replace(type="finding.lost"),
        ENTRY._replace(at=AT.replace(tzinfo=None)),
        ENTRY._replace(subject="arn:aws:s3:::a bucket"),
        ENTRY._replace(subject=""),
        ENTRY._replace(actor="x" * 201),
        ENTRY._replace(commit="ab"),
    ],
)
def test_facts_that_no_entry_may_carry_are_refused_on_writing(entry: Entry) -> None:
    with pytest.raises(EntryError):
        make(entry)


def test_a_commitment_is_salted_so_that_a_guess_cannot_be_confirmed_without_the_salt() -> None:
    salt, digest = bytes(range(16)), "cd" * 32
    assert commitment(salt, digest) == hashlib.sha256(salt + bytes.fromhex(digest)).hexdigest()
    assert commitment(salt, digest) != commitment(bytes(16), digest)
    for bad in ((b"short", digest), (salt, "cd"), (salt, "CD" * 32)):
        with pytest.raises(EntryError):
            commitment(*bad)
