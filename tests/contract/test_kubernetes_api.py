"""The small cluster against a real one: recorded exchanges with a 1.36.2 server are asked again and answered alike."""

from __future__ import annotations

import gzip
import http.client
import json
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from auditor.simulators.kubernetes_api import ClusterApi
from auditor.simulators.kubernetes_kinds import Kinds

RECORDING = Path(__file__).parents[1] / "data" / "kubernetes" / "kube-1.36.2-exchanges.json.gz"
EXCHANGES: list[dict[str, Any]] = json.loads(gzip.decompress(RECORDING.read_bytes()))["exchanges"]
AGGREGATED = "aggregated discovery"
UNSUPPORTED = {
    AGGREGATED: "collectors read plain discovery; the recording still holds our table of kinds to it, below",
    "labelSelector": "selectors are refused with 501",
    "bad labelSelector": "selectors are refused with 501",
    "fieldSelector": "selectors are refused with 501",
    "unsupported fieldSelector": "selectors are refused with 501",
    "Table": "a form for people at terminals",
    "409": "clients do not write here",
    "422": "clients do not write here",
    "400": "clients do not write here",
    "403 by Pod Security": "clients do not write here",
    "TokenRequest": "clients do not write here",
    "CRD create": "clients do not write here; the test defines the resource in the store",
}
SUPPORTED = [exchange for exchange in EXCHANGES if exchange["name"] not in UNSUPPORTED]
EXPIRED = "410 on an expired continue token"
NAMESPACE = "payments-prod"


@dataclass(frozen=True)
class Answer:
    status: int
    content_type: str
    body: Any


class Asker:
    """Asks as the people of the recording, over one connection."""

    def __init__(self, cluster: ClusterApi) -> None:
        self._tokens = {
            "admin": cluster.admin_token(),
            "sa": cluster.account_token("kube-public", "auditor"),
            "bad": "nobody-knows-this",
        }
        context = ssl.create_default_context(cadata=cluster.authority)
        self.connection = http.client.HTTPSConnection(urlsplit(cluster.url).netloc, context=context, timeout=30)

    def ask(self, request: dict[str, Any], who: str) -> Answer:
        headers = dict(request["headers"])
        if who in self._tokens:
            headers["Authorization"] = f"Bearer {self._tokens[who]}"
        body = json.dumps(request["body"]).encode() if request["body"] is not None else None
        self.connection.request(request["method"], request["path"], body=body, headers=headers)
        response = self.connection.getresponse()
        text = response.read().decode()
        try:
            told: Any = json.loads(text)
        except ValueError:
            told = text
        return Answer(response.status, response.headers["Content-Type"], told)


def recorded_objects() -> Iterator[dict[str, Any]]:
    """Every whole object of the recording once, with its type written back into it."""
    seen: set[tuple[str, str, str]] = set()
    for exchange in EXCHANGES:
        body = exchange["response"]["body"]
        if exchange["name"] == "watch-list":
            found = [event["object"] for event in map(json.loads, body.splitlines()) if event["type"] == "ADDED"]
        elif isinstance(body, dict) and "items" in body and body["kind"] not in {"APIGroupDiscoveryList", "PolicyList"}:
            head = {"apiVersion": body["apiVersion"], "kind": body["kind"].removesuffix("List")}
            found = [head | item for item in body["items"] if "kind" not in item]
        else:
            continue
        for one in found:
            key = (one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"])
            if key not in seen:
                seen.add(key)
                yield one


def padding(cluster: ClusterApi) -> Iterator[dict[str, Any]]:
    """Empty objects behind the recorded ones, as many as the recording counted and did not keep."""
    firsts = [one for one in SUPPORTED if one["name"].startswith(("list ", "pods page 1"))]
    for exchange in firsts:
        body = exchange["response"]["body"]
        namespace = NAMESPACE if exchange["name"].startswith("pods") else ""
        kind = cluster.store.kinds.named(body["kind"].removesuffix("List"))
        wanted = len(body["items"]) + body["metadata"].get("remainingItemCount", 0)
        for number in range(wanted - len(cluster.store.view(kind, namespace).items)):
            meta = {"name": f"zz-padding-{number:03d}"} | ({"namespace": namespace or "zz"} if kind.namespaced else {})
            yield {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta}


def furnish(cluster: ClusterApi) -> None:
    cluster.put_all(recorded_objects())
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
    cluster.put(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "anyone-views", "namespace": NAMESPACE},
            "subjects": [{"kind": "Group", "name": "system:unauthenticated"}],
            "roleRef": role,
        }
    )
    cluster.put_all(list(padding(cluster)))


