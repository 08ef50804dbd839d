"""Auto Scaling groups as their evidence shows them."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.collectors.aws.autoscaling import Group, group
from auditor.domain.reading import Seen


def described(**content: Any) -> Group:
    document: Group = group.describe({"AutoScalingGroupName": "app", **content})
    return document


@pytest.mark.parametrize(
    ("attached", "balanced"),
    [
        ({}, False),
        ({"LoadBalancerNames": [], "TargetGroupARNs": []}, False),
        ({"LoadBalancerNames": ["old"]}, True),
        ({"TargetGroupARNs": ["arn"]}, True),
        ({"TrafficSources": [{"Type": "elbv2"}]}, True),
        ({"TrafficSources": [{"Type": "vpc-lattice"}]}, False),
    ],
)
def test_a_group_is_balanced_however_it_was_attached(attached: dict[str, Any], *, balanced: bool) -> None:
    assert described(**attached).balanced == Seen(balanced)


def test_health_checks_may_be_several_in_one_text() -> None:
    assert described(HealthCheckType="EC2, ELB,EBS").health_checks == Seen(("EC2", "ELB", "EBS"))
    assert described().health_checks == Seen(())


def test_a_zone_counts_once() -> None:
    assert described(AvailabilityZones=["b", "a", "a"]).zones == Seen(("a", "b"))
