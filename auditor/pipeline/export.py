"""Export: what was asked for becomes a bundle that anybody can check; the seal comes from whoever holds the key.

A worker writes the tree under a claim, asks for signatures as a row, and gives the lease back until they are there. A crash
anywhere leaves what was written: the next lease goes on from there and gives the same bundle.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from auditor.domain.bundle import Bundle, Issued, SealRequest, Signed, Written
from auditor.domain.errors import EvidenceError, ExportError
from auditor.domain.ports import Claim, Clock
from auditor.proof.bundle import seal_text

ASK_AGAIN = timedelta(seconds=2)
Tell = Callable[[str, int], None]


class Issuer(Protocol):
    """Who writes bundles. Both steps may run again, and then do what is left."""

    def write(self, tenant: UUID, bundle: Bundle, tell: Tell) -> Written:
        """The tree up to its manifest. Raises ``ExportError`` if what it rests on cannot be had."""

    def issue(self, tenant: UUID, bundle: Bundle, written: Written, signed: Signed) -> Issued:
        """The rest of it, and the ZIP, kept."""

    def forget(self, bundle: Bundle) -> None:
        """Remove what was only needed to write it."""


class Books(Protocol):
    """What the step reads and writes of a tenant's books."""

    def claimed_bundle(self, claim: Claim) -> Bundle:
        """The bundle of a claim. Raises ``StaleFenceError`` if it is not ours."""

    def note_step(self, id: UUID, state: str, step: str, progress: int, *, head_size: int | None = None) -> None:  # noqa: A002
        """Say how far it is."""

    def ask_seal(self, request: SealRequest, *, now: datetime) -> None:
        """Ask for a signature, once."""

    def seal(self, id: UUID, sha256: str) -> Signed | None:  # noqa: A002
        """The signature, once it was given. Raises ``ExportError`` if it was refused."""

    def export_later(self, claim: Claim, *, at: datetime) -> None:
        """Give the lease back until then."""

    def finish_bundle(self, claim: Claim, *, identity: str, size: int, parts: Sequence[str], now: datetime) -> None:
        """It is there. Raises ``ExportError`` if a part was purged meanwhile."""

    def fail_bundle(self, claim: Claim, error: str, *, now: datetime) -> None:
        """There will be none, and why."""


OpenBooks = Callable[[UUID], AbstractContextManager[Books]]


def export(claim: Claim, *, books: OpenBooks, issuer: Issuer, clock: Clock) -> bool:
    """Go on with a bundle as far as it goes now; true once it is done or failed.

    Raises:
        StaleFenceError: Somebody else has it.
    """
    with books(claim.tenant) as opened:
        bundle = opened.claimed_bundle(claim)
    try:
        written = issuer.write(claim.tenant, bundle, _teller(claim, books))
        signed = _signed(claim, bundle, written, books, clock)
        if signed is None:
            return False
        issued = issuer.issue(claim.tenant, bundle, written, signed)
    except (ExportError, EvidenceError) as error:
        with books(claim.tenant) as opened:
            opened.fail_bundle(claim, f"{error}. {error.advice()}".strip(), now=clock())
        issuer.forget(bundle)
        return True
    # A crash before this line leaves parts that no bundle names: the next lease puts the same, or retention takes them.
    with books(claim.tenant) as opened:
        opened.finish_bundle(claim, identity=written.sha256, size=issued.size, parts=issued.parts, now=clock())
    issuer.forget(bundle)
    return True


def _signed(claim: Claim, bundle: Bundle, written: Written, books: OpenBooks, clock: Clock) -> Signed | None:
    """The seal, or none yet: then it was asked for, and the lease is given back."""
    request = SealRequest(claim.tenant, bundle.id, written.sha256, written.sha512, written.head_size, written.period)
    with books(claim.tenant) as opened:
        signed = opened.seal(bundle.id, written.sha256)
        if signed is None:
            opened.ask_seal(request, now=clock())
            opened.note_step(bundle.id, "signing", "signature", 95, head_size=written.head_size)
            opened.export_later(claim, at=clock() + ASK_AGAIN)
    return signed


def _teller(claim: Claim, books: OpenBooks) -> Tell:
    def tell(step: str, percent: int) -> None:
        with books(claim.tenant) as opened:
            opened.claimed_bundle(claim)
            opened.note_step(claim.id, "building", step, percent)

    return tell


class Seals(Protocol):
    """What waits to be signed, of every tenant."""

    def waiting(self) -> tuple[SealRequest, ...]:
        """What was not answered yet."""

    def origin(self, request: SealRequest) -> str | None:
        """The name of the log, if a head of that size was signed."""

    def answer(self, request: SealRequest, signed: Signed | None, *, refused: str | None, now: datetime) -> None:
        """Keep the signature, or why there is none."""


class SealSigner(Protocol):
    """Who holds the key."""

    def sign_seal(self, origin: str, text: str, sha512: bytes) -> Signed:
        """The note over a seal, the ssh form over the manifest of that SHA-512, and the key that signed both."""


def answer_signatures(seals: Seals, signer: SealSigner, *, clock: Clock) -> int:
    """Sign what bundles wait for; gives how many were answered.

    The text is made here from digests and a head that was signed before: nobody can have another text signed.
    """
    answered = 0
    for request in seals.waiting():
        origin = seals.origin(request)
        if origin is None:
            refused = f"no head of {request.head_size} entries was signed"
            seals.answer(request, None, refused=refused, now=clock())
        else:
            text = seal_text(request.sha256, origin, request.head_size, *request.period)
            signed = signer.sign_seal(origin, text, bytes.fromhex(request.sha512))
            seals.answer(request, signed, refused=None, now=clock())
        answered += 1
    return answered
