from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from auditor.simulators.kubernetes_api import ClusterApi
from auditor.simulators.kubernetes_faults import Trouble
from tests.unit.simulators.asking import METADATA_ONLY, PODS, Asker, Told, pod


@pytest.fixture(autouse=True)
def some_pods(cluster: ClusterApi) -> None:
    cluster.put_all(pod(f"web-{number}") for number in range(4))


def watching(version: str, **query: str) -> str:
    told = {"watch": "true", "resourceVersion": version, "timeoutSeconds": "1", **query}
    return f"{PODS}?" + "&".join(f"{key}={value}" for key, value in told.items())


@contextmanager
def asking(cluster: ClusterApi, path: str, timeout: float | None = 60) -> Iterator[Future[Told]]:
    """A question that another client has put and the cluster has heard; at the end it must be over."""
    other = Asker(cluster, timeout)
    with ThreadPoolExecutor(1) as thread:
        asked = thread.submit(other, path)
        while not cluster.counts():
            time.sleep(0.01)
        yield asked
    other.close()


@pytest.mark.parametrize(("action", "status"), [("throttle", 429), ("unavailable", 503)])
def test_who_asks_too_much_is_told_how_long_to_wait(ask: Asker, action: Any, status: int) -> None:
    ask.cluster.trouble(Trouble(action, resource="pods", times=2, retry_after=3))
    for _ in range(2):
        told = ask(PODS)
        assert (told.status, told.headers["Retry-After"]) == (status, "3")
    assert ask(PODS).status == 200


def test_a_connection_may_end_before_the_answer(ask: Asker) -> None:
    ask.cluster.trouble(Trouble("cut", times=1))
    with pytest.raises(ConnectionError):
        ask(PODS)
    assert ask(PODS).status == 200


def test_a_connection_may_end_in_the_body(ask: Asker) -> None:
    ask.cluster.trouble(Trouble("cut_body", times=1))
    with pytest.raises(http.client.IncompleteRead) as caught:
        ask(PODS)
    assert caught.value.partial.startswith(b'{"kind":"PodList"')
    assert ask(PODS).status == 200


def test_a_connection_may_end_between_two_pages(ask: Asker) -> None:
    ask.cluster.trouble(Trouble("hang_up", times=1))
    first = ask(f"{PODS}?limit=2").body
    path = f"{PODS}?limit=2&continue={first['metadata']['continue']}"
    with pytest.raises(OSError):  # noqa: PT011 - how it shows is the operating system's choice
        ask(path)
    assert len(ask(path).body["items"]) == 2


def test_a_slow_page_comes_right_in_the_end(ask: Asker) -> None:
    ask.cluster.trouble(Trouble("slow", seconds=0.05, times=1))
    assert [len(ask(PODS).body["items"]) for _ in range(2)] == [4, 4]


def test_who_asks_later_is_answered_while_a_slow_page_is_waited_for(ask: Asker) -> None:
    ask.cluster.trouble(Trouble("slow", resource="pods", seconds=3600))
    with asking(ask.cluster, PODS) as slow:
        assert [ask("/api/v1/namespaces").status for _ in range(5)] == [200] * 5
        assert not slow.done()
        ask.cluster.stop()


def test_an_answer_may_be_no_json_though_it_says_so(ask: Asker) -> None:
    ask.cluster.trouble(Trouble("garbage", times=1))
    told = ask(PODS)
    assert (told.status, told.headers["Content-Type"]) == (200, "application/json")
    with pytest.raises(ValueError, match="decode"):
        json.loads(told.raw)


def test_a_good_token_may_be_refused_once(ask: Asker) -> None:
    ask.cluster.trouble(Trouble("unauthorized", times=1))
    assert [ask(PODS).status for _ in range(2)] == [401, 200]


def test_trouble_stays_with_the_requests_it_names(ask: Asker) -> None:
    ask.cluster.trouble(Trouble("throttle", verb="list", resource="pods", namespace="shop"))
    assert ask(PODS).status == 429
    assert ask("/api/v1/pods").status == 200
    assert ask(f"{PODS}/web-0").status == 200
    ask.cluster.clear_troubles()
    assert ask(PODS).status == 200


def test_trouble_of_no_known_kind_is_refused(cluster: ClusterApi) -> None:
    with pytest.raises(ValueError, match="earthquake"):
        cluster.trouble(Trouble("earthquake"))  # type: ignore[arg-type]


def test_a_watch_tells_what_is_newer_and_nothing_else(ask: Asker) -> None:
    version = ask(PODS).body["metadata"]["resourceVersion"]
    ask.cluster.put(pod("new"))
    ask.cluster.put(pod("elsewhere", "other"))
    ask.cluster.patch("Pod", "web-1", {"metadata": {"labels": {"a": "b"}}}, namespace="shop")
    ask.cluster.delete("Pod", "web-2", namespace="shop")
    events = ask(watching(version)).events
    told = [(kind, one["metadata"]["name"]) for kind, one in events]
    assert told == [("ADDED", "new"), ("MODIFIED", "web-1"), ("DELETED", "web-2")]
    assert all(one["kind"] == "Pod" and int(one["metadata"]["resourceVersion"]) > int(version) for _, one in events)


def test_a_watch_tells_what_happens_while_it_lasts(ask: Asker) -> None:
    version = ask(PODS).body["metadata"]["resourceVersion"]
    later = threading.Timer(0.2, ask.cluster.put, [pod("late")])
    later.start()
    events = ask(watching(version), accept=METADATA_ONLY).events
    later.join()
    assert [(kind, one["kind"], one["metadata"]["name"]) for kind, one in events] == [
        ("ADDED", "PartialObjectMetadata", "late")
    ]


def test_a_bookmark_moves_a_quiet_watch_on(ask: Asker) -> None:
    version = ask(PODS).body["metadata"]["resourceVersion"]
    ask.cluster.put(pod("elsewhere", "other"))
    events = ask(watching(version, timeoutSeconds="3", allowWatchBookmarks="true")).events
    assert [kind for kind, _ in events] == ["BOOKMARK"]
    assert int(events[0][1]["metadata"]["resourceVersion"]) > int(version)


def test_a_watch_from_a_forgotten_version_is_an_error_inside_200(ask: Asker) -> None:
    version = ask(PODS).body["metadata"]["resourceVersion"]
    ask.cluster.put(pod("new"))
    ask.cluster.compact()
    told = ask(watching(version))
    assert told.status == 200
    assert [(kind, one["code"], one["reason"]) for kind, one in told.events] == [("ERROR", 410, "Expired")]


def test_a_watch_may_expire_on_demand_and_may_be_cut(ask: Asker) -> None:
    version = ask(PODS).body["metadata"]["resourceVersion"]
    ask.cluster.trouble(Trouble("expire", verb="watch", times=1))
    assert [kind for kind, _ in ask(watching(version)).events] == ["ERROR"]
    ask.cluster.put(pod("new"))
    ask.cluster.clear_troubles()
    ask.cluster.trouble(Trouble("cut_body", verb="watch", times=1))
    with pytest.raises(http.client.IncompleteRead):
        ask(watching(version))


@pytest.mark.timeout(60)  # the watch would last an hour
def test_a_cluster_that_stops_ends_its_watches(cluster: ClusterApi) -> None:
    with asking(cluster, watching("", timeoutSeconds="3600"), timeout=None) as watch:
        cluster.stop()
    assert watch.done()
