"""Look at an emulated account through some checks: what people get from a scan, as plain dictionaries."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from unittest.mock import patch

from auditor.collectors.aws import resource_types
from auditor.collectors.aws._client import AwsCaller, connect
from auditor.domain.control import Check, Library
from auditor.domain.scope import Scope
from auditor.domain.source import GLOBAL
from auditor.pipeline.plan import Selection, select
from auditor.pipeline.scan import Scan, scan
from auditor.simulators.aws import AwsEmulator
from controls import shipped

REGIONS = ("us-east-1",)
Told = dict[str, dict[str, str]]


def look(emulator: AwsEmulator, checks: Iterable[str], regions: Iterable[str] = REGIONS) -> Told:
    """Check id -> resource -> verdict; a place stands as resource where there was nothing to judge."""
    return told(looked(emulator, checks, regions))


def reasons(emulator: AwsEmulator, checks: Iterable[str], regions: Iterable[str] = REGIONS) -> Told:
    """Check id -> resource -> the sentence that the verdict comes with."""
    return told(looked(emulator, checks, regions), "reason")


def looked(
    emulator: AwsEmulator,
    checks: Iterable[str],
    regions: Iterable[str] = REGIONS,
    *,
    as_of: datetime | None = None,
    stub: Callable[[AwsCaller], None] = lambda _: None,
) -> Scan:
    """The whole scan, for whoever asks about coverage or evidence.

    ``as_of`` is the instant of judging. ``stub`` is handed the caller before anything is asked: where the emulator lacks
    an operation it may put a ``botocore.stub.Stubber`` over ``caller._client(service, region)``.
    """
    with _account(emulator):
        caller = connect(endpoint_url=emulator.url)
        stub(caller)
        return scan(
            _selection(tuple(checks)),
            caller,
            (GLOBAL, *regions),
            clock=lambda: as_of or datetime.now(UTC),
            threads=8,
            progress=lambda *_: None,
        )


def check(id: str) -> Check:  # noqa: A002  (the word people use)
    """One check by its id.

    Raises:
        KeyError: The library does not know it.
    """
    return shipped().check[id]


def told(seen: Scan, word: str = "verdict") -> Told:
    """One field of every verdict of a scan, by check and resource."""
    found: Told = {}
    for verdict in seen.verdicts:
        found.setdefault(verdict.check, {})[verdict.resource] = str(getattr(verdict, word))
    return found


def _selection(ids: tuple[str, ...]) -> Selection:
    """What a scan selects when these are all the checks there are."""
    checks = tuple(check(name) for name in ids)
    control = replace(shipped().controls[0], checks=checks)
    return select(Library(shipped().frameworks, (control,)), resource_types(), Scope())


@contextmanager
def _account(emulator: AwsEmulator) -> Iterator[None]:
    """The emulated account's credentials, and none of whoever runs the tests."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with patch.dict(os.environ, {**others, **emulator.environment()}, clear=True):
        yield
