"""Load balancers and their listeners as their evidence shows them."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.collectors.aws.elbv2 import LoadBalancer, judged_attributes, load_balancer, takes_web_acl
from auditor.collectors.aws.elbv2_listeners import Listener, listener, turns_away_by_default
from auditor.domain.reading import Readings, Seen, Unseen

DENIED = {"$unseen": "AccessDenied elasticloadbalancing:DescribeLoadBalancerAttributes"}
HIDDEN = Unseen(DENIED["$unseen"])
ARN = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:listener/app/edge/50dc6c495c0c9188/f2f7dc8efc522ab2"
REDIRECT = {"Type": "redirect", "RedirectConfig": {"Protocol": "HTTPS"}}
REFUSAL = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "403"}}
FORWARD = {"Type": "forward"}
POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06"


def described(**content: Any) -> LoadBalancer:
    known = {"LoadBalancerName": "edge", "Type": "application", "Scheme": "internet-facing"}
    document: LoadBalancer = load_balancer.describe({**known, "attributes": [], "listeners": [], **content})
    return document


def listening(protocol: str | None = "HTTP", *actions: dict[str, Any], **content: Any) -> Listener:
    told = {"ListenerArn": ARN, "Protocol": protocol, "Port": 80, "DefaultActions": list(actions)}
    document: Listener = listener.describe({**told, **content})
    return document


@pytest.mark.parametrize(
    "actions",
    [
        [FORWARD],
        [],
        [{"Type": "redirect", "RedirectConfig": {"Protocol": "HTTP"}}],
        [{"Type": "redirect", "RedirectConfig": {"Protocol": "#{protocol}"}}],
        [{"Type": "redirect", "RedirectConfig": {}}],
        [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}],
        [REDIRECT, FORWARD],
    ],
)
def test_a_listener_that_answers_over_http_serves_in_the_clear_whatever_its_rules(
    actions: list[dict[str, Any]],
) -> None:
    assert listening("HTTP", *actions).serves_clear == Seen(value=True)


@pytest.mark.parametrize("default", [REDIRECT, REFUSAL])
@pytest.mark.parametrize(
    ("rules", "clear"),
    [
        ([{"Actions": [REDIRECT]}], Seen(value=False)),
        ([{"Actions": [REFUSAL]}, {"Actions": [REDIRECT]}], Seen(value=False)),
        ([{"Actions": [FORWARD]}, {"Actions": [REDIRECT]}], Seen(value=True)),
        ([{"Actions": [FORWARD]}, DENIED], Seen(value=True)),
        ([{"Actions": [REDIRECT]}, DENIED], HIDDEN),
        (DENIED, HIDDEN),
    ],
)
def test_a_listener_that_turns_callers_away_by_default_is_judged_by_its_rules(
    default: dict[str, Any], rules: Any, clear: Any
) -> None:
    assert listening("HTTP", default, rules=rules).serves_clear == clear


def test_no_rule_at_all_was_not_seen_since_each_listener_has_its_default_one() -> None:
    assert isinstance(listening("HTTP", REDIRECT, rules=[]).serves_clear, Unseen)


@pytest.mark.parametrize(
    ("protocol", "action", "asked"),
    [("HTTP", REDIRECT, True), ("HTTP", FORWARD, False), ("HTTPS", REDIRECT, False), ("TCP", FORWARD, False)],
)
def test_rules_are_asked_for_where_they_decide(protocol: str, action: dict[str, Any], *, asked: bool) -> None:
    content = {"Protocol": protocol, "DefaultActions": [action]}
    assert turns_away_by_default(Readings(content, listener.names)) is asked


@pytest.mark.parametrize("protocol", ["HTTPS", "TLS", "TCP", "UDP", "TCP_UDP", "GENEVE"])
def test_only_http_is_weighed_for_clear_text(protocol: str) -> None:
    assert listening(protocol, FORWARD).serves_clear == Seen(value=False)


@pytest.mark.parametrize("protocol", ["HTTPS", "TLS"])
def test_a_listener_with_tls_tells_its_policy_and_a_missing_one_was_not_seen(protocol: str) -> None:
    seen = listening(protocol, FORWARD, SslPolicy=POLICY)
    assert (seen.encrypted, seen.tls_policy) == (Seen(value=True), Seen(POLICY))
    assert isinstance(listening(protocol, FORWARD).tls_policy, Unseen)
    assert listening("TCP", FORWARD).tls_policy == Seen(None)


def test_a_listener_goes_by_its_load_balancer_and_its_port() -> None:
    assert listening("HTTP", FORWARD).name == "edge HTTP:80"
    assert listening(None, FORWARD, Port=None).name == "edge listener", "one of a gateway load balancer"


def test_a_load_balancer_knows_whether_one_of_its_listeners_speaks_tls() -> None:
    tls, plain = {"Protocol": "TLS"}, {"Protocol": "TCP"}
    assert described(listeners=[plain, tls, DENIED]).has_tls_listeners == Seen(value=True)
    assert described(listeners=[plain]).has_tls_listeners == Seen(value=False)
    assert described(listeners=[plain, DENIED]).has_tls_listeners == HIDDEN


def test_an_attribute_that_the_answer_lacks_was_not_seen() -> None:
    on = [{"Key": "deletion_protection.enabled", "Value": "true"}, {"Key": "access_logs.s3.enabled", "Value": "false"}]
    seen = described(attributes=on)
    assert (seen.deletion_protected, seen.access_logged) == (Seen(value=True), Seen(value=False))
    assert isinstance(seen.drops_bad_headers, Unseen)
    assert described(attributes=DENIED).access_logged == HIDDEN


def test_only_the_judged_attributes_are_kept() -> None:
    page = {"Attributes": [{"Key": "idle_timeout.timeout_seconds"}, {"Key": "access_logs.s3.enabled"}]}
    assert [each["Key"] for each in judged_attributes(page)] == ["access_logs.s3.enabled"]


@pytest.mark.parametrize(
    ("kind", "scheme", "asked"),
    [
        ("application", "internet-facing", True),
        ("application", "internal", False),
        ("network", "internet-facing", False),
        ("gateway", None, False),
    ],
)
def test_the_web_firewall_is_asked_for_where_there_can_be_one(kind: str, scheme: str | None, *, asked: bool) -> None:
    assert takes_web_acl(Readings({"Type": kind, "Scheme": scheme}, load_balancer.names)) is asked


def test_a_web_firewall_is_seen_absent_or_hidden() -> None:
    assert described(web_acl={"WebACL": {"ARN": "arn"}}).behind_waf == Seen(value=True)
    assert described(web_acl={}).behind_waf == described(web_acl=None).behind_waf == Seen(value=False)
    assert described(web_acl=DENIED).behind_waf == HIDDEN
