"""Keep as long as it must be, and not longer: locks pushed out, holds laid on, what nobody needs any more erased.

Erasing destroys the key in the transaction that records it, and removes the bytes afterwards. A crash between leaves bytes
that nobody can read; the next purge removes them.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from auditor import __version__
from auditor.domain.errors import EvidenceError, LockedError
from auditor.domain.ports import Objects
from auditor.domain.retention import Act, Ground, Hold, Kept, Ruling, pushed_out, rule
from auditor.proof.canonical import canonical, stamp

PURGE, SHRED, SHRED_TENANT = "evidence.purge", "evidence.shred", "evidence.shred_tenant"
PURGE_ACTS = "evidence.purge_acts"
_AT_ONCE = 500
HOW = (
    "The key of each object listed was destroyed, so nobody can read it, we included. "
    "Its bytes are removed at once, or when the lock on them ends. Copies of the database made before still hold the keys."
)
HOW_ACTS = (
    "The rows listed were removed from the record of what people did, with the salts that their entries in the ledger rest on. "
    "Those entries stay, and say when something was done, under a pseudonym. Copies of the database made before still hold the rows."
)


class Books(Protocol):
    """A tenant's rows, as far as retention asks for them."""

    def settle_retention(self) -> None:
        """One at a time from here to the end of the transaction."""

    def kept(self, *, digest: str | None = None) -> tuple[Kept, ...]:
        """Every object that can be read."""

    def remains(self, *, now: datetime) -> tuple[str, ...]:
        """Erased objects whose bytes are still there."""

    def unsealed(self) -> tuple[tuple[str, str, bool], ...]:
        """Contents that were put before there were keys."""

    def destroy(self, addresses: Collection[str], *, now: datetime) -> tuple[str, ...]:
        """Destroy keys."""

    def destroy_tenant(self, *, now: datetime) -> tuple[str, ...]:
        """Destroy all keys."""

    def mark_deleted(self, addresses: Collection[str], *, now: datetime) -> None:
        """Bytes are gone."""

    def mark_held(self, addresses: Collection[str], *, held: bool) -> None:
        """Holds were laid on objects or taken off."""

    def mark_locked(self, until: Mapping[str, datetime]) -> None:
        """Objects are locked for longer."""

    def acts_before(self, before: datetime) -> tuple[Act, ...]:
        """What people did before then."""

    def forget_acts(self, ids: Collection[UUID]) -> None:
        """Remove acts; refused to whoever is not the owner."""

    def holds(self, *, all: bool = False) -> tuple[Hold, ...]:  # noqa: A002  (as people say it)
        """The legal holds that stand."""

    def record_action(
        self, actor: str, action: str, subject: str, data: Mapping[str, Any] | None = None, *, now: datetime
    ) -> None:
        """Write down what somebody did."""


class Store(Protocol):
    """Where a tenant's books are opened, one transaction at a time."""

    def open(self, tenant: UUID) -> AbstractContextManager[Books]:
        """One transaction under one tenant."""


class Shelf(Protocol):
    """Where the bytes lie."""

    locks: bool

    def extend(self, address: str, until: datetime) -> datetime | None:
        """Lock for longer."""

    def hold(self, address: str, held: bool) -> None:  # noqa: FBT001  (as in store.objects.blobs)
        """Hold, or hold no longer."""

    def delete(self, address: str, now: datetime) -> None:
        """Remove the bytes. Raises ``LockedError`` if a lock binds them."""


@dataclass(frozen=True, slots=True)
class Upheld:
    """What was done so that places and rows say the same: locks pushed out, holds laid on, holds taken off."""

    extended: int
    held: int
    released: int


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was erased, or would be: its certificate, why the rest stays, and whose bytes a lock still keeps."""

    certificate: Mapping[str, Any]
    digest: str
    grounds: Mapping[Ground, int]
    locked: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many objects the certificate lists."""
        return len(self.certificate["objects"])


