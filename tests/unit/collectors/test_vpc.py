from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from auditor.collectors.aws.vpc import RecordedSubnet, TrafficLog, leads_to_s3, records, subnet, traffic_log, vpc
from auditor.domain.reading import Seen, Unseen
from auditor.domain.resource_type import Joined, Member, Population

DENIED = {"$unseen": "AccessDenied ec2:DescribeFlowLogs"}
UNSEEN = Unseen("AccessDenied ec2:DescribeFlowLogs")
WORKING = {"FlowLogStatus": "ACTIVE", "DeliverLogsStatus": "SUCCESS", "TrafficType": "ALL"}
GATEWAY = {"VpcEndpointType": "Gateway", "State": "available", "ServiceName": "com.amazonaws.eu-west-1.s3"}


def traffic(
    flow_logs: Any, subnets: Mapping[tuple[str, str], Any] | None = None, more: str | None = None
) -> TrafficLog:
    whole = Member("vpc-1", "eu-west-1", vpc.describe({"VpcId": "vpc-1", "flow_logs": flow_logs}))
    members = (
        Member(id_, "eu-west-1", subnet.describe({"SubnetId": id_, "VpcId": vpc_id, "flow_logs": logs}))
        for (id_, vpc_id), logs in (subnets or {}).items()
    )
    populations = {vpc.name: Population((whole,)), subnet.name: Population(tuple(members), more)}
    document: TrafficLog = traffic_log.describe(Joined("111122223333", "eu-west-1", whole, populations))
    return document


def test_a_flow_log_of_the_vpc_records_it() -> None:
    assert traffic([WORKING]).recorded == Seen(value=True)


@pytest.mark.parametrize(
    "broken", [{"FlowLogStatus": "INACTIVE"}, {"DeliverLogsStatus": "FAILED"}, {"TrafficType": "ACCEPT"}]
)
def test_a_flow_log_that_does_not_work_records_nothing(broken: dict[str, str]) -> None:
    assert not records({**WORKING, **broken})
    assert traffic([{**WORKING, **broken}]).recorded == Seen(value=False)


def test_a_flow_log_of_refused_traffic_that_has_delivered_nothing_yet_records() -> None:
    assert records({"FlowLogStatus": "ACTIVE", "TrafficType": "REJECT"})


def test_flow_logs_that_may_not_be_listed_are_unseen() -> None:
    assert traffic(DENIED).recorded == UNSEEN
    assert traffic([{**WORKING, "TrafficType": "ACCEPT"}, DENIED]).recorded == UNSEEN


def test_only_the_subnets_of_the_vpc_stand_under_it() -> None:
    seen = traffic([], {("subnet-a", "vpc-1"): [WORKING], ("subnet-b", "vpc-2"): []})
    assert seen.subnets == (RecordedSubnet(Seen("subnet-a"), Seen(value=True)),)


def test_subnets_that_could_not_be_listed_keep_the_answer_open() -> None:
    assert traffic([], more="Throttling").subnets == (Unseen("Throttling"),)


def test_an_available_gateway_endpoint_leads_to_s3() -> None:
    assert leads_to_s3(GATEWAY)
    assert vpc.describe({"VpcId": "vpc-1", "endpoints": [GATEWAY]}).s3_gateway == Seen(value=True)


@pytest.mark.parametrize(
    "other",
    [
        {"VpcEndpointType": "Interface"},
        {"State": "pending"},
        {"ServiceName": "com.amazonaws.eu-west-1.dynamodb"},
        {"ServiceName": "com.amazonaws.eu-west-1.s3express"},
    ],
)
def test_no_other_endpoint_counts(other: dict[str, str]) -> None:
    assert not leads_to_s3({**GATEWAY, **other})


def test_interfaces_that_may_not_be_listed_are_unseen() -> None:
    assert vpc.describe({"VpcId": "vpc-1", "interfaces": DENIED}).has_interfaces == UNSEEN
    assert vpc.describe({"VpcId": "vpc-1", "interfaces": []}).has_interfaces == Seen(value=False)


def test_a_subnet_tells_its_tags_as_pairs() -> None:
    tags = [{"Key": "Tier", "Value": "public"}, {"Key": "Name", "Value": "a"}]
    seen = subnet.describe({"SubnetId": "subnet-1", "VpcId": "vpc-1", "MapPublicIpOnLaunch": True, "Tags": tags})
    assert seen.tags == Seen(("Name=a", "Tier=public"))
    assert seen.gives_public_ip == Seen(value=True)
