from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from auditor.simulators.kubernetes_api import ClusterApi
from tests.unit.simulators.asking import Asker


class TurnedClock:
    """Stands still until a test turns it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 5, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def cluster(clock: TurnedClock) -> Iterator[ClusterApi]:
    with ClusterApi(clock=clock) as started:
        yield started


@pytest.fixture
def ask(cluster: ClusterApi) -> Iterator[Asker]:
    asker = Asker(cluster)
    yield asker
    asker.close()
