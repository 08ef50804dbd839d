from __future__ import annotations

from ipaddress import IPv4Network, collapse_addresses, ip_address, ip_network

from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.domain.network import Addresses, Rule, is_world, openings
from auditor.domain.reading import Seen

SMALL = settings(max_examples=60)


@st.composite
def ranges(draw: st.DrawFn) -> str:
    length = draw(st.integers(0, 6))
    first = draw(st.integers(0, 2**length - 1)) << (32 - length) if length else 0
    return f"{ip_address(first)}/{length}"


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    first, last = sorted((draw(st.integers(0, 12)), draw(st.integers(0, 12))))
    addresses = Addresses.of(draw(st.lists(ranges(), min_size=1, max_size=2)))
    return Rule(draw(st.sampled_from(["6", "17", "-1"])), first, last, Seen(addresses), draw(st.booleans()))


def holds(addresses: Addresses, address: int) -> bool:
    return any(first <= address <= last for first, last in addresses.v4)


@SMALL
@given(st.lists(ranges(), max_size=5))
def test_splitting_a_range_changes_nothing(texts: list[str]) -> None:
    halves = [str(half) for text in texts for half in ip_network(text).subnets()]
    assert Addresses.of(halves) == Addresses.of(texts)
    assert is_world(halves) == is_world(texts)


@SMALL
@given(st.lists(ranges(), max_size=5))
def test_the_widest_public_range_is_the_one_that_the_standard_library_finds(texts: list[str]) -> None:
    private = [IPv4Network(text) for text in ("0.0.0.0/8", "10.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3")]
    merged = collapse_addresses(IPv4Network(text) for text in texts)
    public = [each.prefixlen for each in merged if not any(each.subnet_of(block) for block in private)]
    assert Addresses.of(texts).widest() == min(public, default=None)


@SMALL
@given(st.lists(ranges(), max_size=4), ranges())
def test_letting_in_more_never_looks_narrower(texts: list[str], more: str) -> None:
    assert is_world([*texts, more]) or not is_world(texts)


@SMALL
@given(st.lists(ranges(), max_size=4), st.lists(ranges(), max_size=4), st.integers(0, 2**32 - 1))
def test_sums_and_differences_hold_the_addresses_of_sets(first: list[str], second: list[str], address: int) -> None:
    one, two = Addresses.of(first), Addresses.of(second)
    assert holds(Addresses.union((one, two)), address) == (holds(one, address) or holds(two, address))
    assert holds(one - two, address) == (holds(one, address) and not holds(two, address))


@SMALL
@given(st.lists(rules(), max_size=5), st.integers(0, 14), st.sampled_from(["tcp", "udp"]))
def test_openings_agree_with_walking_the_rules_for_one_port(lines: list[Rule], port: int, transport: str) -> None:
    left = Addresses()
    decided = Addresses()
    for line in lines:
        span = line.ports(transport)
        if span is not None and span[0] <= port <= span[1] and isinstance(line.addresses, Seen):
            let_in = line.addresses.value - decided if line.allow else Addresses()
            left = Addresses.union((left, let_in))
            decided = Addresses.union((decided, line.addresses.value))
    widths = [
        opening.prefix.value
        for opening in openings(lines)
        if opening.transport == transport
        and opening.from_port <= port <= opening.to_port
        and isinstance(opening.prefix, Seen)
    ]
    assert min(widths, default=None) == left.widest()


@SMALL
@given(st.lists(rules().filter(lambda rule: rule.allow), max_size=5))
def test_the_order_of_allowing_rules_means_nothing(lines: list[Rule]) -> None:
    assert openings(lines[::-1]) == openings(lines)
