"""Remember: verdicts and the findings as they stand go in, turns and announcements come out; the store writes both at once.

Guards three rules. A state that did not change costs nothing. Only a complete listing may say that a resource is gone.
And a first run is a baseline: it opens findings without telling anybody about each. What the scope leaves out stands as
excluded: that ends a deviation, and opens none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from auditor.domain.control import Library
from auditor.domain.coverage import Coverage
from auditor.domain.events import Event
from auditor.domain.finding import Cause, Current, Refresh, Turn
from auditor.domain.source import Source, public_id
from auditor.domain.verdict import Verdict
from auditor.pipeline.settled import EVALUATOR, Excluded


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
    held: Iterable[tuple[str, str]] = (),
    excluded: Sequence[Excluded] = (),
) -> Tracked:
    """The difference between what was known and what is seen now; ``held`` findings stand as they are."""
    turns: list[Turn] = []
    refreshed: list[Refresh] = []
    stood = tuple(held)
    seen = set(stood)
    for verdict in verdicts:
        seen.add(verdict.key)
        known = current.get(verdict.key)
        if known is None or known.state != verdict.verdict:
            turns.append(_turn(source, verdict, known))
        elif _known_basis(known) != _basis(verdict) or known.evaluator != EVALUATOR:
            refreshed.append(Refresh(verdict.check, verdict.resource, verdict.reason, *_basis(verdict)))
    for one in excluded:
        seen.add(one.key)
        known = current.get(one.key)
        if known is None or known.state != "excluded":
            turns.append(_left_out(source, one, known, now))
        elif known.reason != one.reason:
            refreshed.append(Refresh(one.check.id, one.resource, one.reason, *_known_basis(known)))
    complete = {(look.place, look.resource_type) for look in coverage if look.complete}
    asked = {check for check, _ in seen}  # a check that was asked leaves a line at least about its place
    for key, known in current.items():
        if known.state == "excluded" and known.check not in asked:
            continue  # out with its service: whether its resource is still there was nobody's question
        if key not in seen and known.state != "absent" and (known.place, known.resource_type) in complete:
            turns.append(_gone(source, known, now, asked=known.check in asked))
    events = (
        ()
        if baseline
        else tuple(
            announcement(turn, source, library, link)
            for turn in turns
            if (turn.opens or turn.resolves) and turn.check in library.check  # one that was retired has no words left
        )
    )
    counts = {**_counts(verdicts, [current[key] for key in stood], turns), "excluded": len(excluded)}
    return Tracked(tuple(turns), events, tuple(refreshed), counts)


def finding_id(source: Source, check: str, resource: str) -> UUID:
    """The finding's public id: check and resource name it, run after run."""
    return public_id(source.tenant, "finding", str(source.id), check, resource)


def _basis(verdict: Verdict) -> tuple[datetime | None, str, str, str]:
    return (verdict.turns_at, verdict.document_digest, verdict.judged_digest, verdict.evidence)


def _known_basis(known: Current) -> tuple[datetime | None, str, str, str]:
    return (known.turns_at, known.document_digest, known.judged_digest, known.evidence_digest)


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
    if known is not None and known.state == "excluded":
        return "scope"
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


def _gone(source: Source, known: Current, now: datetime, *, asked: bool) -> Turn:
    """The end of a finding: its resource is there no more, or its check was retired."""
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
        cause="resource" if asked else "control",
        reason="A complete listing no longer shows it" if asked else "The check is not asked any more",
        severity="",
        valid_from=now,
        verdict=None,
        event_id=_event_id(source, known.check, known.resource, seq),
        was_open=known.open,
    )


def _left_out(source: Source, one: Excluded, known: Current | None, now: datetime) -> Turn:
    seq = 1 if known is None else known.span_seq + 1
    return Turn(
        check=one.check.id,
        resource=one.resource,
        resource_type=one.resource_type,
        region=one.region,
        place=one.place,
        seq=seq,
        state="excluded",
        previous=None if known is None else known.state,
        cause="scope",
        reason=one.reason,
        severity=one.check.severity,
        valid_from=now,
        verdict=None,
        event_id=_event_id(source, one.check.id, one.resource, seq),
        was_open=known is not None and known.open,
        control=one.check.control,
        tier=one.check.tier,
    )


def _event_id(source: Source, check: str, resource: str, seq: int) -> UUID:
    return public_id(source.tenant, "turn", str(source.id), check, resource, str(seq))


def announcement(turn: Turn, source: Source, library: Library, link: Callable[[UUID], str]) -> Event:
    """What is told of a finding that opens or resolves; its check must be known."""
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
            "reason": f"out of scope: {turn.reason}" if turn.state == "excluded" else turn.reason,
            "resource": turn.resource,
            "resource_type": turn.resource_type,
            "account": source.account,
            "region": turn.region,
            "requirements": {name: list(check.requirements(name)) for name in library.framework},
            "remediation": dict(check.remediation),
            "link": link(finding),
        },
    )


def _counts(verdicts: Sequence[Verdict], held: Sequence[Current], turns: Sequence[Turn]) -> dict[str, int]:
    """How many of each; states count what is held as well."""
    states: Counter[str] = Counter([*(verdict.verdict for verdict in verdicts), *(known.state for known in held)])
    return {
        "held": len(held),
        "judged": sum(1 for verdict in verdicts if not verdict.about_place),
        "about_place": sum(1 for verdict in verdicts if verdict.about_place),
        **states,
        "opened": sum(turn.opens for turn in turns),
        "resolved": sum(turn.resolves for turn in turns),
        "gone": sum(turn.state == "absent" for turn in turns),
    }
