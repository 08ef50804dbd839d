"""ECS services and task definitions as their answers show them."""

from __future__ import annotations

import json
from typing import Any

from auditor.collectors.aws.ecs import (
    Service,
    TaskDefinition,
    batches,
    clusters,
    revisions,
    scan_definition,
    service,
    services,
    task_definition,
)
from auditor.domain.projection import plain
from auditor.domain.reading import Seen, Unseen

PLACE = "arn:aws:ecs:eu-west-1:111122223333"
QUIET = {"name": "web", "logConfiguration": {"logDriver": "awslogs"}}


def revision(number: int) -> str:
    return f"{PLACE}:task-definition/web:{number}"


def used(item: dict[str, Any]) -> list[str]:
    return [each["taskDefinition"] for each in revisions({"services": [item]})]


def network(public_ip: str) -> dict[str, Any]:
    return {"networkConfiguration": {"awsvpcConfiguration": {"assignPublicIp": public_ip}}}


def served(**item: Any) -> Service:
    (told,) = services({"services": [{"serviceName": "web", **item}]})
    document: Service = service.describe(told)
    return document


def defined(*containers: dict[str, Any], **settings: Any) -> TaskDefinition:
    answer = {"taskDefinition": {"containerDefinitions": list(containers), **settings}}
    document: TaskDefinition = task_definition.describe(
        {"taskDefinition": revision(7), "described": scan_definition(answer)}
    )
    return document


def test_services_are_described_ten_at_a_time() -> None:
    sizes = [len(each["batch"]) for each in batches({"serviceArns": [f"s-{number}" for number in range(23)]})]
    assert sizes == [10, 10, 3]
    assert list(batches({"serviceArns": []})) == []
    assert list(clusters({"clusterArns": ["c-1"]})) == [{"cluster": "c-1"}]


def test_revisions_are_those_of_the_service_of_its_deployments_and_of_its_task_sets_each_once() -> None:
    deployments = [{"taskDefinition": revision(7)}, {"taskDefinition": revision(8)}]
    assert used({"taskDefinition": revision(7), "deployments": deployments}) == [revision(7), revision(8)]
    assert used({"taskSets": [{"taskDefinition": revision(9)}]}) == [revision(9)]
    assert used({}) == []


def test_a_service_tells_whether_its_tasks_get_public_addresses() -> None:
    assert served(**network("ENABLED")).public_ip == Seen("ENABLED")
    assert served(**network("DISABLED")).public_ip == Seen("DISABLED")


def test_a_public_address_that_nobody_asked_for_is_not_given() -> None:
    assert served(networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-1"]}}).public_ip == Seen("DISABLED")


def test_a_service_on_the_network_of_its_hosts_has_no_say() -> None:
    assert served().public_ip == Seen(None)


def test_one_task_set_with_a_public_address_is_enough() -> None:
    assert served(taskSets=[network("DISABLED"), network("ENABLED")]).public_ip == Seen("ENABLED")


def test_host_powers_are_told_one_by_one() -> None:
    seen = defined({**QUIET, "privileged": True}, networkMode="host", pidMode="host")
    assert seen.name == Seen("web:7")
    assert seen.host_powers == Seen(
        ("container web is privileged", "the network of the host", "the processes of the host")
    )
    assert defined(QUIET, networkMode="awsvpc", pidMode="task").host_powers == Seen(())


def test_variables_leave_pattern_name_and_container_and_never_a_value() -> None:
    container = {**QUIET, "environment": [{"name": "DB_PASSWORD", "value": "correct-horse"}]}
    told = plain(scan_definition({"taskDefinition": {"containerDefinitions": [container]}}))
    assert "correct-horse" not in json.dumps(told)
    assert defined(container).secrets == Seen(("password in DB_PASSWORD of web",))


def test_a_secret_that_is_read_from_a_store_is_none() -> None:
    assert defined({**QUIET, "secrets": [{"name": "DB_PASSWORD", "valueFrom": "arn:aws:ssm:x"}]}).secrets == Seen(())


def test_only_essential_containers_have_to_send_logs() -> None:
    assert defined({"name": "web"}, {"name": "helper", "essential": False}).silent == Seen(("web",))
    assert defined(QUIET).silent == Seen(())


def test_a_revision_that_may_not_be_described_is_unseen() -> None:
    content = {"taskDefinition": revision(7), "described": {"$unseen": "AccessDenied ecs:DescribeTaskDefinition"}}
    hidden = task_definition.describe(content)
    assert hidden.host_powers == hidden.secrets == hidden.silent == Unseen("AccessDenied ecs:DescribeTaskDefinition")