def uphold(store: Store, shelf: Shelf, tenant: UUID, *, period: timedelta, now: datetime) -> Upheld:
    """Tell the place where objects lie what the rows say: locks that end too early, holds that are new or over.

    Run it daily: a new object under a hold is held from here on. Rows alone bind the purge before that.
    """
    with store.open(tenant) as books:
        kept = books.kept()
    if not shelf.locks:
        return Upheld(0, 0, 0)
    # Written down batch by batch: one that is cut short goes on where it ended.
    batches = [kept[first : first + _AT_ONCE] for first in range(0, len(kept), _AT_ONCE)]
    done = [_upheld(store, shelf, tenant, batch, period=period, now=now) for batch in batches]
    return Upheld(sum(one.extended for one in done), sum(one.held for one in done), sum(one.released for one in done))


def _upheld(
    store: Store, shelf: Shelf, tenant: UUID, kept: Sequence[Kept], *, period: timedelta, now: datetime
) -> Upheld:
    hold = [one.address for one in kept if one.holds and not one.held]
    free = [one.address for one in kept if one.held and not one.holds]
    longer: dict[str, datetime] = {}
    for one in kept:
        until = pushed_out(
            one.locked_until, max(one.retain_until(period), now + period if one.in_effect else now), period
        )
        at = None if until is None or until <= now else shelf.extend(one.address, until)
        if at is not None:
            longer[one.address] = at
    for address in hold:
        shelf.hold(address, True)  # noqa: FBT003  (as the port says it)
    for address in free:
        shelf.hold(address, False)  # noqa: FBT003  (likewise)
    if longer or hold or free:
        with store.open(tenant) as books:
            books.mark_locked(longer)
            books.mark_held(hold, held=True)
            books.mark_held(free, held=False)
    return Upheld(len(longer), len(hold), len(free))


def seal(store: Store, objects: Objects, shelf: Shelf, tenant: UUID, *, now: datetime) -> int:
    """Put what the first release kept unsealed under keys, and remove the unsealed bytes; gives how many were sealed.

    A crash between leaves both; the next call removes the unsealed one.
    """
    with store.open(tenant) as books:
        found = books.unsealed()
    plain = [digest for digest, _, keyed in found if not keyed]
    for first in range(0, len(plain), _AT_ONCE):
        objects.put_many(tenant, objects.get_many(tenant, plain[first : first + _AT_ONCE]))
    for _, address, _ in found:
        shelf.delete(address, now)
    return len(plain)


def purge(
    store: Store, shelf: Shelf, tenant: UUID, *, period: timedelta, now: datetime, by: str, dry_run: bool = False
) -> Erasure:
    """Erase what its period is over for, what nothing rests on and no hold covers; with ``dry_run`` only say what would be.

    Bytes that an earlier erasure had to leave are removed too, once their lock has ended.
    """
    with store.open(tenant) as books:
        books.settle_retention()
        rulings = [rule(one, period, now) for one in books.kept()]
        due = [ruling for ruling in rulings if ruling.due]
        why = f"nothing rests on it, and {period.days} days have gone by"
        erasure = _erasure(tenant, PURGE, due, by=by, now=now, why=why, dry_run=dry_run, rulings=rulings)
        if dry_run:
            return erasure
        gone = books.destroy([ruling.kept.address for ruling in due], now=now)
        if gone:
            books.record_action(by, PURGE, f"{len(gone)} objects", {"certificate": erasure.digest}, now=now)
        left = books.remains(now=now)
    return _removed(store, shelf, tenant, erasure, left, now)


def purge_acts(
    owned: Store, tenant: UUID, *, period: timedelta, now: datetime, by: str, dry_run: bool = False
) -> Erasure:
    """Remove what people did longer ago than its period; with ``dry_run`` only say what would be. Any legal hold keeps all of it.

    Args:
        owned: The books through the owner of the tables: the application can neither change nor remove what people did.
        tenant: Whose.
        period: How long the record is kept.
        now: The time.
        by: Who removes it, which is written down in turn.
        dry_run: Remove nothing.
    """
    with owned.open(tenant) as books:
        books.settle_retention()
        old = books.acts_before(now - period)
        acts = () if books.holds() else old
        told = _certificate(
            tenant,
            PURGE_ACTS,
            [{"act": str(one.id), "action": one.action, "at": stamp(one.at)} for one in acts],
            by=by,
            now=now,
            why=f"{period.days} days have gone by",
            how=HOW_ACTS,
            dry_run=dry_run,
        )
        erasure = Erasure(told, _digest(told), {"due": len(acts)} if acts else {"on hold": len(old)} if old else {})
        if acts and not dry_run:
            books.forget_acts([one.id for one in acts])
            books.record_action(by, PURGE_ACTS, f"{len(acts)} acts", {"certificate": erasure.digest}, now=now)
    return erasure


