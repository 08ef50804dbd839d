"""The door to what a cluster tells by itself, against a server over TLS: names only, and bad days."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from auditor.collectors.kubernetes._client import ClusterCaller
from auditor.collectors.kubernetes._connection import connect
from auditor.collectors.kubernetes._listing import ONE
from auditor.collectors.kubernetes._requests import named
from auditor.collectors.kubernetes._watch import ClusterHearer
from auditor.collectors.kubernetes.core_configuration import config_map, secret
from auditor.collectors.kubernetes.rbac import cluster_role
from auditor.domain.ports import CallFailed
from auditor.domain.resource_type import ResourceType
from auditor.domain.source import GLOBAL
from auditor.domain.watching import Heard, Stream
from auditor.simulators.kubernetes_api import ClusterApi
from auditor.simulators.kubernetes_faults import Trouble

MAPS = "core/v1:configmaps"


def stored(name: str, namespace: str = "default", **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data}


@pytest.fixture
def api() -> Iterator[ClusterApi]:
    with ClusterApi() as running:
        running.put(stored("first"))
        yield running


def heard(
    api: ClusterApi, folder: Path, version: str, *, kind: ResourceType = config_map, most: int = 99, **told: Any
) -> list[Heard]:
    """What is told from a version on until the server ends it, or ``most`` lines of it."""
    caller = connect(kubeconfig=api.kubeconfig(folder / "kubeconfig", **told))
    assert kind.listing is not None
    stream = Stream(kind.listing.operation, version)
    return list(islice(ClusterHearer(caller).hear(stream, kind.listing.params, seconds=3), most))


def test_names_are_heard_and_the_way_to_go_on(api: ClusterApi, tmp_path: Path) -> None:
    before = str(api.store.version)
    api.put(stored("second", mode="on"))
    api.put(stored("second", mode="off"))
    api.delete("ConfigMap", "first", namespace="default")
    opened, added, changed, gone, *bookmarks = heard(api, tmp_path, before)
    assert opened == Heard(before)
    assert (added.native_id, changed.native_id, gone.native_id) == (
        *2 * ("default/ConfigMap/second",),
        "default/ConfigMap/first",
    )
    assert [one.gone for one in (added, changed, gone)] == [False, False, True]
    assert bookmarks == [Heard(str(api.store.version))], "told before the end, though nothing happened"
    assert heard(api, tmp_path, changed.version, most=2)[1] == gone


def test_contents_are_not_even_sent(api: ClusterApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pieces: list[bytes] = []
    real = ClusterCaller.stream

    def overheard(caller: ClusterCaller, path: str, **told: Any) -> Generator[bytes]:
        with closing(real(caller, path, **told)) as answer:
            for piece in answer:
                pieces.append(piece)
                yield piece

    monkeypatch.setattr(ClusterCaller, "stream", overheard)
    before = str(api.store.version)
    api.put(stored("second", mode="canary-91c2"))
    heard(api, tmp_path, before)
    assert b'"second"' in b"".join(pieces)
    assert b"canary" not in b"".join(pieces)


def test_a_version_that_is_forgotten_is_told_inside_an_answer_that_seemed_good(api: ClusterApi, tmp_path: Path) -> None:
    before = str(api.store.version)
    api.put(stored("second"))
    api.compact()
    with pytest.raises(CallFailed) as failed:
        heard(api, tmp_path, before)
    assert (failed.value.code, failed.value.reason) == ("Expired", "Expired watch configmaps")


def test_a_cut_connection_is_told_and_what_came_before_it_counts(api: ClusterApi, tmp_path: Path) -> None:
    api.trouble(Trouble("cut_body", verb="watch"))
    before = str(api.store.version)
    api.put(stored("second"))
    api.put(stored("third"))
    caller = connect(kubeconfig=api.kubeconfig(tmp_path / "kubeconfig"))
    assert config_map.listing is not None
    listening = ClusterHearer(caller).hear(Stream(MAPS, before), config_map.listing.params, seconds=3)
    assert [next(listening).native_id for _ in range(2)] == [None, "default/ConfigMap/second"]
    with pytest.raises(CallFailed, match="watch configmaps"):
        next(listening)


@pytest.mark.parametrize(
    ("action", "code", "kind"),
    [
        ("deny", "Forbidden", "denied"),
        ("unauthorized", "Unauthorized", "denied"),
        ("throttle", "TooManyRequests", "throttled"),
        ("unavailable", "ServiceUnavailable", "throttled"),
    ],
)
def test_refusals_are_those_of_listings(api: ClusterApi, tmp_path: Path, action: Any, code: str, kind: str) -> None:
    api.trouble(Trouble(action, verb="watch", retry_after=7))
    with pytest.raises(CallFailed) as failed:
        heard(api, tmp_path, "1000")
    assert (failed.value.code, failed.value.kind) == (code, kind)
    assert failed.value.retry_after == (7 if kind == "throttled" else 0)


def test_a_token_that_ran_out_is_renewed(api: ClusterApi, tmp_path: Path) -> None:
    api.trouble(Trouble("unauthorized", verb="watch", times=1))
    assert heard(api, tmp_path, str(api.store.version), most=1) == [Heard(str(api.store.version))]


@pytest.mark.parametrize("name", ["\0", "a\nb", "x" * 700])
def test_what_is_no_name_is_refused_before_it_can_be_written_down(api: ClusterApi, tmp_path: Path, name: str) -> None:
    before = str(api.store.version)
    api.put(stored(name))
    with pytest.raises(CallFailed) as failed:
        heard(api, tmp_path, before)
    assert failed.value.reason == "Unreadable watch configmaps"


def test_one_object_is_asked_for_by_name_with_the_right_to_list_alone(api: ClusterApi, tmp_path: Path) -> None:
    caller = connect(kubeconfig=api.kubeconfig(tmp_path / "kubeconfig"))
    api.put(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "key", "namespace": "default"},
            "data": {"k": "djE="},
        }
    )
    api.reset_counts()
    for kind, id_, found in (
        (config_map, "default/ConfigMap/first", 1),
        (config_map, "default/ConfigMap/none", 0),
        (secret, "default/Secret/key", 1),
        (cluster_role, "/ClusterRole/system:discovery", 1),
    ):
        assert kind.listing is not None
        [page] = caller.pages(kind.listing.operation, {**kind.listing.params, ONE: id_}, region=GLOBAL)
        assert len(page["items"]) == found, id_
        assert "djE=" not in str(page)
    assert {verb for verb, _ in api.counts()} == {"list"}
    assert caller.versions() == {}, "of no listing"


def test_a_name_is_spelled_so_that_a_selector_holds_nothing_else() -> None:
    assert named("system:node") == "metadata.name=system:node"
    assert named("a,metadata.namespace=b\\") == "metadata.name=a\\,metadata.namespace\\=b\\\\"
