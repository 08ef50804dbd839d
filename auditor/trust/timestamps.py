"""Time stamps after RFC 3161: somebody with a clock and a key of their own says that they saw a digest.

The only door to ``rfc3161_client``. A request carries a digest and a nonce, nothing else: the authority learns neither who asks nor
what for. What comes back is read by the library and held against the request before it counts; under roots that the operator
named it is verified too. The whole answer is kept, since that is what ``openssl ts -verify -in`` reads.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol
from uuid import UUID

from cryptography.x509 import Certificate, load_pem_x509_certificates
from rfc3161_client import TimeStampResponse, VerificationError, VerifierBuilder, decode_timestamp_response

from auditor.domain.delivery import Reply
from auditor.domain.errors import ConfigurationError, DeliveryError, LedgerError
from auditor.domain.ledger import Head

LONGEST = 64 * 1024
"""No answer is longer: a signature and a few certificates are some thousand bytes."""
_GRANTED = 0
_SHA256 = "2.16.840.1.101.3.4.2.1"
_HEADERS = {"content-type": "application/timestamp-query", "accept": "application/timestamp-reply"}
# DER of a request: version 1, SHA-256 without parameters. With a digest of 32 and a nonce of 8 bytes all lengths are known.
_BEFORE_DIGEST = bytes.fromhex("3043020101303130" + "0d06096086480165030402010500" + "0420")
_BEFORE_NONCE, _WITH_CERTIFICATE = bytes.fromhex("0208"), bytes.fromhex("0101ff")


class Post(Protocol):
    """The outbound door; see ``trust.egress.Egress.post``."""

    def __call__(self, url: str, headers: Mapping[str, str], body: bytes, /, *, keep: int) -> Reply:
        """Send once and give at most ``keep`` bytes of the answer. Raises ``DeliveryError``."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a token says: when, under which number of the authority's, and whether roots of ours vouch for it."""

    at: datetime
    serial: int
    verified: bool


def nonce() -> int:
    """A number that nobody can guess, always eight bytes long in a request."""
    return secrets.randbits(62) | 1 << 62


class Authority:
    """A timestamp authority; satisfies ``domain.ledger.Anchor``.

    Args:
        url: Where it answers.
        post: The outbound door.
        roots: Whom a token must lead to; without any it is kept unverified.
        nonce: Where numbers come from that were never used before.
    """

    def __init__(
        self, url: str, post: Post, roots: Sequence[Certificate] = (), *, nonce: Callable[[], int] = nonce
    ) -> None:
        self._url = url
        self._post = post
        self._roots = tuple(roots)
        self._nonce = nonce

    def keep(self, tenant: UUID, head: Head) -> bytes:
        """A token over a head, as it is kept and handed over. Raises as ``stamp`` does."""
        del tenant
        return self.stamp(hashlib.sha256(head.note.encode()).digest())

    def stamp(self, digest: bytes) -> bytes:
        """A token over a SHA-256 digest, held against what was asked.

        Raises:
            DeliveryError: Nothing usable answered: later it may.
            LedgerError: What answered is no token over this digest and nonce, or none that the roots vouch for.
        """
        number = self._nonce()
        reply = self._post(self._url, _HEADERS, request(digest, number), keep=LONGEST + 1)
        if reply.status != 200:
            raise DeliveryError(
                f"the timestamp authority answered {reply.status}", advice="Check AUDITOR_TIMESTAMP_URL"
            )
        if len(reply.head) > LONGEST:
            raise DeliveryError(f"the timestamp authority answered more than {LONGEST} bytes")
        read(reply.head, digest, nonce=number, roots=self._roots)
        return reply.head


def request(digest: bytes, number: int) -> bytes:
    """A TimeStampReq that asks for the certificate too, in DER."""
    return _BEFORE_DIGEST + digest + _BEFORE_NONCE + number.to_bytes(8, "big") + _WITH_CERTIFICATE


def read(token: bytes, digest: bytes, *, nonce: int | None = None, roots: Sequence[Certificate] = ()) -> Stamp:
    """What a token says, if it is over this digest (and answers this nonce), verified if there are roots.

    Raises:
        LedgerError: It is none, it is over something else, or no root vouches for it.
    """
    try:
        answer = decode_timestamp_response(token)
        if answer.status != _GRANTED:
            raise LedgerError(f"the timestamp authority refused the request: status {answer.status}")
        _hold(answer, digest, nonce)
        if roots:
            VerifierBuilder(roots=list(roots), nonce=nonce).build().verify(answer, digest)
        return Stamp(answer.tst_info.gen_time, answer.tst_info.serial_number, bool(roots))
    except VerificationError as error:
        raise LedgerError(
            "a time stamp is not vouched for by the roots we were given",
            advice="Compare AUDITOR_TIMESTAMP_ROOTS with the certificates that the authority publishes",
        ) from error
    except ValueError as error:
        raise LedgerError("what came as a time stamp cannot be read as one") from error


def roots_in(path: Path) -> list[Certificate]:
    """The certificates of a PEM file. Raises ``ConfigurationError`` if there are none."""
    try:
        return load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"AUDITOR_TIMESTAMP_ROOTS: {path} holds no certificates",
            advice="Give a PEM file of the authority's root certificates",
        ) from error


def _hold(answer: TimeStampResponse, digest: bytes, nonce: int | None) -> None:
    imprint = answer.tst_info.message_imprint
    if (imprint.hash_algorithm.dotted_string, imprint.message) != (_SHA256, digest):
        raise LedgerError("a time stamp came over another digest than the one that was sent")
    if nonce is not None and answer.tst_info.nonce != nonce:
        raise LedgerError("a time stamp came with another nonce than the one that was sent: it was made before")
