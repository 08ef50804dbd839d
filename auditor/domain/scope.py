"""Which part of a source is audited: a versioned in/out rule that is itself evidence.

Regions and services out of scope are not looked at. Single resources out of scope, by tag or by id, are still collected, since others are
judged by what they join; they are not judged, and stand everywhere as excluded, with the rule that says so. So do those of a
namespace out of scope, as far as the account may list them at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from typing import Any

ORGANISATION_ACCOUNT = "aws.organizations.account"
EKS_CLUSTER = "aws.eks.cluster"
INVENTORY = (ORGANISATION_ACCOUNT, EKS_CLUSTER)
"""Types that runs list whether or not a check judges them: what there is, to be held against what is connected."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What a rule names: regions and services by name, namespaces of a cluster by a pattern over theirs, tags as
    ``KEY=PATTERN``, resources by a pattern over their id.

    Patterns are globs (``*``, ``?``) and mind upper and lower case.
    """

    regions: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scope:
    """What is in, where empty means all, and what is out of that. ``frameworks`` narrows what is asked, not what is seen."""

    version: int = 1
    regions: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    frameworks: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    without: Rule = field(default_factory=Rule)
    namespaces: tuple[str, ...] = ()

    def has_service(self, service: str) -> bool:
        """Whether resource types of this service are looked at (``s3`` of ``aws.s3.bucket``)."""
        return (not self.services or service in self.services) and service not in self.without.services

    def has_region(self, region: str) -> bool:
        """Whether a region is looked at."""
        return (not self.regions or region in self.regions) and region not in self.without.regions

    def has_place(self, place: str) -> bool:
        """Whether a place is looked at: a region in scope, or one that stands over regions."""
        return place in _OVER_REGIONS or self.has_region(place)

    @property
    def asks_tags(self) -> bool:
        """Whether the rule cannot be told without the tags of resources."""
        return bool(self.tags or self.without.tags)

    @property
    def narrows(self) -> bool:
        """Whether single resources may be out of it."""
        return self.asks_tags or bool(
            self.resources or self.namespaces or self.without.resources or self.without.namespaces
        )

    @property
    def named_namespaces(self) -> tuple[str, ...]:
        """The namespaces that alone are in scope, where the rule names each of them; none where it needs a look at all."""
        if any(set("*?[") & set(name) for name in self.namespaces):
            return ()
        return tuple(name for name in self.namespaces if not _like(name, self.without.namespaces))

    def excludes(self, native_id: str, tags: Mapping[str, str] | None) -> str | None:
        """Why a resource is out of scope, in words; ``None`` if it is in. Tags that could not be seen exclude nothing.

        A rule over namespaces is about what stands in one, and about the namespace itself; all else of a cluster stays in.
        """
        for pattern in self.without.resources:
            if fnmatchcase(native_id, pattern):
                return f"excluded by id: {pattern}"
        if self.resources and not any(fnmatchcase(native_id, pattern) for pattern in self.resources):
            return f"not among the ids in scope: {', '.join(self.resources)}"
        namespace = _namespace(native_id)
        if namespace and (named := _like(namespace, self.without.namespaces)):
            return f"excluded by namespace: {named}"
        if namespace and self.namespaces and not _like(namespace, self.namespaces):
            return f"not among the namespaces in scope: {', '.join(self.namespaces)}"
        if tags is None:
            return None
        found = _tagged(self.without.tags, tags)
        if found is not None:
            return f"excluded by tag: {found}"
        if self.tags and _tagged(self.tags, tags) is None:
            return f"not among the tags in scope: {', '.join(self.tags)}"
        return None

    def leaves_out(self, check: str, place: str) -> str | None:
        """Why nothing of a check is looked at in a place, in words; ``None`` if it is. A place that is no region stays in.

        Args:
            check: A check's id; its first word is the service, as for ``pipeline.plan.select``.
            place: A region, or ``global``.
        """
        service = check.partition(".")[0]
        if not self.has_place(place):
            return f"region {place} is out of scope"
        if not self.has_service(service):
            return f"service {service} is out of scope"
        return None

    def as_rule(self) -> dict[str, Any]:
        """The rule as plain JSON, without its version; what is empty is left out."""
        told: dict[str, Any] = {name: list(getattr(self, name)) for name in _LISTS if getattr(self, name)}
        without = {one.name: list(getattr(self.without, one.name)) for one in fields(Rule)}
        kept = {name: members for name, members in without.items() if members}
        return told | ({"without": kept} if kept else {})

    @classmethod
    def of_rule(cls, version: int, rule: Mapping[str, Any]) -> Scope:
        """The scope that ``as_rule`` wrote; a word that an older release did not know is empty."""
        without = rule.get("without", {})
        return cls(
            version,
            **{name: tuple(rule.get(name, ())) for name in _LISTS},
            without=Rule(**{one.name: tuple(without.get(one.name, ())) for one in fields(Rule)}),
        )

    def words(self) -> tuple[str, ...]:
        """The rule in sentences, one each for what is in and what is out; one sentence if it holds everything."""
        told = [f"only {noun} {', '.join(named)}" for noun, named in self._named(self)]
        told += [f"without {noun} {', '.join(named)}" for noun, named in self._named(self.without)]
        if self.frameworks:
            told.append(f"asked for {', '.join(self.frameworks)}")
        return tuple(told) or ("everything",)

    @staticmethod
    def _named(rule: Scope | Rule) -> list[tuple[str, tuple[str, ...]]]:
        named = (
            ("regions", rule.regions),
            ("services", rule.services),
            ("namespaces", rule.namespaces),
            ("tags", rule.tags),
            ("resources", rule.resources),
        )
        return [(noun, members) for noun, members in named if members]


_OVER_REGIONS = frozenset({"global", "join"})
_LISTS = ("regions", "services", "frameworks", "tags", "resources", "namespaces")


def _namespace(native_id: str) -> str:
    """The namespace that an object of a cluster (``shop/Pod/web``) stands in, or is; empty for what stands in none."""
    above, _, rest = native_id.partition("/")
    return rest.removeprefix("Namespace/") if not above and rest.startswith("Namespace/") else above


def _like(name: str, patterns: Iterable[str]) -> str | None:
    return next((pattern for pattern in patterns if fnmatchcase(name, pattern)), None)


def _tagged(rules: Iterable[str], tags: Mapping[str, str]) -> str | None:
    for rule in rules:
        key, _, pattern = rule.partition("=")
        if key in tags and fnmatchcase(tags[key], pattern or "*"):
            return rule
    return None
