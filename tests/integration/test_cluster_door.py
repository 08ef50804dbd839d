"""The door to a cluster against a server over TLS: whole lists, refusals as answers, and bad days."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from auditor.collectors.kubernetes import resource_types
from auditor.collectors.kubernetes._client import ClusterCaller
from auditor.collectors.kubernetes._connection import Door, connect, connect_address
from auditor.collectors.kubernetes.backups import snapshot
from auditor.collectors.kubernetes.core_configuration import config_map, secret
from auditor.domain.coverage import Coverage
from auditor.domain.errors import CollectionError
from auditor.domain.evidence import Collection
from auditor.domain.ports import CallFailed
from auditor.domain.resource_type import ResourceType
from auditor.domain.source import GLOBAL, Place
from auditor.pipeline.collect import collect
from auditor.simulators.kubernetes_api import ClusterApi
from auditor.simulators.kubernetes_faults import Trouble

MAPS = 7


def stored(kind: str, name: str, namespace: str = "default", **told: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}, **told}


@pytest.fixture
def api() -> Iterator[ClusterApi]:
    with ClusterApi() as running:
        for number in range(MAPS):
            running.put(stored("ConfigMap", f"map-{number}", data={"mode": "on"}))
        yield running


def caller(api: ClusterApi, folder: Path, *, token: str | None = None, **told: Any) -> ClusterCaller:
    return connect(kubeconfig=api.kubeconfig(folder / "kubeconfig", token=token), page=3, **told)


def look(asked: ClusterCaller, *kinds: ResourceType) -> Collection:
    place = Place(asked.account, GLOBAL, "", "kubernetes")
    with ThreadPoolExecutor(2) as pool:
        return collect(place, kinds, asked, pool=pool, clock=lambda: datetime.now(UTC))


def listed(api: ClusterApi, folder: Path, **told: Any) -> tuple[Coverage, Collection]:
    seen = look(caller(api, folder, **told), config_map)
    return seen.coverage[0], seen


def test_a_list_is_read_page_by_page_under_one_version(api: ClusterApi, tmp_path: Path) -> None:
    asked = caller(api, tmp_path)
    api.reset_counts()
    seen = look(asked, config_map)
    assert (seen.coverage[0].state, seen.coverage[0].listed) == ("ok", MAPS)
    assert api.counts() == {("list", "/api/v1/configmaps"): 3}
    assert asked.versions()["core/v1:configmaps"].isdigit()


@pytest.mark.parametrize("trouble", ["expire", "expire_hard"])
def test_a_list_whose_token_ran_out_starts_over_once(api: ClusterApi, tmp_path: Path, trouble: Any) -> None:
    api.trouble(Trouble(trouble, resource="configmaps", times=1))
    look_at, seen = listed(api, tmp_path)
    assert (look_at.state, look_at.listed) == ("ok", MAPS)
    assert len({one.native_id for one in seen.evidence}) == MAPS


def test_a_list_that_runs_out_twice_is_incomplete(api: ClusterApi, tmp_path: Path) -> None:
    api.trouble(Trouble("expire", resource="configmaps"))
    look_at, seen = listed(api, tmp_path)
    assert (look_at.state, look_at.detail) == ("error", "Expired list configmaps")
    assert len(seen.evidence) == 3


def test_a_refusal_is_coverage_that_names_verb_and_resource(api: ClusterApi, tmp_path: Path) -> None:
    look_at, seen = listed(api, tmp_path, token=api.token("nobody"))
    assert (look_at.state, look_at.action) == ("denied", "list configmaps")
    assert seen.evidence == ()


def test_a_group_that_is_not_there_is_an_answer(api: ClusterApi, tmp_path: Path) -> None:
    gateway = next(kind for kind in resource_types() if kind.name == "kubernetes.gateway")
    assert isinstance(gateway, ResourceType)
    (look_at,) = look(caller(api, tmp_path), gateway).coverage
    assert (look_at.state, look_at.complete) == ("unsupported", True)


def test_a_group_that_is_there_in_another_version_is_read_in_that_one(api: ClusterApi, tmp_path: Path) -> None:
    names = {"plural": "volumesnapshots", "kind": "VolumeSnapshot", "singular": "volumesnapshot"}
    group = "snapshot.storage.k8s.io"
    versions = [{"name": "v1beta1", "served": True, "storage": True}]
    api.put(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"volumesnapshots.{group}"},
            "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": versions},
        }
    )
    api.put(stored("VolumeSnapshot", "nightly") | {"apiVersion": f"{group}/v1beta1"})
    seen = look(caller(api, tmp_path), snapshot)
    assert (seen.coverage[0].state, [one.native_id for one in seen.evidence]) == (
        "ok",
        ["default/VolumeSnapshot/nightly"],
    )


@pytest.mark.parametrize("trouble", ["cut", "cut_body", "hang_up", "garbage"])
def test_a_page_that_was_lost_is_taken_again(api: ClusterApi, tmp_path: Path, trouble: Any) -> None:
    api.trouble(Trouble(trouble, resource="configmaps", skip=1, times=1))
    look_at, _ = listed(api, tmp_path)
    assert (look_at.state, look_at.listed) == ("ok", MAPS)


@pytest.mark.parametrize("trouble", ["throttle", "unavailable"])
def test_a_server_that_asks_for_time_gets_it(api: ClusterApi, tmp_path: Path, trouble: Any) -> None:
    waited: list[float] = []
    asked = caller(api, tmp_path)
    asked._sleep = waited.append
    api.trouble(Trouble(trouble, resource="configmaps", times=2, retry_after=7))
    assert look(asked, config_map).coverage[0].state == "ok"
    assert waited == [7.0, 7.0]


def test_a_server_that_asks_for_too_much_time_is_told_as_throttled(api: ClusterApi, tmp_path: Path) -> None:
    api.trouble(Trouble("throttle", resource="configmaps", retry_after=600))
    look_at, _ = listed(api, tmp_path)
    assert (look_at.state, look_at.detail) == ("throttled", "TooManyRequests list configmaps")


def test_a_token_that_was_renewed_in_its_file_is_read_anew(api: ClusterApi, tmp_path: Path) -> None:
    token = tmp_path / "token"
    first = api.admin_token()
    token.write_text(first, encoding="utf-8")
    asked = connect(kubeconfig=api.kubeconfig(tmp_path / "kubeconfig", token_file=token))
    api.revoke(first)
    token.write_text(api.admin_token(), encoding="utf-8")
    assert look(asked, config_map).coverage[0].state == "ok"


def test_a_token_that_nobody_knows_any_more_is_told_as_denied(api: ClusterApi, tmp_path: Path) -> None:
    token = api.admin_token()
    asked = caller(api, tmp_path, token=token)
    api.revoke(token)
    look_at = look(asked, config_map).coverage[0]
    assert (look_at.state, look_at.detail) == ("denied", "Unauthorized list configmaps")
    assert asked.calls()["core/v1:configmaps"] == 2


def test_an_identity_is_asserted_before_anything_is_asked(api: ClusterApi, tmp_path: Path) -> None:
    assert caller(api, tmp_path, token=api.token("jane")).identity == "jane"
    with pytest.raises(CollectionError, match="Unauthorized"):
        caller(api, tmp_path, token="nobody-knows-this")


def test_a_server_of_another_authority_is_not_asked(api: ClusterApi) -> None:
    with ClusterApi() as other, pytest.raises(CollectionError, match="does not let us in"):
        connect_address(Door(api.url, other.authority, api.admin_token), name="ours")


def test_an_address_with_its_authority_and_a_token_is_a_way_in(api: ClusterApi) -> None:
    asked = connect_address(Door(api.url, api.authority, api.admin_token), name="ours")
    assert (asked.account, look(asked, config_map).coverage[0].listed) == ("ours", MAPS)


def test_a_context_that_does_not_exist_is_refused_with_those_that_do(api: ClusterApi, tmp_path: Path) -> None:
    with pytest.raises(CollectionError, match="no context is called moon; there are meadowbrook"):
        connect(kubeconfig=api.kubeconfig(tmp_path / "kubeconfig"), context="moon")


def test_contents_of_secrets_are_never_sent(api: ClusterApi, tmp_path: Path) -> None:
    api.put(stored("Secret", "db", data={"password": "aHVudGVyMg=="}))
    asked = caller(api, tmp_path)
    assert secret.listing is not None
    pages = list(asked.pages("core/v1:secrets", secret.listing.params, region=GLOBAL))
    assert [item["metadata"]["name"] for page in pages for item in page["items"]] == ["db"]
    assert "aHVudGVyMg" not in str(pages)


def test_only_named_namespaces_are_looked_at(api: ClusterApi, tmp_path: Path) -> None:
    api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    api.put(stored("ConfigMap", "prices", "shop"))
    seen = look(caller(api, tmp_path, namespaces=("shop",)), config_map)
    assert [one.native_id for one in seen.evidence] == ["shop/ConfigMap/prices"]
    space = next(kind for kind in resource_types() if kind.name == "kubernetes.namespace")
    assert isinstance(space, ResourceType)
    told = look(caller(api, tmp_path, namespaces=("shop",)), space)
    assert [one.native_id for one in told.evidence] == ["/Namespace/shop"]


def test_what_one_namespace_refuses_does_not_hide_the_others(api: ClusterApi, tmp_path: Path) -> None:
    api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    api.put(stored("ConfigMap", "prices", "shop"))
    api.trouble(Trouble("deny", resource="configmaps", namespace="default"))
    seen = look(caller(api, tmp_path, namespaces=("default", "shop")), config_map)
    assert [one.native_id for one in seen.evidence] == ["shop/ConfigMap/prices"]
    assert seen.coverage[0].detail == "Forbidden list configmaps in default"


def test_a_token_that_ended_is_told_when_connecting(api: ClusterApi, tmp_path: Path) -> None:
    ended = api.token("jane", expires_at=datetime.now(UTC) - timedelta(minutes=1))
    with pytest.raises(CollectionError, match="does not let us in"):
        caller(api, tmp_path, token=ended)


def test_nothing_can_be_prepared(api: ClusterApi, tmp_path: Path) -> None:
    with pytest.raises(CallFailed):
        caller(api, tmp_path).prepare("core/v1:pods", region=GLOBAL)
