"""The daily figures drawn anew from spans: what the last run of each day left, as it wrote them down when it ended."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from itertools import accumulate
from typing import Any, NamedTuple
from uuid import UUID

from auditor.domain.control import Library
from auditor.store import schema
from auditor.store.reads.overlay import laid
from auditor.store.scoped import Scoped

NOTHING_ASKED = Library((), ())
_ENDS = """
SELECT DISTINCT ON (source_id, day) source_id, finished_at, CAST(finished_at AT TIME ZONE 'UTC' AS date) AS day FROM run
WHERE state IN ('done', 'partial') AND finished_at IS NOT NULL ORDER BY source_id, day, finished_at DESC
"""
# Which of the days each span begins and ends to stand at: counted by the database, however many spans there are.
_TURNS = """
SELECT f.check_id, f.control_id, f.place, f.resource_type, s.state, count(*) AS n,
    width_bucket(s.recorded_at - interval '1 microsecond', CAST(:ends AS timestamptz[])) AS from_day,
    width_bucket(s.closed_recorded_at - interval '1 microsecond', CAST(:ends AS timestamptz[])) AS to_day
FROM finding_span s JOIN finding f ON f.tenant_id = s.tenant_id AND f.finding_id = s.finding_id
WHERE f.source_id = :source AND s.state <> 'absent'
GROUP BY f.check_id, f.control_id, f.place, f.resource_type, s.state, from_day, to_day
"""


class End(NamedTuple):
    """When the last run of a day ended."""

    day: date
    at: datetime


class Redrawing(Scoped):
    """The chart's rows."""

    def redraw(self) -> None:
        """Every day on which a run ended, from the spans that stood then, coverage laid over."""
        ends: defaultdict[UUID, list[End]] = defaultdict(list)
        for row in self._run(_ENDS):
            ends[row.source_id].append(End(row.day, row.finished_at))
        for source, days in ends.items():
            for end, counted in zip(days, self._standing(source, days), strict=True):
                self._insert(schema.daily_rollup, self._day(source, end, counted))

    def _standing(self, source: UUID, days: Sequence[End]) -> Iterator[list[tuple[Any, ...]]]:
        """The findings that stood at each day's end, counted by what coverage asks about."""
        steps: defaultdict[tuple[str, ...], list[int]] = defaultdict(lambda: [0] * (len(days) + 1))
        for row in self._run(_TURNS, source=source, ends=[end.at for end in days]):
            of = steps[row.check_id, row.control_id, row.place, row.resource_type, row.state]
            of[row.from_day] += row.n
            of[len(days) if row.to_day is None else row.to_day] -= row.n
        counts = {key: list(accumulate(of)) for key, of in steps.items()}
        for position, end in enumerate(days):
            yield [
                (check, control, source, place, kind, "", "", "", state, of[position], end.at)
                for (check, control, place, kind, state), of in counts.items()
                if of[position]
            ]

    def _day(self, source: UUID, end: End, counted: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
        shown: Counter[tuple[str, str, str]] = Counter()
        for group in laid(self._connection, NOTHING_ASKED, end.at, counted):
            shown[group.check, group.control, group.shown] += group.n
        return [
            {
                "day": end.day.isoformat(),
                "source_id": source,
                "check_id": check,
                "control_id": control,
                "state": state,
                "n": n,
            }
            for (check, control, state), n in shown.items()
        ]
