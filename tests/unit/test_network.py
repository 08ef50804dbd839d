from __future__ import annotations

import pytest

from auditor.domain.network import Addresses, Opening, Rule, is_world, openings
from auditor.domain.reading import Reading, Seen, Unseen


def rule(protocol: str, ports: tuple[int, int] | None, *ranges: str, allow: bool = True) -> Rule:
    first, last = ports or (None, None)
    return Rule(protocol, first, last, Seen(Addresses.of(ranges)), allow)


def reach(rules: list[Rule], transport: str, port: int) -> set[Reading[int]]:
    return {
        opening.prefix
        for opening in openings(rules)
        if opening.transport == transport and opening.from_port <= port <= opening.to_port
    }


@pytest.mark.parametrize(
    "ranges",
    [
        ["0.0.0.0/0"],
        ["0.0.0.0/1", "128.0.0.0/1"],
        ["128.0.0.0/2", "0.0.0.0/1", "192.0.0.0/2", "10.0.0.0/8"],
        ["3.0.0.0/7"],
        ["::/0"],
        ["::/1", "8000::/1"],
        ["2000::/3"],
        ["2a00::/15"],
    ],
)
def test_what_adds_up_to_the_world_is_the_world(ranges: list[str]) -> None:
    assert is_world(ranges)


@pytest.mark.parametrize(
    "ranges",
    [
        [],
        ["3.0.0.0/8"],
        ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"],
        ["224.0.0.0/3"],
        ["203.0.113.7"],
        ["fc00::/7"],
        ["fd00::/8"],
        ["fe80::/10"],
        ["2a00::/16"],
    ],
)
def test_what_somebody_may_own_is_not_the_world(ranges: list[str]) -> None:
    assert not is_world(ranges)


def test_the_bound_is_a_parameter() -> None:
    assert is_world(["3.0.0.0/12"], max_prefix=13)
    assert not is_world(["3.0.0.0/7"], max_prefix=7)


def test_a_text_that_is_no_range_is_refused() -> None:
    with pytest.raises(ValueError, match="anywhere"):
        Addresses.of(["10.0.0.0/8", "anywhere"])


def test_a_private_range_opens_nothing() -> None:
    assert openings([rule("tcp", (22, 22), "10.0.0.0/8", "fd00::/8")]) == ()


def test_all_traffic_opens_every_port_of_both_transports() -> None:
    assert openings([rule("-1", None, "0.0.0.0/0")]) == (
        Opening("tcp", 0, 65535, Seen(0)),
        Opening("udp", 0, 65535, Seen(0)),
    )


def test_protocol_numbers_mean_their_names() -> None:
    assert openings([rule("6", (22, 22), "::/0")]) == openings([rule("tcp", (22, 22), "::/0")])
    assert openings([rule("17", (69, 69), "::/0")]) == openings([rule("udp", (69, 69), "::/0")])
    assert openings([rule("1", (8, 0), "0.0.0.0/0"), rule("icmpv6", (-1, -1), "::/0")]) == ()


def test_a_rule_without_ports_reaches_all_of_them() -> None:
    assert openings([rule("tcp", None, "0.0.0.0/0")]) == (Opening("tcp", 0, 65535, Seen(0)),)


def test_halves_of_the_world_in_two_rules_meet_where_both_reach() -> None:
    halves = [rule("tcp", (20, 25), "0.0.0.0/1"), rule("tcp", (22, 30), "128.0.0.0/1")]
    assert Seen(0) in reach(halves, "tcp", 22)
    assert reach(halves, "tcp", 21) == {Seen(1)}
    assert reach(halves, "udp", 22) == set()


def test_every_port_is_one_opening_however_many_rules_wrote_it() -> None:
    pieces = [
        rule("tcp", (0, 1000), "0.0.0.0/0"),
        rule("tcp", (1001, 65535), "0.0.0.0/1", "128.0.0.0/1"),
        rule("tcp", (443, 443), "3.4.5.6/32"),
    ]
    assert openings(pieces) == (Opening("tcp", 0, 65535, Seen(0)),)


def test_a_wider_stretch_keeps_its_length_where_a_part_is_wider_still() -> None:
    assert openings([rule("tcp", (0, 65535), "3.0.0.0/6"), rule("tcp", (22, 22), "0.0.0.0/0")]) == (
        Opening("tcp", 22, 22, Seen(0)),
        Opening("tcp", 0, 65535, Seen(6)),
    )


def test_ranges_that_were_not_seen_are_unknown_on_their_own_ports_only() -> None:
    rules = [rule("tcp", (443, 443), "3.4.5.6/32"), Rule("tcp", 22, 22, Unseen("AccessDenied"))]
    assert reach(rules, "tcp", 22) == {Unseen("AccessDenied")}
    assert reach(rules, "tcp", 443) == {Seen(32)}


def test_a_rule_that_is_seen_stands_beside_one_that_is_not() -> None:
    rules = [rule("tcp", (22, 22), "0.0.0.0/0"), Rule("tcp", 22, 22, Unseen("AccessDenied"))]
    assert reach(rules, "tcp", 22) == {Seen(0), Unseen("AccessDenied")}


def test_the_first_rule_that_matches_decides() -> None:
    deny, allow = rule("6", (22, 22), "0.0.0.0/0", allow=False), rule("-1", None, "0.0.0.0/0")
    assert reach([deny, allow], "tcp", 22) == set()
    assert reach([deny, allow], "tcp", 23) == {Seen(0)}
    assert reach([allow, deny], "tcp", 22) == {Seen(0)}


def test_a_denied_network_does_not_close_the_rest_of_the_world() -> None:
    rules = [rule("-1", None, "198.51.100.0/24", allow=False), rule("-1", None, "0.0.0.0/0")]
    assert reach(rules, "tcp", 3389) == {Seen(1)}


def test_two_denied_halves_close_the_world() -> None:
    rules = [
        rule("-1", None, "0.0.0.0/1", allow=False),
        rule("6", (0, 65535), "128.0.0.0/1", allow=False),
        rule("-1", None, "0.0.0.0/0"),
    ]
    assert reach(rules, "tcp", 22) == set()
    assert reach(rules, "udp", 22) == {Seen(1)}
