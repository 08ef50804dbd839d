"""Where copies of signed heads lie outside of the database: a file, or a bucket that lets nothing be written over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from auditor.domain.errors import LedgerError
from auditor.domain.ledger import Head
from auditor.store.objects.blobs import Blobs


@dataclass(frozen=True, slots=True)
class FileAnchor:
    """``domain.ledger.Anchor`` over one file, which always holds the latest head."""

    path: Path

    def keep(self, tenant: UUID, head: Head) -> None:
        """Write the head there."""
        del tenant
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(head.note, encoding="utf-8")


@dataclass(frozen=True, slots=True)
class BucketAnchor:
    """``domain.ledger.Anchor`` over a bucket: one object a head, put once and locked until ``until`` if that is given."""

    bucket: Blobs
    until: datetime | None

    def keep(self, tenant: UUID, head: Head) -> None:
        """Put the head. Raises ``LedgerError`` if another one of this size lies there."""
        name, note = f"{tenant}/{head.size:020d}.checkpoint", head.note.encode()
        if not self.bucket.put_once(name, note, self.until) and self.bucket.get(name) != note:
            raise LedgerError(
                f"another head lies at {name}",
                advice="Two heads of one size: compare them, and run auditor ledger verify",
            )
