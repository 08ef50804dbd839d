"""How far the looking reached in the period: runs against the schedule, coverage by place, changes of scope.

Enters: the scope, runs and coverage of a bundle. Leaves: what other steps ask of them, and figures.
Guards the rule that silence is shown: a slot of the schedule that has no line is refused, one in which nothing ran is counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from .bag import Bag
from .canonical import UTC, instant, stamp
from .entry import commitment
from .report import RefusedError
from .segment import Happened, Ledger
from .spans import run_digest
from .state import LOOKS, Look

SCOPE = "data/scope.json"
SCOPE_CHANGES = "data/scope_changes.jsonl"
RUNS = "data/runs.jsonl"
COVERAGE = "data/coverage.jsonl"
NO_MANIFEST = frozenset(("missed", "running"))
FIRST_SLOT = datetime(2020, 1, 1, tzinfo=UTC)

Reached = tuple[str, str, str]
"""A source, a place of it and a resource type."""


class Period(NamedTuple):
    """What the bundle speaks of: ``[begins, ends)``, known until ``known_to``, which is never after ``ends``."""

    begins: datetime
    ends: datetime
    known_to: datetime


class Interval(NamedTuple):
    """A look and the first instant at which another one, or none, holds."""

    look: Look
    valid_to: datetime


class LastRun(NamedTuple):
    """The last finished run of a source in the period: where the ledger has it, and what stood at each place then."""

    run: str
    leaf: int
    places: Mapping[str, tuple[int, str]]


@dataclass(frozen=True)
class Reach:
    """All of it, held against ledger and schedule."""

    intervals: Mapping[Reached, list[Interval]]
    last_runs: Mapping[str, LastRun]
    scope_from: Mapping[str, datetime]
    figures: dict[str, Any] = field(default_factory=dict)

    def complete(self, at: Reached, moment: datetime) -> bool:
        """Whether the listing at this place was complete, or the service not there, at an instant."""
        return any(
            one.look.valid_from <= moment < one.valid_to and one.look.state in {"ok", "unsupported"}
            for one in self.intervals.get(at, ())
        )

    def looks(self, at: Reached) -> list[Look]:
        """The looks at this place, for ``effective_state``."""
        return [one.look for one in self.intervals.get(at, ())]


def read_reach(bag: Bag, ledger: Ledger, period: Period) -> Reach:
    """The looking of the period.

    Raises:
        RefusedError: A slot of the schedule has no line, a run that ended is not in the ledger as it is told here or the other
            way round, or coverage overlaps itself.
    """
    figures: dict[str, Any] = {}
    slots, last_runs = _read_runs(bag, ledger, figures)
    _hold_schedule(bag, slots, period, figures)
    return Reach(_read_coverage(bag, period, figures), last_runs, _read_scope_changes(bag), figures)


def _read_runs(bag: Bag, ledger: Ledger, figures: dict[str, Any]) -> tuple[set[tuple[str, str]], dict[str, LastRun]]:
    slots: set[tuple[str, str]] = set()
    last: dict[str, LastRun] = {}
    states: dict[str, int] = {}
    left = dict(ledger.manifests())
    for where, run in bag.objects(RUNS):
        with telling(where):
            if (run["source"], run["slot"]) in slots:
                raise RefusedError(where, "the slot stands twice")
            slots.add((run["source"], run["slot"]))
            states[run["state"]] = states.get(run["state"], 0) + 1
            if run["state"] in NO_MANIFEST:
                if run["run"] in left:
                    raise RefusedError(where, f"the run is told as {run['state']}, the ledger knows how it ended")
                continue
            happened = ledger.other(run["run"])
            _hold_run(run, happened, where)
            left.pop(run["run"], None)
            before = last.get(run["source"])
            if happened is not None and (before is None or before.leaf < happened.leaf):
                places = {one["place"]: (one["findings"], one["digest"]) for one in run["places"]}
                last[run["source"]] = LastRun(run["run"], happened.leaf, places)
    for subject, happened in left.items():
        raise RefusedError(RUNS, f"leaves out run {subject}, which ended in the period (ledger entry {happened.leaf})")
    figures["runs"] = states
    return slots, last


def _hold_run(run: Mapping[str, Any], happened: Happened | None, where: str) -> None:
    if happened is None or happened.type != "run.manifest":
        raise RefusedError(where, f"run {run['run']} has no entry in the ledger")
    if commitment(bytes.fromhex(run["salt"]), run_digest(run)) != happened.commit:
        raise RefusedError(where, f"run {run['run']} is not as the ledger committed to it (entry {happened.leaf})")


def _hold_schedule(bag: Bag, slots: set[tuple[str, str]], period: Period, figures: dict[str, Any]) -> None:
    expected = 0
    with telling(SCOPE):
        sources = list(bag.object(SCOPE)["sources"])
    for source in sources:
        with telling(SCOPE):
            every = timedelta(seconds=source["every_seconds"])
            if every < timedelta(minutes=1):
                raise RefusedError(SCOPE, f"a schedule of {every}")
            begins = max(period.begins, instant(source["from"]))
            ends = min(period.known_to, instant(source["to"]) if source["to"] else period.known_to)
            grid = instant(source["grid"]) if source.get("grid") else FIRST_SLOT
            slot = grid - (grid - begins) // every * every
            while slot < ends:
                expected += 1
                if (source["source"], stamp(slot)) not in slots:
                    raise RefusedError(RUNS, f"leaves out the slot {stamp(slot)} of source {source['source']}")
                slot += every
    figures["slots_expected"] = expected
    figures["sources"] = len({source["source"] for source in sources})


def _read_coverage(bag: Bag, period: Period, figures: dict[str, Any]) -> dict[Reached, list[Interval]]:
    found: dict[Reached, list[Interval]] = {}
    last: tuple[str, ...] = ()
    for where, line in bag.objects(COVERAGE):
        with telling(where):
            at = (line["source"], line["place"], line["resource_type"])
            if (*at, line["valid_from"]) <= last:
                raise RefusedError(where, "not sorted by source, place, resource type and time")
            last = (*at, line["valid_from"])
            look = Look(
                line["state"],
                line["detail"],
                instant(line["valid_from"]),
                instant(line["last_at"]),
                timedelta(seconds=line["fresh_seconds"]),
                line["unsupported_means"],
            )
            valid_to = instant(line["valid_to"])
            before = found.setdefault(at, [])
            if look.state not in LOOKS or not look.valid_from <= look.last_at <= valid_to:
                raise RefusedError(where, "not a look: its state or its times cannot be")
            if before and before[-1].valid_to > look.valid_from:
                raise RefusedError(where, "overlaps the line before it")
            before.append(Interval(look, valid_to))
    gaps = [_longest_gap(intervals, period) for intervals in found.values()]
    figures["reached"] = len(found)
    figures["reached_with_gaps"] = sum(1 for gap in gaps if gap)
    figures["longest_gap_seconds"] = int(max(gaps, default=timedelta(0)).total_seconds())
    return found


def _longest_gap(intervals: list[Interval], period: Period) -> timedelta:
    """The longest stretch of the period in which no complete look served."""
    longest, until = timedelta(0), period.begins
    for look, valid_to in intervals:
        if look.state in {"ok", "unsupported"} and look.valid_from < period.known_to:
            longest = max(longest, look.valid_from - until)
            until = max(until, min(valid_to, look.last_at + look.fresh_for))
    return max(longest, period.known_to - until)


def _read_scope_changes(bag: Bag) -> dict[str, datetime]:
    """The first rule we know of, by source."""
    found: dict[str, datetime] = {}
    for where, line in bag.objects(SCOPE_CHANGES):
        with telling(where):
            at = instant(line["valid_from"])
            found[line["source"]] = min(at, found.get(line["source"], at))
    return found


class telling:  # noqa: N801 - read as a word in "with telling(where):"
    """Turns what a badly formed line breaks into a refusal that names the line."""

    def __init__(self, where: str) -> None:
        self.where = where

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, KeyError):
            raise RefusedError(self.where, f"the field {error.args[0]} is missing") from error
        if isinstance(error, (TypeError, ValueError, AttributeError, OverflowError, RecursionError)):
            raise RefusedError(self.where, f"not in its form: {error}") from error