def policies() -> dict[str, Any]:
    posted = next(one for one in EXCHANGES if one["name"] == "CRD create")["request"]["body"]
    return dict(posted)


def change_the_world(cluster: ClusterApi, name: str) -> None:
    """What went on in the recorded cluster just before an exchange."""
    note = {"metadata": {"annotations": {"t": name}}}
    if name.startswith("watch 410"):
        cluster.compact()
    elif name == "watch stream with bookmark":
        cluster.patch("Pod", "api-00-good-0", note, namespace=NAMESPACE)
    elif name == "watch-list":
        cluster.patch("Node", "node-00", note)
    elif name == "CRD list, 1 s later":
        cluster.put(policies())


@pytest.fixture(scope="module")
def answers() -> Iterator[dict[str, Answer]]:
    """The whole pass, in order, with recorded tokens and versions replaced by those that we were given."""
    with ClusterApi() as cluster:
        furnish(cluster)
        asker = Asker(cluster)
        ours: dict[str, str] = {}
        told: dict[str, Answer] = {}
        for exchange in SUPPORTED:
            request, name = dict(exchange["request"]), exchange["name"]
            change_the_world(cluster, name)
            if name == EXPIRED:
                first = asker.ask({**request, "path": "/api/v1/pods?limit=5"}, "admin")
                cluster.patch("Node", "node-00", {"metadata": {"annotations": {"t": name}}})
                cluster.compact()
                ours["<expired>"] = first.body["metadata"]["continue"]
            for recorded, given in ours.items():
                request["path"] = re.sub(rf"=({re.escape(recorded)})(?=&|$)", f"={given}", request["path"])
            told[name] = asker.ask(request, exchange["as"])
            recorded_meta, given_meta = metadata(exchange["response"]["body"]), metadata(told[name].body)
            for key in ("continue", "resourceVersion"):
                if recorded_meta.get(key) and given_meta.get(key):
                    ours[recorded_meta[key]] = given_meta[key]
        asker.connection.close()
        yield told


def metadata(body: Any) -> dict[str, Any]:
    return dict(body.get("metadata") or {}) if isinstance(body, dict) else {}


def events(body: Any) -> list[dict[str, Any]]:
    return [body] if isinstance(body, dict) else [json.loads(line) for line in body.splitlines() if line]


@pytest.mark.parametrize("exchange", SUPPORTED, ids=lambda one: one["name"])
def test_a_recorded_exchange_is_answered_alike(exchange: dict[str, Any], answers: dict[str, Answer]) -> None:
    recorded, given = exchange["response"], answers[exchange["name"]]
    assert given.status == recorded["status"]
    assert given.content_type == recorded["headers"]["Content-Type"]
    body = recorded["body"]
    if "watch=true" in exchange["request"]["path"]:
        compare_events(events(body), events(given.body))
    elif isinstance(body, str):
        assert exchange["name"] == "readyz" or given.body == body
        assert given.body.splitlines()[-1] == body.splitlines()[-1]
    else:
        compare_documents(body, given.body)


def compare_events(recorded: list[dict[str, Any]], given: list[dict[str, Any]]) -> None:
    assert [(one["type"], one["object"]["kind"]) for one in given] == [
        (one["type"], one["object"]["kind"]) for one in recorded
    ]
    for one, other in zip(recorded, given, strict=True):
        told, ours = one["object"], other["object"]
        assert ours["apiVersion"] == told["apiVersion"]
        assert ours["metadata"].get("name") == told["metadata"].get("name")
        if one["type"] == "BOOKMARK":
            assert ours["metadata"].keys() == told["metadata"].keys()
            assert ours["metadata"].get("annotations") == told["metadata"].get("annotations")
        if one["type"] == "ERROR":
            compare_status(told, ours)


