"""Looking that can be told to end: whoever lost a unit stops asking at the next call, not when all has been asked.

The caller is watched, not the pipeline: every question goes through it, so nothing else has to know that it may be stopped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Event, Lock
from typing import Any
from uuid import UUID

from auditor.domain.calls import Hear, unheard
from auditor.domain.errors import StaleFenceError
from auditor.domain.ports import Caller, CallFailed, Claim


class Stops:
    """The units that this process looks at, each with the flag that ends it. Safe to share by threads."""

    def __init__(self) -> None:
        self._flags: dict[tuple[UUID, int], Event] = {}
        self._lock = Lock()

    @contextmanager
    def watching(self, claim: Claim) -> Iterator[Event]:
        """The flag of a claim, for as long as its unit is looked at."""
        key = (claim.id, claim.fence)
        with self._lock:
            flag = self._flags.setdefault(key, Event())  # a message that came twice is one claim
        try:
            yield flag
        finally:
            with self._lock:
                self._flags.pop(key, None)

    def stop(self, claim: Claim) -> None:
        """End the looking under this claim, if it goes on here."""
        with self._lock:
            flag = self._flags.get((claim.id, claim.fence))
        if flag is not None:
            flag.set()


class Watched:
    """An account as long as a unit is ours. Satisfies ``domain.ports.Caller``, and hears when we are asked to come back later."""

    def __init__(self, caller: Caller, stopped: Event) -> None:
        self._caller = caller
        self._stopped = stopped
        self._later = 0.0

    @property
    def account(self) -> str:
        """As the caller's."""
        return self._caller.account

    @property
    def partition(self) -> str:
        """As the caller's."""
        return self._caller.partition

    @property
    def home(self) -> str:
        """As the caller's."""
        return self._caller.home

    @property
    def identity(self) -> str:
        """As the caller's."""
        return self._caller.identity

    @property
    def endpoint(self) -> str:
        """As the caller's."""
        return self._caller.endpoint

    @property
    def later(self) -> float:
        """The longest time, in seconds, that a refusal asked us to wait; zero if none did."""
        return self._later

    def pages(
        self, operation: str, params: Mapping[str, Any], *, region: str, heard: Hear = unheard
    ) -> Iterator[Mapping[str, Any]]:
        """The answer page by page; see ``domain.ports.Caller``.

        Raises:
            CallFailed: The vendor refused, or the call broke after its retries.
            StaleFenceError: The unit is no longer ours.
        """
        self._go_on()
        try:
            for page in self._caller.pages(operation, params, region=region, heard=heard):
                yield page
                self._go_on()
        except CallFailed as refused:
            self._later = max(self._later, refused.retry_after)
            raise

    def prepare(self, operation: str, *, region: str) -> None:
        """As the caller's, unless the unit is no longer ours."""
        self._go_on()
        self._caller.prepare(operation, region=region)

    def _go_on(self) -> None:
        if self._stopped.is_set():
            raise StaleFenceError("the unit was cancelled or taken over while it was looked at")
