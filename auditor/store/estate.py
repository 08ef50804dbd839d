"""Which sources there are, decided by people: one that is let go, and what stays unconnected on purpose."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from auditor.domain.errors import TenancyError
from auditor.domain.events import Event
from auditor.domain.source import SourceKind, public_id
from auditor.store.runs import RunRows
from auditor.store.scopes import ScopeRows, want
from auditor.store.watches import WatchRows

_LEAVE_OUT = """
INSERT INTO left_out (tenant_id, kind, native_id, reason, decided_by, valid_from)
VALUES (:tenant, :kind, :native_id, :reason, :by, :now)
"""
_TAKE_BACK = """
UPDATE left_out SET valid_to = greatest(:now, valid_from + interval '1 microsecond')
WHERE kind = :kind AND native_id = :native_id AND valid_to = :forever RETURNING reason
"""
_DISCONNECT = """
UPDATE source SET disconnected_at = :now, disconnected_by = :by, disconnect_reason = :reason
WHERE source_id = :id AND disconnected_at IS NULL RETURNING source_id
"""


class EstateRows(RunRows, ScopeRows, WatchRows):
    """What is looked at at all."""

    def disconnect(self, source: UUID, *, by: str, reason: str, now: datetime) -> None:
        """Look at a source no more: its schedule ends and what is under way, what was found stays, and pages show it so.

        Raises:
            TenancyError: There is no such source here, or it is disconnected already.
            ConfigurationError: No reason.
        """
        want(reason, "Disconnecting a source")
        gone = self.source(source)
        if self._one(_DISCONNECT, id=source, by=by, reason=reason, now=now) is None:
            raise TenancyError(f"{gone.name} is disconnected already")
        self._run("DELETE FROM schedule WHERE source_id = :id", id=source)
        self.watch_no_more(source)
        for run in (
            self._run("SELECT run_id FROM run WHERE source_id = :id AND state = 'running'", id=source).scalars().all()
        ):
            self.cancel(run, by=by, reason=f"source disconnected: {reason}", now=now)
        told = {"source": str(source), "name": gone.name, "account": gone.account, "by": by, "reason": reason}
        event = Event(
            public_id(self._tenant, "disconnect", str(source), now.isoformat()), "source.disconnected", now, told
        )
        self.announce([event], now=now)
        self.act(by, "source.disconnect", str(source), told, now=now)

    def leave_out(self, kind: SourceKind, native_id: str, *, by: str, reason: str, now: datetime) -> None:
        """Decide that an account or cluster is not connected on purpose: it counts as left out, no longer as missing.

        Raises:
            ConfigurationError: No reason.
            TenancyError: It is left out already.
        """
        want(reason, "Leaving something out")
        self._lock("left out", kind, native_id)
        known = self._one(
            "SELECT 1 FROM left_out WHERE kind = :kind AND native_id = :native_id AND valid_to = :forever",
            kind=kind,
            native_id=native_id,
        )
        if known is not None:
            raise TenancyError(f"{native_id} is left out already")
        self._run(_LEAVE_OUT, kind=kind, native_id=native_id, reason=reason, by=by, now=now)
        self._announce_inventory("left out", kind, native_id, by=by, reason=reason, now=now)

    def take_back(self, kind: SourceKind, native_id: str, *, by: str, reason: str, now: datetime) -> None:
        """Decide that it is not left out any more: until it is connected it is missing.

        Raises:
            ConfigurationError: No reason.
            TenancyError: It was not left out.
        """
        want(reason, "Taking something back")
        if self._one(_TAKE_BACK, kind=kind, native_id=native_id, now=now) is None:
            raise TenancyError(f"{native_id} was not left out")
        self._announce_inventory("taken back", kind, native_id, by=by, reason=reason, now=now)

    def _announce_inventory(
        self, what: str, kind: SourceKind, native_id: str, *, by: str, reason: str, now: datetime
    ) -> None:
        told = {"change": what, "kind": kind, "id": native_id, "by": by, "reason": reason}
        event = Event(
            public_id(self._tenant, "inventory", kind, native_id, now.isoformat()), "inventory.changed", now, told
        )
        self.announce([event], now=now)
        self.act(by, f"inventory.{what.replace(' ', '_')}", native_id, told, now=now)