def shred(
    store: Store, shelf: Shelf, tenant: UUID, digest: str, *, period: timedelta, now: datetime, by: str, why: str
) -> Erasure:
    """Erase one object before its time.

    Raises:
        EvidenceError: No such object can be read here.
        LockedError: A legal hold covers it.
    """
    with store.open(tenant) as books:
        books.settle_retention()
        found = books.kept(digest=digest)
        if not found:
            raise EvidenceError(
                f"no object {digest} can be read here",
                advice="What the first release kept has a key only after: auditor evidence uphold",
            )
        if found[0].holds or found[0].held:
            raise LockedError(f"object {digest} is under legal hold", advice="Release the hold first, if you may")
        rulings = [rule(one, period, now) for one in found]
        erasure = _erasure(tenant, SHRED, rulings, by=by, now=now, why=why)
        gone = books.destroy([found[0].address], now=now)
        books.record_action(by, SHRED, digest, {"why": why, "certificate": erasure.digest}, now=now)
    return _removed(store, shelf, tenant, erasure, gone, now)


def shred_tenant(
    store: Store, shelf: Shelf, tenant: UUID, *, period: timedelta, now: datetime, by: str, why: str
) -> Erasure:
    """Erase everything that is kept for a tenant, by its one key.

    Raises:
        LockedError: A legal hold stands.
    """
    with store.open(tenant) as books:
        books.settle_retention()
        if books.holds():
            raise LockedError("a legal hold stands over this tenant", advice="Release it first, if you may")
        rulings = [rule(one, period, now) for one in books.kept()]
        erasure = _erasure(tenant, SHRED_TENANT, rulings, by=by, now=now, why=why)
        gone = books.destroy_tenant(now=now)
        books.record_action(by, SHRED_TENANT, str(tenant), {"why": why, "certificate": erasure.digest}, now=now)
    return _removed(store, shelf, tenant, erasure, gone, now)


def _erasure(
    tenant: UUID,
    kind: str,
    erased: Sequence[Ruling],
    *,
    by: str,
    now: datetime,
    why: str,
    dry_run: bool = False,
    rulings: Iterable[Ruling] = (),
) -> Erasure:
    objects = [
        {
            "digest": ruling.kept.digest,
            "address": ruling.kept.address,
            "created_at": stamp(ruling.kept.created_at),
            "last_in_effect": stamp(ruling.kept.last_in_effect or ruling.kept.created_at),
            "to_be_kept_until": stamp(ruling.until),
            **({"bundles": [str(one) for one in ruling.kept.bundles]} if ruling.kept.bundles else {}),
        }
        for ruling in erased
    ]
    told = _certificate(tenant, kind, objects, by=by, now=now, why=why, how=HOW, dry_run=dry_run)
    return Erasure(told, _digest(told), dict(Counter(ruling.ground for ruling in rulings)))


def _certificate(
    tenant: UUID,
    kind: str,
    objects: Sequence[Mapping[str, Any]],
    *,
    by: str,
    now: datetime,
    why: str,
    how: str,
    dry_run: bool,
) -> dict[str, Any]:
    return {
        "v": 1,
        "type": kind,
        "tenant": str(tenant),
        "at": stamp(now),
        "by": by,
        "why": why,
        "how": how,
        "dry_run": dry_run,
        "made_with": f"auditor {__version__}",
        "objects": list(objects),
    }


def _digest(certificate: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical(certificate)).hexdigest()


def _removed(
    store: Store, shelf: Shelf, tenant: UUID, erasure: Erasure, addresses: Iterable[str], now: datetime
) -> Erasure:
    """The bytes of erased objects, gone where no lock keeps them."""
    gone, locked = [], []
    for address in addresses:
        try:
            shelf.delete(address, now)
        except EvidenceError:  # locked, or not reached: the next purge tries again, and the certificate is handed over
            locked.append(address)
        else:
            gone.append(address)
    with store.open(tenant) as books:
        books.mark_deleted(gone, now=now)
    return Erasure(erasure.certificate, erasure.digest, erasure.grounds, tuple(locked))
