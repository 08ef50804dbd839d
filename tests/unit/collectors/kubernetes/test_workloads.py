"""Workloads: whose pods are whose, what counts as effective, and what stays unseen."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.collectors.kubernetes.workload import workload
from tests.fixtures.cluster import (
    FakeCluster,
    a_deployment,
    container,
    deployment,
    documents,
    hardened,
    meta,
    owned,
    pod,
)

WEB = "shop/Deployment/web"
BARE: dict[str, Any] = {"labels": {"app": "tool"}}


def web(*pods: dict[str, Any], **others: list[dict[str, Any]]) -> dict[str, Any]:
    """The deployment ``web`` as a document."""
    found: dict[str, Any] = documents(a_deployment(*pods, **others), workload)[WEB]
    return found


def with_security(**security: Any) -> dict[str, Any]:
    return web(pod(containers=[container(securityContext=security)]))


def test_pods_of_a_deployment_are_one_workload_with_members() -> None:
    found = documents(a_deployment(pod("web-5d8f-a"), pod("web-5d8f-b")), workload)
    assert list(found) == [WEB]
    assert found[WEB]["members"] == ["shop/Pod/web-5d8f-a", "shop/Pod/web-5d8f-b"]


def test_pods_of_jobs_belong_to_the_cron_job_that_made_them() -> None:
    cron = {"metadata": meta("report"), "spec": {"jobTemplate": {"spec": {"template": {"spec": {"containers": []}}}}}}
    run = {"metadata": meta("report-29", **owned("CronJob", "report")), "spec": {}}
    cluster = FakeCluster(
        {
            "core/v1:pods": [pod("report-29-x", about=owned("Job", "report-29"))],
            "batch/v1:jobs": [run],
            "batch/v1:cronjobs": [cron],
        }
    )
    assert documents(cluster, workload)["shop/CronJob/report"]["members"] == ["shop/Pod/report-29-x"]


def test_a_bare_pod_stands_alone() -> None:
    assert (
        documents(FakeCluster({"core/v1:pods": [pod("tool", about=BARE)]}), workload)["shop/Pod/tool"]["kind"] == "Pod"
    )


def test_a_mirror_pod_is_not_filed_under_its_node() -> None:
    about = {"annotations": {"kubernetes.io/config.mirror": "x"}, **owned("Node", "node-1")}
    found = documents(FakeCluster({"core/v1:pods": [pod("etcd-node-1", about=about)]}), workload)
    assert found["shop/Pod/etcd-node-1"]["mirror"] is True
    assert found["shop/Pod/etcd-node-1"]["token_mounted"] is False


def test_what_an_operator_owns_stays_with_the_controller_that_runs_the_pods() -> None:
    made = {
        "metadata": meta("db", **owned("PostgresCluster", "db")),
        "spec": {"template": {"spec": {"containers": []}}},
    }
    cluster = FakeCluster(
        {"core/v1:pods": [pod("db-0", about=owned("StatefulSet", "db"))], "apps/v1:statefulsets": [made]}
    )
    assert list(documents(cluster, workload)) == ["shop/StatefulSet/db"]


def test_unseen_replica_sets_leave_pods_with_their_deployment_by_the_hash_of_its_template() -> None:
    cluster = a_deployment(pod())
    cluster.refused["apps/v1:replicasets"] = "Forbidden"
    assert list(documents(cluster, workload)) == [WEB]


@pytest.mark.parametrize(
    ("refused", "named"),
    [
        (("batch/v1:jobs",), "shop/CronJob/report"),
        (("batch/v1:jobs", "batch/v1:cronjobs"), "shop/CronJob/report"),
        ((), "shop/Job/report-29401200"),
    ],
)
def test_an_unseen_job_is_its_cron_jobs_by_the_minute_in_its_name(refused: tuple[str, ...], named: str) -> None:
    cron = {"metadata": meta("report"), "spec": {"jobTemplate": {"spec": {"template": {"spec": {"containers": []}}}}}}
    mine = {"metadata": meta("report-29401200"), "spec": {}}
    cluster = FakeCluster(
        {
            "core/v1:pods": [pod("report-29401200-x", about=owned("Job", "report-29401200"))],
            "batch/v1:jobs": [mine],
            "batch/v1:cronjobs": [cron],
        },
        dict.fromkeys(refused, "Forbidden"),
    )
    assert documents(cluster, workload)[named]["members"] == ["shop/Pod/report-29401200-x"]


def test_a_template_shows_faults_and_clears_of_none_where_pods_were_not_listed() -> None:
    hidden = {"$unseen": "Forbidden list pods in global"}
    cluster = a_deployment()
    cluster.refused["core/v1:pods"] = "Forbidden"
    found = documents(cluster, workload)[WEB]
    assert found["privileged"] == [hidden]
    assert found["keeping_capabilities"] == ["web", hidden]
    assert (found["host_network"], found["service_account"]) == (hidden, hidden)


def test_a_controller_that_was_not_seen_has_no_known_number_of_pods() -> None:
    cluster = a_deployment(pod())
    cluster.refused["apps/v1:deployments"] = "Forbidden"
    assert documents(cluster, workload)[WEB]["replicas"] == {"$unseen": "Forbidden list deployments in global"}


def test_a_deployment_without_pods_is_judged_by_its_template() -> None:
    cluster = FakeCluster({"apps/v1:deployments": [deployment(hostPID=True)]})
    found = documents(cluster, workload)[WEB]
    assert (found["host_pid"], found["members"]) == (True, [])


def test_pods_decide_over_the_template_where_both_exist() -> None:
    cluster = a_deployment(pod(containers=[hardened()]))
    cluster.objects["apps/v1:deployments"][0]["spec"]["template"]["spec"]["hostIPC"] = True
    found = documents(cluster, workload)[WEB]
    assert (found["host_ipc"], found["gaining_privileges"]) == (False, [])


def test_pods_that_differ_are_told_apart() -> None:
    found = web(pod("web-5d8f-a", containers=[hardened()]), pod("web-5d8f-b"))
    assert found["gaining_privileges"] == ["web in web-5d8f-b"]


@pytest.mark.parametrize("role", ["initContainers", "ephemeralContainers"])
def test_init_and_ephemeral_containers_count(role: str) -> None:
    extra: dict[str, Any] = {role: [hardened("extra") | {"securityContext": {"privileged": True}}]}
    assert web(pod(containers=[hardened()], **extra))["privileged"] == [f"extra ({role.removesuffix('Containers')})"]


def test_privilege_escalation_is_allowed_where_nothing_is_said() -> None:
    assert web(pod())["gaining_privileges"] == ["web"]
    assert with_security(allowPrivilegeEscalation=False)["gaining_privileges"] == []


@pytest.mark.parametrize(
    ("of_pod", "of_container", "stands_out"),
    [
        ({}, {}, ["web as the user of its image (unproven)"]),
        ({"runAsUser": 1000}, {}, []),
        ({"runAsUser": 1000}, {"runAsUser": 0}, ["web as user 0"]),
        ({"runAsNonRoot": True}, {}, []),
        ({"runAsNonRoot": True}, {"runAsNonRoot": False}, ["web as the user of its image (unproven)"]),
        ({"runAsNonRoot": False}, {"runAsUser": 10}, []),
    ],
)
def test_a_container_speaks_before_its_pod_about_its_user(
    of_pod: dict[str, Any], of_container: dict[str, Any], stands_out: list[str]
) -> None:
    told = pod(securityContext=of_pod, containers=[container(securityContext=of_container)])
    assert web(told)["as_root"] == stands_out


@pytest.mark.parametrize(
    ("of_pod", "of_container", "stands_out"),
    [
        ("RuntimeDefault", None, []),
        ("RuntimeDefault", "Unconfined", ["web"]),
        (None, "Localhost", []),
        (None, None, ["web"]),
    ],
)
def test_a_container_speaks_before_its_pod_about_seccomp(
    of_pod: str | None, of_container: str | None, stands_out: list[str]
) -> None:
    security = [{} if one is None else {"seccompProfile": {"type": one}} for one in (of_pod, of_container)]
    told = pod(securityContext=security[0], containers=[container(securityContext=security[1])])
    assert web(told)["without_seccomp"] == stands_out


def test_capabilities_are_compared_without_case_and_prefix() -> None:
    found = with_security(capabilities={"drop": ["all"], "add": ["cap_sys_admin", "NET_BIND_SERVICE"]})
    assert (found["keeping_capabilities"], found["capabilities_added"]) == ([], ["NET_BIND_SERVICE", "SYS_ADMIN"])


def test_a_container_without_a_block_keeps_its_capabilities() -> None:
    assert web(pod())["keeping_capabilities"] == ["web"]


@pytest.mark.parametrize(
    ("path", "reaches"),
    [("/var/run/docker.sock", True), ("/run/containerd", True), ("/", True), ("/var/run/", True), ("/etc", False)],
)
def test_a_directory_that_holds_the_socket_reaches_it(path: str, *, reaches: bool) -> None:
    found = web(pod(volumes=[{"name": "v", "hostPath": {"path": path}}]))
    assert (found["host_paths"], bool(found["runtime_sockets"])) == ([path], reaches)


@pytest.mark.parametrize(
    ("path", "read_only", "grave"),
    [
        ("/", True, True),
        ("/etc/ssl", True, True),
        ("/data", True, False),
        ("/data", False, True),
        ("/run/lock", True, True),
    ],
)
def test_a_mount_is_grave_by_its_place_or_by_writing(path: str, *, read_only: bool, grave: bool) -> None:
    mounted = container(volumeMounts=[{"name": "v", "mountPath": "/v", "readOnly": read_only}])
    found = web(pod(containers=[mounted], volumes=[{"name": "v", "hostPath": {"path": path}}]))
    assert (found["host_paths"], found["grave_host_paths"]) == ([path], [path] if grave else [])


def test_images_without_a_version_are_told() -> None:
    images = ["nginx", "registry:5000/app", "registry:5000/app:1", "app@sha256:00", "app:latest"]
    found = web(pod(containers=[container(f"c{n}", image=name) for n, name in enumerate(images)]))
    assert found["moving_images"] == ["nginx", "registry:5000/app", "app:latest"]
    assert found["registries"] == ["docker.io", "registry:5000"]


def test_limits_stand_in_for_requests_and_ephemeral_containers_need_none() -> None:
    bounded = container(resources={"limits": {"cpu": "1", "memory": "64Mi"}})
    assert web(pod(containers=[bounded], ephemeralContainers=[container("debug")]))["unbounded"] == []
    assert web(pod())["unbounded"] == ["web lacks a cpu request and a memory request and a memory limit"]


def test_a_template_is_completed_by_the_defaults_of_its_namespace() -> None:
    defaults = {
        "metadata": meta("defaults"),
        "spec": {"limits": [{"type": "Container", "default": {"memory": "1Gi"}, "defaultRequest": {"cpu": "1"}}]},
    }
    cluster = FakeCluster({"apps/v1:deployments": [deployment()], "core/v1:limitranges": [defaults]})
    assert documents(cluster, workload)[WEB]["unbounded"] == []
    cluster.refused["core/v1:limitranges"] = "Forbidden"
    assert documents(cluster, workload)[WEB]["unbounded"] == [{"$unseen": "Forbidden list limitranges in global"}]


def test_a_service_that_selects_the_pods_serves_them() -> None:
    service = {"metadata": meta("web"), "spec": {"selector": {"app": "web"}}}
    empty = {"metadata": meta("headless"), "spec": {}}
    assert web(pod(), services=[service])["served"] is True
    assert web(pod(), services=[empty])["served"] is False


@pytest.mark.parametrize(
    ("of_pod", "of_account", "mounted"),
    [(None, None, True), (None, False, False), (False, None, False), (True, False, True), (False, True, False)],
)
def test_the_pod_speaks_before_its_account_about_tokens(
    of_pod: bool | None, of_account: bool | None, *, mounted: bool
) -> None:
    account = {"metadata": meta("default"), "automountServiceAccountToken": of_account}
    told = pod() if of_pod is None else pod(automountServiceAccountToken=of_pod)
    assert web(told, serviceaccounts=[account])["token_mounted"] is mounted


def test_a_binding_that_was_seen_decides_though_others_were_not() -> None:
    binding = {
        "metadata": meta("web"),
        "roleRef": {"kind": "Role", "name": "web"},
        "subjects": [{"kind": "User", "name": "system:serviceaccount:shop:default"}],
    }
    cluster = a_deployment(pod())
    cluster.refused["rbac.authorization.k8s.io/v1:clusterrolebindings"] = "Forbidden"
    assert documents(cluster, workload)[WEB]["account_bound"] == {
        "$unseen": "Forbidden list clusterrolebindings in global"
    }
    bound = FakeCluster({**cluster.objects, "rbac.authorization.k8s.io/v1:rolebindings": [binding]}, cluster.refused)
    assert documents(bound, workload)[WEB]["account_bound"] is True


@pytest.mark.parametrize(
    ("budget", "drainable"),
    [
        ({"maxUnavailable": 1}, True),
        ({"maxUnavailable": 0}, False),
        ({"maxUnavailable": "10%"}, True),
        ({"minAvailable": 1}, True),
        ({"minAvailable": 2}, False),
        ({"minAvailable": "60%"}, False),
        ({"minAvailable": "50%"}, True),
    ],
)
def test_a_budget_must_let_a_pod_go(budget: dict[str, Any], *, drainable: bool) -> None:
    cluster = a_deployment(pod())
    told = {"metadata": meta("web"), "spec": {"selector": {"matchLabels": {"app": "web"}}, **budget}}
    with_budget = FakeCluster({**cluster.objects, "policy/v1:poddisruptionbudgets": [told]})
    assert documents(with_budget, workload)[WEB]["drainable"] is drainable


def test_the_first_label_that_is_set_says_what_a_namespace_is_for() -> None:
    space = {"metadata": {"name": "shop", "labels": {"stage": "test", "env": "production"}}}
    assert web(pod(), namespaces=[space])["environment"] == "production"
