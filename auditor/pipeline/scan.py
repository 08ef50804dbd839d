"""One pass without a memory: collect every place of an account and judge it, for a terminal or a build."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import datetime

from auditor.domain.coverage import Coverage
from auditor.domain.evidence import Collection
from auditor.domain.ports import Caller, Clock
from auditor.domain.source import GLOBAL, Place
from auditor.domain.verdict import Verdict
from auditor.pipeline.assess import assess
from auditor.pipeline.collect import collect
from auditor.pipeline.plan import Selection


@dataclass(frozen=True, slots=True)
class Scan:
    """What one pass showed."""

    account: str
    partition: str
    identity: str
    endpoint: str
    places: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    coverage: tuple[Coverage, ...]
    collections: tuple[Collection, ...]
    resources: int
    as_of: datetime

    @property
    def partial(self) -> bool:
        """Whether anything could not be seen."""
        return any(not look.complete for look in self.coverage) or any(v.verdict == "unknown" for v in self.verdicts)

    @property
    def blind(self) -> bool:
        """Whether nothing at all could be seen: every verdict is unknown."""
        return bool(self.verdicts) and all(verdict.verdict == "unknown" for verdict in self.verdicts)


def scan(
    selection: Selection,
    caller: Caller,
    places: Sequence[str],
    *,
    clock: Clock,
    threads: int,
    progress: Callable[[str, int, int], None],
) -> Scan:
    """Collect all places at once, sharing one pool of ``threads`` calls, and judge them together as of the end.

    ``progress`` hears of each finished place: its name, how many are done, how many there are.
    """
    with ThreadPoolExecutor(threads) as pool, ThreadPoolExecutor(min(len(places), 8)) as outer:
        under_way = {
            outer.submit(
                collect,
                Place(caller.account, place, caller.partition),
                selection.collected,
                caller,
                pool=pool,
                clock=clock,
            ): place
            for place in places
        }
        done: dict[str, Collection] = {}
        for finished in as_completed(under_way):
            place = under_way[finished]
            done[place] = finished.result()
            progress(place, len(done), len(places))
    collections = tuple(done[place] for place in places)
    as_of = clock()
    assessment = assess(
        [seen for collection in collections for seen in collection.evidence],
        [look for collection in collections for look in collection.coverage],
        judged=selection.judged,
        collected=selection.collected,
        checks=selection.checks,
        account=Place(caller.account, GLOBAL, caller.partition),
        places=places,
        as_of=as_of,
    )
    return Scan(
        account=caller.account,
        partition=caller.partition,
        identity=caller.identity,
        endpoint=caller.endpoint,
        places=tuple(places),
        verdicts=assessment.verdicts,
        coverage=assessment.coverage,
        collections=collections,
        resources=sum(assessment.described.values()),
        as_of=as_of,
    )
