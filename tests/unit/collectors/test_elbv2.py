"""Load balancers as their evidence shows them."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.collectors.aws.elbv2 import LoadBalancer, judged_attributes, load_balancer, takes_web_acl
from auditor.domain.reading import Readings, Seen, Unseen

DENIED = {"$unseen": "AccessDenied elasticloadbalancing:DescribeListeners"}
HIDDEN = Unseen("AccessDenied elasticloadbalancing:DescribeListeners")
REDIRECT = {"Type": "redirect", "RedirectConfig": {"Protocol": "HTTPS"}}
TLS = {"Protocol": "HTTPS", "Port": 443, "SslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06"}


def described(**content: Any) -> LoadBalancer:
    known = {"LoadBalancerName": "edge", "Type": "application", "Scheme": "internet-facing"}
    document: LoadBalancer = load_balancer.describe({**known, "attributes": [], "listeners": [], **content})
    return document


def http(*actions: dict[str, Any]) -> dict[str, Any]:
    return {"Protocol": "HTTP", "Port": 80, "DefaultActions": list(actions)}


@pytest.mark.parametrize(
    "actions",
    [
        [{"Type": "forward"}],
        [],
        [{"Type": "redirect", "RedirectConfig": {"Protocol": "HTTP"}}],
        [{"Type": "redirect", "RedirectConfig": {"Protocol": "#{protocol}"}}],
        [{"Type": "redirect", "RedirectConfig": {}}],
        [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}],
        [REDIRECT, {"Type": "forward"}],
    ],
)
def test_a_listener_that_answers_over_http_serves_in_the_clear(actions: list[dict[str, Any]]) -> None:
    assert described(listeners=[http(*actions)]).clear_listeners == ("HTTP:80",)


@pytest.mark.parametrize("action", [REDIRECT, {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "403"}}])
def test_a_listener_that_turns_callers_away_may_still_serve_some_by_a_rule(action: dict[str, Any]) -> None:
    (found,) = described(listeners=[http(action)]).clear_listeners
    assert found == Unseen("the rules of listener HTTP:80 are not read: elasticloadbalancing:DescribeRules")


@pytest.mark.parametrize("protocol", ["HTTPS", "TLS", "TCP", "UDP", "TCP_UDP", "GENEVE"])
def test_only_http_is_weighed_for_clear_text(protocol: str) -> None:
    assert described(listeners=[{"Protocol": protocol, "Port": 443}]).clear_listeners == ()


def test_the_policies_of_all_listeners_with_tls_are_told() -> None:
    old = {"Protocol": "TLS", "Port": 8443, "SslPolicy": "ELBSecurityPolicy-2016-08"}
    seen = described(listeners=[TLS, old, {"Protocol": "TCP", "Port": 25}])
    assert seen.tls_policies == (TLS["SslPolicy"], old["SslPolicy"])
    assert seen.has_tls_listeners == Seen(value=True)


def test_a_listener_with_tls_but_without_a_policy_is_unseen() -> None:
    (found,) = described(listeners=[{"Protocol": "TLS", "Port": 443}]).tls_policies
    assert isinstance(found, Unseen)


def test_listeners_we_may_not_read_are_unknown() -> None:
    seen = described(listeners=DENIED)
    assert seen.clear_listeners == seen.tls_policies == (HIDDEN,)
    assert seen.has_listeners == seen.has_tls_listeners == HIDDEN


def test_a_listing_cut_short_keeps_what_it_showed_and_says_that_there_may_be_more() -> None:
    seen = described(listeners=[http({"Type": "forward"}), DENIED])
    assert seen.clear_listeners == ("HTTP:80", HIDDEN)
    assert seen.has_listeners == Seen(value=True)
    assert seen.has_tls_listeners == HIDDEN


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
