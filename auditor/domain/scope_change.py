"""What a change of scope would do to findings as they stand: what leaves, what comes back, and what only a run can tell.

Pure: the preview that a person sees and the change that is written later ask the same function. Guards the rule that
nothing leaves silently: whatever is out is named with the rule that puts it there, failing findings apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from uuid import UUID

from auditor.domain.finding import Turn
from auditor.domain.scope import Scope

BY_TAG = "excluded by tag: "
NOT_TAGGED = "not among the tags in scope: "


@dataclass(frozen=True, slots=True)
class Candidate:
    """A finding as a scope looks at it. ``kept_out`` is the reason of its resource's exclusion, as the last run told it."""

    finding: UUID
    check: str
    place: str
    state: str
    resource: str
    resource_id: UUID
    about_place: bool
    open: bool
    kept_out: str | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """How much of one check in one place leaves or comes back; ``failing`` are those that deviate as they go."""

    check: str
    place: str
    findings: int
    failing: int


@dataclass(frozen=True, slots=True)
class ScopePreview:
    """What a new scope would do. ``tags_later`` says that its tag rules are told by the next run, not before.

    ``resources_leaving`` and ``resources_returning`` count resources of which at least one finding moves.
    """

    before: Scope
    after: Scope
    leaving: tuple[Moved, ...]
    returning: tuple[Moved, ...]
    resources_leaving: int
    resources_returning: int
    regions_ending: tuple[str, ...]
    regions_beginning: tuple[str, ...]
    tags_later: bool

    @property
    def findings_leaving(self) -> int:
        """How many findings would turn to excluded at once."""
        return sum(one.findings for one in self.leaving)

    @property
    def failing_leaving(self) -> int:
        """How many of them deviate now: taking them out mends nothing."""
        return sum(one.failing for one in self.leaving)

    @property
    def findings_returning(self) -> int:
        """How many excluded findings the next run would judge again."""
        return sum(one.findings for one in self.returning)


@dataclass(frozen=True, slots=True)
class ScopeChange:
    """A change as it was written: the scope now in force, and the turns of the findings that left with it."""

    scope: Scope
    turns: tuple[Turn, ...]


def out_of(scope: Scope, before: Scope, one: Candidate) -> str | None:
    """Why a finding is out of a scope, as far as is known without its resource's tags; ``None`` if it is in.

    An exclusion by tag that the last run told stands as long as the rule that made it does.
    """
    reason = scope.leaves_out(one.check, one.place)
    if reason is not None or one.about_place:
        return reason
    reason = scope.excludes(one.resource, None)
    if reason is not None or one.kept_out is None:
        return reason
    if one.kept_out.startswith(BY_TAG):
        return one.kept_out if one.kept_out.removeprefix(BY_TAG) in scope.without.tags else None
    if one.kept_out.startswith(NOT_TAGGED):
        return one.kept_out if scope.tags and scope.tags == before.tags else None
    return None


def preview(before: Scope, after: Scope, standing: Iterable[Candidate], regions: Sequence[str]) -> ScopePreview:
    """What would move if ``after`` took the place of ``before``.

    Args:
        before: The scope in force.
        after: The scope that somebody considers.
        standing: Every finding whose resource is there.
        regions: Every region that the source has, in scope or not.
    """
    leaving: Counter[tuple[str, str]] = Counter()
    failing: Counter[tuple[str, str]] = Counter()
    returning: Counter[tuple[str, str]] = Counter()
    resources: tuple[set[UUID], set[UUID]] = (set(), set())
    for one in standing:
        out = out_of(after, before, one) is not None
        key = (one.check, one.place)
        if out and one.state != "excluded":
            leaving[key] += 1
            failing[key] += one.open
            resources[0].add(one.resource_id)
        elif not out and one.state == "excluded":
            returning[key] += 1
            resources[1].add(one.resource_id)
    return ScopePreview(
        before=before,
        after=after,
        leaving=tuple(Moved(*key, n, failing[key]) for key, n in sorted(leaving.items())),
        returning=tuple(Moved(*key, n, 0) for key, n in sorted(returning.items())),
        resources_leaving=len(resources[0]),
        resources_returning=len(resources[1]),
        regions_ending=tuple(one for one in regions if before.has_region(one) and not after.has_region(one)),
        regions_beginning=tuple(one for one in regions if after.has_region(one) and not before.has_region(one)),
        tags_later=after.asks_tags and (after.tags, after.without.tags) != (before.tags, before.without.tags),
    )


def faults(
    scope: Scope, *, regions: Iterable[str], services: Iterable[str], namespaces: Iterable[str] | None = None
) -> tuple[str, ...]:
    """What of a rule cannot be meant: a misspelt region or service would leave out everything, or nothing, in silence.

    Args:
        scope: What somebody typed.
        regions: Every region that the source has.
        services: Every service that a check asks about.
        namespaces: Those that the last run saw, if it saw any; ``None`` for an account, which has none.
    """
    has, asks = sorted(set(regions)), sorted(set(services))
    told = [
        f"the source has no region {name}; it has {', '.join(has) or 'none'}"
        for name in (*scope.regions, *scope.without.regions)
        if name not in has
    ]
    told += [
        f"no check asks about a service {name}; there are {', '.join(asks)}"
        for name in (*scope.services, *scope.without.services)
        if name not in asks
    ]
    told += [
        f"a tag rule is KEY=PATTERN, not {rule}"
        for rule in (*scope.tags, *scope.without.tags)
        if not rule.partition("=")[0] or "=" not in rule
    ]
    told += _astray((*scope.namespaces, *scope.without.namespaces), namespaces)
    if not told and has and not any(scope.has_region(name) for name in has):
        told.append("no region would be left; disconnect the source instead")
    return tuple(told)


def _astray(patterns: Sequence[str], namespaces: Iterable[str] | None) -> list[str]:
    if namespaces is None:
        return ["an account has no namespaces"] if patterns else []
    there = sorted(set(namespaces))
    return [
        f"the cluster has no namespace {pattern}; it has {', '.join(there)}"
        for pattern in patterns
        if there and not any(fnmatchcase(name, pattern) for name in there)
    ]
