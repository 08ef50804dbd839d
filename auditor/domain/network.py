"""Who may reach which port: address ranges added up, and what ordered rules leave open.

Ranges and rules come in as text and numbers, openings leave. The rule guarded here: what matters is the set of addresses,
not how somebody wrote it, so ``0.0.0.0/1`` beside ``128.0.0.0/1`` is the world, in one rule or spread over several.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_network
from itertools import groupby, pairwise
from operator import itemgetter
from typing import TypeAlias

from auditor.domain.reading import Reading, Seen, Unseen

Span: TypeAlias = tuple[int, int]
"""First and last number of a closed stretch of addresses or ports."""

WORLD_PREFIX = 8
"""A public range with a shorter prefix than this counts as the world: nobody owns so many addresses."""

LAST_PORT = 65535
_TRANSPORTS = {
    "-1": ("tcp", "udp"),
    "all": ("tcp", "udp"),
    "6": ("tcp",),
    "tcp": ("tcp",),
    "17": ("udp",),
    "udp": ("udp",),
}

# Our own list, because the standard library's idea of a global address moves between Python versions,
# and a verdict must come out the same in six years.
_NOT_PUBLIC_4 = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "224.0.0.0/3",
)
_NOT_PUBLIC_6 = ("fc00::/7", "fe80::/10")


@dataclass(frozen=True, slots=True)
class Addresses:
    """A set of addresses, as sorted stretches that do not touch, so that equal sets are equal values."""

    v4: tuple[Span, ...] = ()
    v6: tuple[Span, ...] = ()

    @classmethod
    def of(cls, ranges: Iterable[str]) -> Addresses:
        """The addresses of CIDR ranges or single addresses of either family.

        Raises:
            ValueError: A text that is no range. Skipping it could hide the one that is open.
        """
        spans: tuple[list[Span], list[Span]] = ([], [])
        for text in ranges:
            network = ip_network(text.strip(), strict=False)
            spans[network.version == 6].append((int(network.network_address), int(network.broadcast_address)))
        return cls(_joined(spans[0]), _joined(spans[1]))

    @classmethod
    def union(cls, sets: Iterable[Addresses]) -> Addresses:
        """The addresses that any of the sets holds."""
        known = tuple(sets)
        return cls(
            _joined(span for each in known for span in each.v4),
            _joined(span for each in known for span in each.v6),
        )

    def __sub__(self, other: Addresses) -> Addresses:
        return Addresses(_without(self.v4, other.v4), _without(self.v6, other.v6))

    def widest(self) -> int | None:
        """The shortest public prefix inside, 0 being the whole world and ``None`` nothing public.

        An IPv6 prefix counts half its length, which puts /16 there beside /8 here: one number compares both.
        """
        four = _public_prefixes(self.v4, 32, _NOT_PUBLIC_4)
        six = (prefix // 2 for prefix in _public_prefixes(self.v6, 128, _NOT_PUBLIC_6))
        return min((*four, *six), default=None)


def is_world(ranges: Iterable[str], *, max_prefix: int = WORLD_PREFIX) -> bool:
    """Whether these ranges together let in everybody, or so many that nobody could have meant fewer."""
    widest = Addresses.of(ranges).widest()
    return widest is not None and widest < max_prefix


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a filter: a protocol by name or number, a port range where it has one, and who it lets in or keeps out."""

    protocol: str
    from_port: int | None
    to_port: int | None
    addresses: Reading[Addresses]
    allow: bool = True

    def ports(self, transport: str) -> Span | None:
        """The ports of a transport that the rule reaches; without named ports all of them, ``None`` if none."""
        if transport not in _TRANSPORTS.get(self.protocol.lower(), ()):
            return None
        if self.protocol.lower() in {"-1", "all"} or self.from_port in {None, -1} or self.to_port in {None, -1}:
            return 0, LAST_PORT
        return self.from_port or 0, self.to_port or 0


