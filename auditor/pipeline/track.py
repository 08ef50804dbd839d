"""Remember: verdicts and the findings as they stand go in, turns and announcements come out; the store writes both at once.

Guards three rules. A state that did not change costs nothing. Only a complete listing may say that a resource is gone.
And a first run is a baseline: it opens findings without telling anybody about each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from auditor import __version__
from auditor.domain.control import Library
from auditor.domain.coverage import Coverage
from auditor.domain.events import Event
from auditor.domain.finding import Cause, Current, Refresh, Turn
from auditor.domain.source import Source, public_id
from auditor.domain.verdict import Verdict

EVALUATOR = f"auditor {__version__}"


@dataclass(frozen=True, slots=True)
class Tracked:
    """What a unit changed: turns to write, events to tell, what is known anew where no state turned, and counts."""

    turns: tuple[Turn, ...]
    events: tuple[Event, ...]
    refreshed: tuple[Refresh, ...]
    counts: Mapping[str, int]


def track(
    verdicts: Sequence[Verdict],
    current: Mapping[tuple[str, str], Current],
    coverage: Sequence[Coverage],
    *,
    source: Source,
    library: Library,
    now: datetime,
    baseline: bool,
    link: Callable[[UUID], str],
) -> Tracked:
    """The difference between what was known and what is seen now."""
    turns: list[Turn] = []
    refreshed: list[Refresh] = []
    seen: set[tuple[str, str]] = set()
    for verdict in verdicts:
        seen.add(verdict.key)
        known = current.get(verdict.key)
        if known is None or known.state != verdict.verdict:
            turns.append(_turn(source, verdict, known))
        elif (known.turns_at, known.document_digest, known.judged_digest) != _basis(verdict):
            refreshed.append(Refresh(verdict.check, verdict.resource, verdict.reason, *_basis(verdict)))
    complete = {(look.place, look.resource_type) for look in coverage if look.complete}
    for key, known in current.items():
        if key not in seen and known.state != "absent" and (known.place, known.resource_type) in complete:
            turns.append(_gone(source, known, now))
    events = (
        () if baseline else tuple(_event(turn, source, library, link) for turn in turns if turn.opens or turn.resolves)
    )
    return Tracked(tuple(turns), events, tuple(refreshed), _counts(verdicts, turns))


def finding_id(source: Source, check: str, resource: str) -> UUID:
    """The finding's public id: check and resource name it, run after run."""
    return public_id(source.tenant, "finding", str(source.id), check, resource)


def _basis(verdict: Verdict) -> tuple[datetime | None, str, str]:
    return (verdict.turns_at, verdict.document_digest, verdict.judged_digest)


def _turn(source: Source, verdict: Verdict, known: Current | None) -> Turn:
    seq = 1 if known is None else known.span_seq + 1
    cause = _cause(verdict, known)
    valid_from = verdict.turned_at if cause == "time" and verdict.turned_at else verdict.observed_at
    if known is not None and valid_from <= known.since:
        valid_from = verdict.judged_as_of  # two turns inside one look cannot share an instant
    return Turn(
        check=verdict.check,
        resource=verdict.resource,
        resource_type=verdict.resource_type,
        region=verdict.region,
        place=verdict.place,
        seq=seq,
        state=verdict.verdict,
        previous=None if known is None else known.state,
        cause=cause,
        reason=verdict.reason,
        severity=verdict.severity,
        valid_from=valid_from,
        verdict=verdict,
        event_id=_event_id(source, verdict.check, verdict.resource, seq),
        was_open=known is not None and known.open,
    )


def _cause(verdict: Verdict, known: Current | None) -> Cause:
    if verdict.turned_at is not None:
        return "time"
    if verdict.verdict == "unknown" or (known is not None and known.state == "unknown"):
        return "coverage"
    if known is not None and known.state != "absent":
        if known.judged_digest != verdict.judged_digest:
            return "control"
        if known.document_digest == verdict.document_digest and known.evaluator != EVALUATOR:
            return "evaluator"
    return "resource"


def _gone(source: Source, known: Current, now: datetime) -> Turn:
    seq = known.span_seq + 1
    return Turn(
        check=known.check,
        resource=known.resource,
        resource_type=known.resource_type,
        region=known.region,
        place=known.place,
        seq=seq,
        state="absent",
        previous=known.state,
        cause="resource",
        reason="A complete listing no longer shows it",
        severity="",
        valid_from=now,
        verdict=None,
        event_id=_event_id(source, known.check, known.resource, seq),
        was_open=known.open,
    )


def _event_id(source: Source, check: str, resource: str, seq: int) -> UUID:
    return public_id(source.tenant, "turn", str(source.id), check, resource, str(seq))


def _event(turn: Turn, source: Source, library: Library, link: Callable[[UUID], str]) -> Event:
    check = library.check[turn.check]
    control = library.control[check.control]
    finding = finding_id(source, turn.check, turn.resource)
    return Event(
        id=turn.event_id,
        type="finding.opened" if turn.opens else "finding.resolved",
        at=turn.valid_from,
        data={
            "finding": str(finding),
            "span": turn.seq,
            "check": check.id,
            "title": check.title,
            "control": {"id": control.id, "title": control.title},
            "severity": check.severity,
            "state": turn.state,
            "previous": turn.previous,
            "cause": turn.cause,
            "reason": turn.reason,
            "resource": turn.resource,
            "resource_type": turn.resource_type,
            "account": source.account,
            "region": turn.region,
            "requirements": {name: list(check.requirements(name)) for name in library.framework},
            "remediation": dict(check.remediation),
            "link": link(finding),
        },
    )


def _counts(verdicts: Sequence[Verdict], turns: Sequence[Turn]) -> dict[str, int]:
    states: Counter[str] = Counter(verdict.verdict for verdict in verdicts)
    return {
        "judged": sum(1 for verdict in verdicts if not verdict.about_place),
        "about_place": sum(1 for verdict in verdicts if verdict.about_place),
        **states,
        "opened": sum(turn.opens for turn in turns),
        "resolved": sum(turn.resolves for turn in turns),
        "gone": sum(turn.state == "absent" for turn in turns),
    }
