"""Classic load balancers as their evidence shows them."""

from __future__ import annotations

from typing import Any

from auditor.collectors.aws.elb import ClassicLoadBalancer, load_balancer
from auditor.domain.reading import Seen, Unseen


def described(*listeners: tuple[str, int], attributes: Any = None) -> ClassicLoadBalancer:
    found = [{"Listener": {"Protocol": protocol, "LoadBalancerPort": port}} for protocol, port in listeners]
    document: ClassicLoadBalancer = load_balancer.describe(
        {"LoadBalancerName": "old", "ListenerDescriptions": found, "attributes": attributes}
    )
    return document


def test_listeners_without_tls_are_named() -> None:
    seen = described(("HTTPS", 443), ("ssl", 993), ("HTTP", 80), ("TCP", 25))
    assert seen.clear_listeners == Seen(("HTTP:80", "TCP:25"))
    assert seen.listeners == Seen(4)


def test_one_without_listeners_serves_nothing() -> None:
    assert (described().listeners, described().clear_listeners) == (Seen(0), Seen(()))


def test_access_logs_are_on_off_or_not_seen() -> None:
    for enabled in (True, False):
        answer = {"LoadBalancerAttributes": {"AccessLog": {"Enabled": enabled}}}
        assert described(attributes=answer).access_logged == Seen(enabled)
    assert described(attributes={"$unseen": "denied"}).access_logged == Unseen("denied")
    assert described(attributes={}).access_logged == Unseen("AccessLog is not in the answer")
