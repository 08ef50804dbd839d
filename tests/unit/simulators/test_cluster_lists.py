from __future__ import annotations

from typing import Any

import pytest

from auditor.simulators.kubernetes_api import ClusterApi
from auditor.simulators.kubernetes_faults import Trouble
from tests.unit.simulators.asking import METADATA_ONLY, PODS, Asker, pod


@pytest.fixture(autouse=True)
def seven_pods(cluster: ClusterApi) -> None:
    cluster.put_all(pod(f"web-{number}") for number in range(7))


def names(body: dict[str, Any]) -> list[str]:
    return [item["metadata"]["name"] for item in body["items"]]


def more(body: dict[str, Any]) -> str:
    return f"{PODS}?limit=3&continue={body['metadata']['continue']}"


def test_pages_show_everything_once_and_count_what_remains(ask: Asker) -> None:
    first = ask(f"{PODS}?limit=3").body
    second = ask(more(first)).body
    third = ask(more(second)).body
    assert names(first) + names(second) + names(third) == [f"web-{number}" for number in range(7)]
    assert [page["metadata"].get("remainingItemCount") for page in (first, second, third)] == [4, 1, None]
    assert "continue" not in third["metadata"]


def test_later_pages_show_the_world_as_it_was_at_the_first(ask: Asker) -> None:
    first = ask(f"{PODS}?limit=3").body
    ask.cluster.delete("Pod", "web-5", namespace="shop")
    ask.cluster.put(pod("web-3-new"))
    ask.cluster.patch("Pod", "web-4", {"metadata": {"labels": {"new": "yes"}}}, namespace="shop")
    second = ask(more(first)).body
    assert names(second) == ["web-3", "web-4", "web-5"]
    assert "labels" not in second["items"][1]["metadata"]
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert int(ask(PODS).body["metadata"]["resourceVersion"]) > int(first["metadata"]["resourceVersion"])


def test_a_listing_that_outlived_its_version_gets_410_and_a_token_for_the_rest_as_it_is_now(ask: Asker) -> None:
    first = ask(f"{PODS}?limit=3").body
    ask.cluster.delete("Pod", "web-4", namespace="shop")
    ask.cluster.compact()
    expired = ask(more(first))
    assert (expired.status, expired.body["reason"]) == (410, "Expired")
    rest = ask(more(expired.body)).body
    assert names(rest) == ["web-3", "web-5", "web-6"]
    assert int(rest["metadata"]["resourceVersion"]) > int(first["metadata"]["resourceVersion"])


@pytest.mark.parametrize(("action", "fresh"), [("expire", True), ("expire_hard", False)])
def test_the_third_page_alone_may_expire_on_demand(ask: Asker, action: Any, fresh: bool) -> None:
    ask.cluster.trouble(Trouble(action, resource="pods", skip=1, times=1))
    first = ask(f"{PODS}?limit=3").body
    second = ask(more(first)).body
    third = ask(more(second))
    assert (third.status, bool(third.body["metadata"].get("continue"))) == (410, fresh)
    assert ask(more(second)).status == 200


@pytest.mark.parametrize("token", ["bogus", "%21%21", "e30", "W10", "bm90IGpzb24"])
def test_a_token_that_is_none_is_a_bad_request(ask: Asker, token: str) -> None:
    told = ask(f"{PODS}?limit=3&continue={token}")
    assert (told.status, told.body["reason"]) == (400, "BadRequest")
    assert told.body["message"].startswith("invalid continue token: ")


def test_all_namespaces_are_listed_in_the_order_of_their_keys(ask: Asker) -> None:
    ask.cluster.put(pod("a", "shop-2"))
    ask.cluster.put(pod("z", "api"))
    first = ask("/api/v1/pods?limit=2").body
    rest = ask(f"/api/v1/pods?continue={first['metadata']['continue']}").body
    # "shop-2/" comes before "shop/": keys are compared, not names.
    assert names(first) + names(rest) == ["z", "a", *(f"web-{number}" for number in range(7))]


def test_items_leave_their_type_to_the_list_and_single_objects_carry_it(ask: Asker) -> None:
    body = ask(PODS).body
    assert (body["kind"], body["apiVersion"]) == ("PodList", "v1")
    assert all("kind" not in item and "apiVersion" not in item for item in body["items"])
    assert ask(f"{PODS}/web-0").body["kind"] == "Pod"


def test_a_list_of_metadata_shows_no_content(ask: Asker) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "key", "namespace": "shop"},
        "data": {"k": "c2VjcmV0"},
    }
    ask.cluster.put(secret)
    told = ask("/api/v1/secrets?limit=1", accept=METADATA_ONLY)
    assert told.body["kind"] == "PartialObjectMetadataList"
    assert told.body["items"][0].keys() == {"kind", "apiVersion", "metadata"}
    assert b"c2VjcmV0" not in told.raw
    assert b"c2VjcmV0" in ask("/api/v1/secrets").raw


def test_a_selector_is_refused_aloud_rather_than_passed_over(ask: Asker) -> None:
    assert ask(f"{PODS}?labelSelector=app%3Dweb").status == 501


def test_a_custom_resource_is_served_from_the_moment_it_is_defined(ask: Asker) -> None:
    path = "/apis/audit.example/v1/namespaces/shop/rules"
    missing = ask(path)
    assert (missing.status, missing.raw) == (404, b"404 page not found\n")
    names_ = {"plural": "rules", "kind": "Rule"}
    spec = {"group": "audit.example", "names": names_, "scope": "Namespaced", "versions": [{"name": "v1"}]}
    definition = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "spec": spec}
    ask.cluster.put({**definition, "metadata": {"name": "rules.audit.example"}})
    ask.cluster.put(
        {"apiVersion": "audit.example/v1", "kind": "Rule", "metadata": {"name": "one", "namespace": "shop"}}
    )
    body = ask(path).body
    assert (body["kind"], body["metadata"]["continue"]) == ("RuleList", "")
    assert body["items"][0]["kind"] == "Rule"
    ask.cluster.delete("CustomResourceDefinition", "rules.audit.example")
    assert ask(path).status == 404


def test_requests_are_counted_by_verb_and_path_without_names(ask: Asker) -> None:
    ask.cluster.reset_counts()
    ask(f"{PODS}?limit=3")
    ask(PODS, token="nobody")
    ask(f"{PODS}/web-1")
    ask("/version")
    assert ask.cluster.counts() == {
        ("list", "/api/v1/namespaces/{namespace}/pods"): 2,
        ("get", "/api/v1/namespaces/{namespace}/pods/{name}"): 1,
        ("get", "/version"): 1,
    }


def test_deleting_a_namespace_takes_what_is_in_it(ask: Asker) -> None:
    ask.cluster.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    ask.cluster.delete("Namespace", "shop")
    assert names(ask(PODS).body) == []


def test_a_generation_grows_with_the_spec_alone(cluster: ClusterApi) -> None:
    labelled = cluster.patch("Pod", "web-0", {"metadata": {"labels": {"a": "b"}}}, namespace="shop")
    changed = cluster.patch("Pod", "web-0", {"spec": {"hostPID": True}}, namespace="shop")
    assert (labelled["metadata"]["generation"], changed["metadata"]["generation"]) == (1, 2)
    assert labelled["metadata"]["uid"] == changed["metadata"]["uid"]