def compare_documents(recorded: dict[str, Any], given: dict[str, Any]) -> None:
    match recorded:
        case {"kind": "Status"}:
            compare_status(recorded, given)
        case {"kind": "APIGroupList"} | {"kind": "APIResourceList"}:
            compare_discovery(recorded, given)
        case {"items": _}:
            compare_lists(recorded, given)
        case {"kind": "SelfSubjectRulesReview"}:
            for part in ("resourceRules", "nonResourceRules"):
                assert as_set(given["status"][part]) == as_set(recorded["status"][part])
            assert given["status"]["incomplete"] is recorded["status"]["incomplete"]
        case {"kind": "SelfSubjectReview"}:
            ours, theirs = given["status"]["userInfo"], recorded["status"]["userInfo"]
            assert (ours["username"], ours["groups"]) == (theirs["username"], theirs["groups"])
            assert ("uid" in ours) == ("uid" in theirs)
        case {"kind": "SelfSubjectAccessReview"}:
            assert given["spec"] == recorded["spec"]
            assert given["status"] == recorded["status"]
        case _:  # versions and API versions: the same shape, as far as it names the release the same words
            assert given.keys() == recorded.keys()
            assert given.get("gitVersion") == recorded.get("gitVersion")


def compare_discovery(recorded: dict[str, Any], given: dict[str, Any]) -> None:
    """We serve less than the real server does, and what we serve we describe as it does."""
    part = "groups" if "groups" in recorded else "resources"
    assert {key: value for key, value in given.items() if key != part} == {
        key: value for key, value in recorded.items() if key != part
    }
    known = {one["name"]: one for one in recorded[part]}
    assert given[part]
    for one in given[part]:
        theirs = {key: value for key, value in known[one["name"]].items() if key != "storageVersionHash"}
        if part == "groups":
            assert all(version in theirs["versions"] for version in one["versions"])
            theirs["versions"] = one["versions"]
        assert one == theirs


def compare_status(recorded: dict[str, Any], given: dict[str, Any]) -> None:
    assert given.keys() == recorded.keys()
    assert given["metadata"].keys() == recorded["metadata"].keys()
    for key in ("status", "reason", "code", "details"):
        assert given.get(key) == recorded.get(key)
    assert re.sub(r"\(\d+\)", "(n)", given["message"]) == re.sub(r"\(\d+\)", "(n)", recorded["message"])


def compare_lists(recorded: dict[str, Any], given: dict[str, Any]) -> None:
    assert (given["kind"], given["apiVersion"]) == (recorded["kind"], recorded["apiVersion"])
    assert given["metadata"].keys() == recorded["metadata"].keys()
    assert given["metadata"].get("remainingItemCount") == recorded["metadata"].get("remainingItemCount")
    assert bool(given["metadata"].get("continue")) == bool(recorded["metadata"].get("continue"))
    names = [(one["metadata"].get("namespace"), one["metadata"]["name"]) for one in recorded["items"]]
    assert [(one["metadata"].get("namespace"), one["metadata"]["name"]) for one in given["items"]] == names
    for one, other in zip(recorded["items"], given["items"], strict=True):
        assert other.keys() == one.keys()


def as_set(rules: list[dict[str, list[str]]]) -> set[str]:
    return {json.dumps({key: sorted(value) for key, value in rule.items()}, sort_keys=True) for rule in rules}


def test_versions_stay_equal_and_grow_where_the_recorded_ones_do(answers: dict[str, Answer]) -> None:
    pairs = []
    for exchange in SUPPORTED:
        recorded = metadata(exchange["response"]["body"]).get("resourceVersion")
        if recorded:
            pairs.append((int(recorded), int(metadata(answers[exchange["name"]].body)["resourceVersion"])))
    assert len({recorded for recorded, _ in pairs}) > 1
    for earlier, later in pairwise(pairs):
        assert (earlier[0] < later[0]) == (earlier[1] < later[1])
        assert (earlier[0] == later[0]) == (earlier[1] == later[1])


def test_what_is_left_out_is_in_the_recording() -> None:
    assert UNSUPPORTED.keys() <= {exchange["name"] for exchange in EXCHANGES}
    assert len(SUPPORTED) == len(EXCHANGES) - len(UNSUPPORTED)


def test_every_kind_that_we_serve_is_one_of_the_real_server() -> None:
    body = next(one for one in EXCHANGES if one["name"] == AGGREGATED)["response"]["body"]
    real = {
        (group["metadata"]["name"], version["version"], one["resource"]): one
        for group in body["items"]
        for version in group["versions"]
        for one in version["resources"]
    }
    ours = [kind for kind in Kinds() if kind.group]
    assert ours
    for kind in ours:
        one = real[kind.group, kind.version, kind.resource]
        assert one["responseKind"]["kind"] == kind.kind
        assert one["scope"] == ("Namespaced" if kind.namespaced else "Cluster")
        assert sorted(one["verbs"]) == sorted(kind.verbs)
        assert tuple(one.get("shortNames", ())) == kind.short_names
        assert tuple(one.get("categories", ())) == kind.categories
