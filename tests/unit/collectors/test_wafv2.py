"""Web ACLs as their evidence shows them."""

from __future__ import annotations

import pytest

from auditor.collectors.aws.wafv2 import cloudfront_web_acl, web_acl
from auditor.domain.reading import Seen, Unseen
from auditor.domain.resource_type import ResourceType


@pytest.mark.parametrize("kind", [web_acl, cloudfront_web_acl])
def test_no_configuration_is_no_target_and_a_hidden_one_is_unknown(kind: ResourceType) -> None:
    logging = {"LoggingConfiguration": {"LogDestinationConfigs": ["arn:aws:s3:::aws-waf-logs-edge"]}}
    assert kind.describe({"Name": "edge", "logging": logging}).log_targets == Seen(("arn:aws:s3:::aws-waf-logs-edge",))
    assert kind.describe({"Name": "edge", "logging": None}).log_targets == Seen(())
    assert kind.describe({"Name": "edge", "logging": {"$unseen": "denied"}}).log_targets == Unseen("denied")


def test_each_scope_is_asked_where_it_stands() -> None:
    assert web_acl.place == "region"
    assert cloudfront_web_acl.place == "account"
    assert web_acl.listing is not None
    assert cloudfront_web_acl.listing is not None
    scopes = (web_acl.listing.params["Scope"], cloudfront_web_acl.listing.params["Scope"])
    assert scopes == ("REGIONAL", "CLOUDFRONT")
