"""Distributions as their evidence shows them."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.collectors.aws.cloudfront import Distribution, delivery_sources, distribution, has_delivery_source
from auditor.domain.reading import Readings, Seen, Unseen

DENIED = {"$unseen": "AccessDenied logs:DescribeDeliverySources"}
HIDDEN = Unseen("AccessDenied logs:DescribeDeliverySources")
SOURCE = {"resourceArn": "arn", "name": "mine"}
STREAM = {"RealtimeLogConfigArn": "arn:aws:cloudfront::111122223333:realtime-log-config/all"}


def described(**content: Any) -> Distribution:
    known = {
        "Id": "E1",
        "Enabled": True,
        "DefaultCacheBehavior": {"ViewerProtocolPolicy": "https-only"},
        "config": {"DistributionConfig": {"Logging": {"Enabled": False}}},
        "delivery_sources": [],
    }
    document: Distribution = distribution.describe({**known, **content})
    return document


def origins(*found: dict[str, Any]) -> Distribution:
    return described(Origins={"Items": list(found)})


def test_every_behaviour_counts_for_plain_http() -> None:
    assert described().clear_paths == Seen(())
    others = [
        {"PathPattern": "/api/*", "ViewerProtocolPolicy": "redirect-to-https"},
        {"PathPattern": "/files/*", "ViewerProtocolPolicy": "allow-all"},
    ]
    assert described(CacheBehaviors={"Items": others}).clear_paths == Seen(("/files/*",))
    assert described(DefaultCacheBehavior={"ViewerProtocolPolicy": "allow-all"}).clear_paths == Seen(("*",))


@pytest.mark.parametrize(
    ("told", "level"),
    [
        ("SSLv3", "0.3.0"),
        ("TLSv1", "1.0.0"),
        ("TLSv1_2016", "1.0.2016"),
        ("TLSv1.1_2016", "1.1.2016"),
        ("TLSv1.2_2021", "1.2.2021"),
        ("TLSv1.3_2025", "1.3.2025"),
    ],
)
def test_the_minimum_protocol_is_a_version(told: str, level: str) -> None:
    assert described(ViewerCertificate={"MinimumProtocolVersion": told}).tls_level == Seen(level)


def test_the_shared_certificate_allows_old_tls_whatever_is_set() -> None:
    shared = {"CloudFrontDefaultCertificate": True, "MinimumProtocolVersion": "TLSv1.2_2021"}
    assert described(ViewerCertificate=shared).tls_level == Seen("1.0.0")


def test_a_protocol_of_another_spelling_is_unknown() -> None:
    assert isinstance(described(ViewerCertificate={"MinimumProtocolVersion": "QUIC"}).tls_level, Unseen)
    assert isinstance(described().tls_level, Unseen)


@pytest.mark.parametrize(
    "host",
    [
        "charts.s3.amazonaws.com",
        "charts.s3.eu-west-1.amazonaws.com",
        "charts.s3-eu-west-1.amazonaws.com",
        "charts.s3.dualstack.eu-west-1.amazonaws.com",
        "my.charts.s3.cn-north-1.amazonaws.com.cn",
    ],
)
def test_a_bucket_without_an_identity_is_open_however_it_is_written(host: str) -> None:
    assert origins({"DomainName": host}).open_s3_origins == Seen((host,))
    empty = {"DomainName": host, "S3OriginConfig": {"OriginAccessIdentity": ""}, "OriginAccessControlId": ""}
    assert origins(empty).open_s3_origins == Seen((host,))


@pytest.mark.parametrize(
    "guard",
    [
        {"OriginAccessControlId": "E2", "S3OriginConfig": {"OriginAccessIdentity": ""}},
        {"S3OriginConfig": {"OriginAccessIdentity": "origin-access-identity/cloudfront/E1"}},
    ],
)
def test_an_access_control_or_an_identity_guards_a_bucket(guard: dict[str, Any]) -> None:
    seen = origins({"DomainName": "charts.s3.amazonaws.com", **guard})
    assert (seen.has_s3_origins, seen.open_s3_origins) == (Seen(value=True), Seen(()))


@pytest.mark.parametrize(
    "host",
    [
        "api.example.com",
        "charts.s3-website-eu-west-1.amazonaws.com",
        "charts.s3-website.eu-central-1.amazonaws.com",
        "lb-1.eu-west-1.elb.amazonaws.com",
        "my.s3.example.com",
    ],
)
def test_websites_and_other_hosts_are_no_buckets(host: str) -> None:
    assert origins({"DomainName": host}).has_s3_origins == Seen(value=False)


def test_the_own_log_is_enough_even_if_deliveries_are_hidden() -> None:
    own = {"DistributionConfig": {"Logging": {"Enabled": True}}}
    assert described(config=own, delivery_sources=DENIED).logged == Seen(value=True)
    assert described(delivery_sources=DENIED).logged == HIDDEN
    assert described(config=DENIED).logged == HIDDEN


def test_real_time_logs_count_where_every_behaviour_sends_them() -> None:
    whole = {"DefaultCacheBehavior": STREAM, "CacheBehaviors": {"Items": [STREAM]}}
    part = {
        "DefaultCacheBehavior": STREAM,
        "CacheBehaviors": {"Items": [{"PathPattern": "/x", "RealtimeLogConfigArn": ""}]},
    }
    assert described(config={"DistributionConfig": whole}).logged == Seen(value=True)
    assert described(config={"DistributionConfig": part}).logged == Seen(value=False)


def test_a_delivery_from_the_distributions_own_source_counts() -> None:
    mine, other = {"deliverySourceName": "mine"}, {"deliverySourceName": "other"}
    assert described(delivery_sources=[SOURCE], deliveries=[other, mine]).logged == Seen(value=True)
    assert described(delivery_sources=[SOURCE], deliveries=[other]).logged == Seen(value=False)
    assert described(delivery_sources=[SOURCE], deliveries=[other, DENIED]).logged == HIDDEN
    assert described(delivery_sources=[SOURCE], deliveries=DENIED).logged == HIDDEN


def test_sources_cut_short_leave_the_question_open() -> None:
    assert described(delivery_sources=[SOURCE, DENIED], deliveries=[]).logged == HIDDEN


def test_a_source_is_found_by_each_resource_it_takes_logs_from() -> None:
    page = {"deliverySources": [{"name": "s", "resourceArns": ["a", "b"]}, {"name": "t"}]}
    assert list(delivery_sources(page)) == [{"resourceArn": "a", "name": "s"}, {"resourceArn": "b", "name": "s"}]


@pytest.mark.parametrize(("sources", "asked"), [([SOURCE], True), ([], False), (DENIED, False)])
def test_deliveries_are_asked_for_where_there_is_a_source(sources: Any, *, asked: bool) -> None:
    assert has_delivery_source(Readings({"delivery_sources": sources}, distribution.names)) is asked


def test_a_web_acl_may_be_an_empty_text() -> None:
    assert described(WebACLId="").behind_waf == described().behind_waf == Seen(value=False)
    assert described(WebACLId="arn").behind_waf == Seen(value=True)


def test_the_name_people_know_stands_beside_the_id() -> None:
    assert described(Aliases={"Items": ["www.example.com"]}).name == Seen("E1 (www.example.com)")
    assert described().name == Seen("E1")
