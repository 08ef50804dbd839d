"""Ledger entries: that something happened, when, by whom, and a commitment to what it was; never what it was.

Enters: the facts of an act, or the stored bytes of an entry. Leaves: the bytes, or the facts.
Guards two rules. An entry has one spelling, so it has one hash. And it carries no name and no content: the commitment is salted,
so that once object and salt are erased, nobody can confirm a guess at what it stood for.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from .canonical import instant, stamp
from .tiles import ENTRY_LIMIT

VERSION = 1
SALT_BYTES = 16

TYPES = frozenset((
    "evidence.put", "run.manifest", "finding.open", "finding.change", "finding.close", "control.version",
    "acceptance.grant", "acceptance.revoke", "occasion.file", "occasion.review", "bundle.export", "key.rotate",
    "config.change", "user.action", "erasure", "heartbeat",
))  # fmt: skip

_WORD = "[0-9A-Za-z][0-9A-Za-z:._@/-]{0,199}"
_DIGEST = re.compile("[0-9a-f]{64}", re.ASCII)
_SPELLING = re.compile(
    f'{{"actor":"({_WORD})","at":"([0-9T:.Z-]{{20,27}})","commit":"([0-9a-f]{{64}})","subject":"({_WORD})",'
    f'"type":"({"|".join(re.escape(one) for one in sorted(TYPES))})","v":{VERSION}}}'.encode(),
)
"""Canonical JSON of the six fields. None of the signs they may hold is ever escaped, so there is nothing else to parse."""


class EntryError(ValueError):
    """These bytes are no ledger entry, or these facts may not become one."""


class Entry(NamedTuple):
    """One line of the ledger. ``subject`` and ``actor`` are ids; ``commit`` is 64 hexadecimal digits."""

    type: str
    at: datetime
    actor: str
    subject: str
    commit: str


def commitment(salt: bytes, digest: str) -> str:
    """SHA-256 over the salt (16 bytes) and an object's digest, as 64 hexadecimal digits.

    Raises:
        EntryError: The salt or the digest is of another length.
    """
    if len(salt) != SALT_BYTES or not _DIGEST.fullmatch(digest):
        raise EntryError("a commitment takes a salt of 16 bytes and a SHA-256 digest in hexadecimal digits")
    return hashlib.sha256(salt + bytes.fromhex(digest)).hexdigest()


def make(entry: Entry) -> bytes:
    """The entry's bytes, as they are stored and hashed.

    Raises:
        EntryError: An unknown type, an id that is not one, a time without a zone, a commitment that is not a digest.
    """
    try:
        at = stamp(entry.at)
    except ValueError as error:
        raise EntryError(str(error)) from error
    stored = (
        f'{{"actor":"{entry.actor}","at":"{at}","commit":"{entry.commit}","subject":"{entry.subject}",'
        f'"type":"{entry.type}","v":{VERSION}}}'
    ).encode()
    parse(stored)
    return stored


def parse(stored: bytes) -> Entry:
    """The facts in an entry's stored bytes.

    Raises:
        EntryError: Any deviation from the one spelling: a field more or less, spaces, another order, an unknown type.
    """
    if len(stored) > ENTRY_LIMIT:
        raise EntryError(f"an entry has at most {ENTRY_LIMIT} bytes, this one {len(stored)}")
    found = _SPELLING.fullmatch(stored)
    if found is None:
        raise EntryError("not a ledger entry in its one spelling")
    actor, at, commit, subject, type_ = found.groups()
    return Entry(type_.decode(), _instant(at), actor.decode(), subject.decode(), commit.decode())


@lru_cache(maxsize=1024)
def _instant(spelled: bytes) -> datetime:
    text = spelled.decode()
    try:
        at = instant(text)
    except ValueError as error:
        raise EntryError(str(error)) from error
    if stamp(at) != text:
        raise EntryError(f"{text}: a time has one spelling, in UTC")
    return at
