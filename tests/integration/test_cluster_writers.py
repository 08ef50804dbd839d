"""Who changed what turned in a cluster: on the finding's page, in drift and in bundles, beside the evidence and never in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from auditor.simulators.kubernetes_api import ClusterApi
from auditor.simulators.kubernetes_objects import service
from auditor.store.reads import history
from auditor.store.reads.attributions import BEFORE, DELETED, Attribution
from auditor.store.reads.bundle import _evidence
from auditor.store.reads.bundle_sql import EVIDENCE
from tests.fixtures.database import Provisioned
from tests.fixtures.spine import Days
from tests.integration.test_cluster_source import AT, World, signed_in, world

CHECK = "k8s.service.not_node_port"
DOOR = "shop/Service/door"
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def shop(provisioned: Provisioned, tmp_path: Path) -> Iterator[World]:
    clocks = [Days(AT)]

    def now() -> datetime:
        return clocks[0]()

    with ClusterApi(clock=now) as api:
        api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        api.put(service("shop", "door"))
        with world(provisioned, api, tmp_path, api.admin_token()) as made:
            clocks[0] = made.clock
            yield made


def opened(made: World, manager: str = "kubectl-edit", type_: str = "NodePort") -> None:
    made.api.patch("Service", "door", {"spec": {"type": type_}}, namespace="shop", manager=manager)


def turns(made: World) -> list[tuple[str, Attribution | None]]:
    """Each turn of the service's finding, newest first."""
    until = made.clock() + timedelta(seconds=1)
    with made.here.app.reading(made.tenant) as conn:
        drift = history.drift(conn, until - timedelta(days=9), until)
    return [(one.state, one.changed) for one in drift.rows if (one.check, one.resource) == (CHECK, DOOR)]


def kept(made: World) -> list[Any]:
    return made.rows("SELECT e.digest FROM evidence e ORDER BY 1")


def test_a_turn_names_who_wrote_to_the_object_in_between(shop: World) -> None:
    shop.run()
    opened(shop)
    shop.run()
    ((state, changed),) = turns(shop)
    assert state == "fail"
    assert changed is not None
    assert (changed.manager, changed.operation, changed.why) == ("kubectl-edit", "Update", "")
    assert changed.at is not None
    opened(shop, "helm", "ClusterIP")
    shop.run()
    shop.api.delete("Service", "door", namespace="shop")
    shop.run()
    gone, mended, before = turns(shop)
    assert gone == ("absent", Attribution(DELETED))
    assert (mended[0], mended[1] and mended[1].manager) == ("pass", "helm")
    assert before == (state, changed), "what was told of an earlier turn stays"


def test_a_status_alone_makes_neither_evidence_nor_a_writer(shop: World) -> None:
    shop.run()
    before, wrote = kept(shop), shop.rows("SELECT * FROM attribution ORDER BY resource_id")
    status: dict[str, Any] = {"status": {"loadBalancer": {}, "conditions": []}}
    shop.api.patch("Service", "door", status, namespace="shop", manager="kubelet", subresource="status")
    shop.run()
    assert kept(shop) == before
    assert shop.rows("SELECT * FROM attribution ORDER BY resource_id") == wrote
    assert wrote, "whoever made it is known"


def test_a_turn_that_no_write_explains_is_unattributed_and_says_why(shop: World) -> None:
    shop.run()
    shop.api.patch("Service", "door", {"spec": {"type": "NodePort"}}, namespace="shop")  # without a word of who it was
    shop.run()
    ((_, changed),) = turns(shop)
    assert changed is not None
    assert (changed.why, changed.manager) == (BEFORE, "meadowbrook-deploy")


def test_pages_tell_it_and_a_hostile_name_stays_text(shop: World) -> None:
    shop.run()
    opened(shop, HOSTILE)
    shop.run()
    client = signed_in(shop)
    sql = "SELECT finding_id FROM finding f JOIN resource r USING (tenant_id, resource_id) WHERE check_id = :c AND native_id = :r"
    finding = shop.rows(sql, c=CHECK, r=DOOR)[0].finding_id
    for path in (f"/findings/{finding}", "/drift"):
        page = client.get(path).text
        assert "Changed by <code>&lt;script&gt;alert(1)&lt;/script&gt;</code> (Update) at" in page, path
        assert HOSTILE not in page


def test_the_record_itself_is_kept_nowhere(shop: World) -> None:
    shop.run()
    opened(shop)
    shop.run()
    for row in kept(shop):
        assert b"managedFields" not in shop.here.objects.get(shop.tenant, row.digest)
        assert b"kubectl-edit" not in shop.here.objects.get(shop.tenant, row.digest)
    told = {json.dumps([row.manager, row.operation]) for row in shop.rows("SELECT manager, operation FROM attribution")}
    assert '["kubectl-edit", "Update"]' in told


def test_the_index_of_a_bundle_names_the_writer_beside_each_evidence(shop: World) -> None:
    shop.run()
    opened(shop)
    shop.run()
    index = [_evidence(row, shop.clock()) for row in shop.rows(EVIDENCE, as_of=shop.clock(), gone=False)]
    doors = [line for line in index if (line["resource"], line["type"]) == (DOOR, "kubernetes.service")]
    doors.sort(key=lambda line: str(line["collected_at"]))
    assert [line["written"]["manager"] for line in doors] == ["meadowbrook-deploy", "kubectl-edit"]
    assert {line["written"] for line in index if line["type"] == "kubernetes.any_role"} == {None}, (
        "made of several objects"
    )