@dataclass(frozen=True, slots=True)
class Opening:
    """A stretch of ports, each reached from a public range with a prefix of at most this length (see ``widest``)."""

    transport: str
    from_port: int
    to_port: int
    prefix: Reading[int]


def openings(rules: Sequence[Rule]) -> tuple[Opening, ...]:
    """What ordered rules leave open to public addresses: the first rule that matches a packet decides.

    Where order means nothing (security groups) every rule allows, and the order given does no harm.
    There is one opening per width and longest stretch of ports, so narrow stretches lie inside wider ones:
    "all ports" is one opening however many rules wrote it. A rule whose addresses are unseen leaves an
    opening of unseen width on its own ports and says nothing about the others.
    """
    return tuple(opening for transport in ("tcp", "udp") for opening in _openings(tuple(rules), transport))


def _openings(rules: tuple[Rule, ...], transport: str) -> Iterator[Opening]:
    reaches = [(rule, span) for rule in rules if (span := rule.ports(transport)) is not None]
    edges = sorted({edge for _, (first, last) in reaches for edge in (first, last + 1)})
    widths: list[tuple[Span, int]] = []
    unseen: list[tuple[Span, str]] = []
    answers: dict[tuple[int, ...], tuple[int | None, tuple[str, ...]]] = {}
    for first, after in pairwise(edges):
        matching = tuple(place for place, (_, span) in enumerate(reaches) if span[0] <= first <= span[1])
        if matching not in answers:
            answers[matching] = _left_open(reaches[place][0] for place in matching)
        width, reasons = answers[matching]
        if width is not None:
            widths.append(((first, after - 1), width))
        unseen.extend(((first, after - 1), reason) for reason in reasons)
    for level in sorted({width for _, width in widths}):
        for first, last in _joined(span for span, width in widths if width <= level):
            yield Opening(transport, first, last, Seen(level))
    for reason in sorted({reason for _, reason in unseen}):
        for first, last in _joined(span for span, why in unseen if why == reason):
            yield Opening(transport, first, last, Unseen(reason))


def _left_open(rules: Iterable[Rule]) -> tuple[int | None, tuple[str, ...]]:
    allowed, decided = Addresses(), Addresses()
    known: list[tuple[bool, Addresses]] = []
    reasons: list[str] = []
    for rule in rules:
        if isinstance(rule.addresses, Unseen):
            reasons.append(rule.addresses.reason)
        else:
            known.append((rule.allow, rule.addresses.value))
    for allow, run in groupby(known, key=itemgetter(0)):  # within a run of one kind the order means nothing
        reached = Addresses.union(addresses for _, addresses in run)
        if allow:
            allowed = Addresses.union((allowed, reached - decided))
        decided = Addresses.union((decided, reached))
    return allowed.widest(), tuple(reasons)


def _public_prefixes(spans: Iterable[Span], bits: int, private: tuple[str, ...]) -> Iterator[int]:
    """The prefix length of every aligned block that makes up the stretches and is not wholly private."""
    closed = _private(private)
    for first, last in spans:
        start = first
        while start <= last:
            size = min(start & -start or 1 << bits, 1 << (last - start + 1).bit_length() - 1)
            if not any(low <= start and start + size - 1 <= high for low, high in closed):
                yield bits + 1 - size.bit_length()
            start += size


@cache
def _private(ranges: tuple[str, ...]) -> tuple[Span, ...]:
    addresses = Addresses.of(ranges)
    return addresses.v4 or addresses.v6


def _joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same numbers as sorted stretches that neither overlap nor touch."""
    joined: list[Span] = []
    for first, last in sorted(spans):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = joined[-1][0], max(joined[-1][1], last)
        else:
            joined.append((first, last))
    return tuple(joined)


def _without(spans: Sequence[Span], removed: Sequence[Span]) -> tuple[Span, ...]:
    left = list(spans)
    for cut_first, cut_last in removed:
        left = [
            piece
            for first, last in left
            for piece in ((first, min(last, cut_first - 1)), (max(first, cut_last + 1), last))
            if piece[0] <= piece[1]
        ]
    return tuple(left)
