"""What network policies let through: selectors, rules and policies go in, isolation per direction comes out.

Policies only ever add: a pod that none selects is open, one that any selects lets through what some policy allows. So a
policy that denies by default is undone by another that allows everything to all pods of the namespace.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

Direction: TypeAlias = Literal["Ingress", "Egress"]
DNS = frozenset({"UDP/53", "TCP/53", "UDP/dns", "TCP/dns-tcp", "TCP/dns"})
"""Ports over which names are looked up; nothing works without it, so allowing it undoes no denial."""


@dataclass(frozen=True, slots=True)
class Expression:
    """One demand on a label: In, NotIn, Exists or DoesNotExist."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels satisfy it.

        Raises:
            ValueError: An operator that the API does not have.
        """
        match self.operator:
            case "In":
                return labels.get(self.key) in self.values
            case "NotIn":
                return labels.get(self.key) not in self.values  # a missing label is not in the values
            case "Exists":
                return self.key in labels
            case "DoesNotExist":
                return self.key not in labels
            case _:
                raise ValueError(f"no operator is called {self.operator}")


@dataclass(frozen=True, slots=True)
class Selector:
    """A label selector; one that demands nothing picks everything."""

    labels: Mapping[str, str]
    expressions: tuple[Expression, ...] = ()

    @property
    def everything(self) -> bool:
        """Whether it demands nothing."""
        return not self.labels and not self.expressions

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether it picks something that has these labels."""
        return all(labels.get(name) == value for name, value in self.labels.items()) and all(
            one.matches(labels) for one in self.expressions
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a policy: ports it is limited to, and how many peers it names; neither means everything.

    ``ports`` read ``UDP/53``, ``TCP/http`` or ``TCP/8000-8100``; a rule without a port number reads ``TCP/``.
    ``world`` says that its address ranges together are all addresses.
    """

    ports: tuple[str, ...]
    peers: int
    world: bool = False

    @property
    def everything(self) -> bool:
        """Whether it allows whoever, on whatever port."""
        return not self.ports and (not self.peers or self.world)

    @property
    def names_only(self) -> bool:
        """Whether it allows looking up names and nothing else."""
        return bool(self.ports) and DNS.issuperset(self.ports)


@dataclass(frozen=True, slots=True)
class NetworkPolicy:
    """A policy for the pods that it selects; ``types`` are the directions it governs, the implied ones included."""

    name: str
    namespace: str
    selector: Selector
    types: tuple[str, ...]
    ingress: tuple[Rule, ...]
    egress: tuple[Rule, ...]

    def rules(self, direction: Direction) -> tuple[Rule, ...]:
        """The rules of a direction."""
        return self.ingress if direction == "Ingress" else self.egress

    def denies_all(self, direction: Direction) -> bool:
        """Whether it selects every pod and allows nothing that way; looking up names does not count."""
        governs = self.selector.everything and direction in self.types
        allowed = self.rules(direction)
        return governs and (not allowed or (direction == "Egress" and all(rule.names_only for rule in allowed)))

    def allows_all(self, direction: Direction) -> bool:
        """Whether it selects every pod and allows everything that way."""
        governs = self.selector.everything and direction in self.types
        return governs and any(rule.everything for rule in self.rules(direction))


def denied_by_default(policies: Iterable[NetworkPolicy], direction: Direction) -> bool:
    """Whether the policies of one namespace together let nothing through that way unless some policy says so."""
    known = tuple(policies)
    undone = any(policy.allows_all(direction) for policy in known)
    return not undone and any(policy.denies_all(direction) for policy in known)


def selecting(policies: Iterable[NetworkPolicy], labels: Mapping[str, str]) -> tuple[str, ...]:
    """The names of those policies of a pod's namespace that select it."""
    return tuple(sorted(policy.name for policy in policies if policy.selector.matches(labels)))
