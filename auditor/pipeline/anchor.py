"""Anchoring: a signed head goes where whoever holds the key cannot reach, or somebody outside says when they saw it.

Beside the two writes that append and sign, and never before them: a place that hangs holds no lock and no transaction, so the
worst it can do is to leave a head without an anchor for a while.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from auditor.domain.errors import AuditorError, DeliveryError, LedgerError
from auditor.domain.ledger import Anchor, Head, Ledger
from auditor.domain.ports import Clock


def anchor(ledger: Ledger, tenant: UUID, head: Head, place: Anchor, *, clock: Clock) -> bytes | None:
    """Keep a head outside, and remember that; gives what the place gave for it. Raises as the place does."""
    given = place.keep(tenant, head)
    # A crash before this line asks the place again: it keeps the same copy, or stamps a second time, and the first kept stays.
    with ledger.open(tenant) as book:
        book.mark_anchored(head.size, at=clock(), token=given)
    return given


def stamp_daily(
    ledger: Ledger, authority: Anchor, *, clock: Clock, failed: Callable[[UUID, AuditorError], None]
) -> int:
    """One time stamp for each tenant and day, over the head that was signed last; gives how many were kept.

    Args:
        ledger: The logs.
        authority: Who stamps.
        clock: The time; days are those of UTC.
        failed: Told what went wrong. Whoever refused one head is still asked for the next; whoever did not answer is not.
    """
    kept = 0
    for tenant in ledger.tenants():
        today = clock().replace(hour=0, minute=0, second=0, microsecond=0)
        with ledger.open(tenant) as book:
            head = book.unstamped(since=today)
        if head is None:
            continue
        try:
            anchor(ledger, tenant, head, authority, clock=clock)
        except DeliveryError as error:
            failed(tenant, error)
            break
        except LedgerError as error:
            failed(tenant, error)
        else:
            kept += 1
    return kept
