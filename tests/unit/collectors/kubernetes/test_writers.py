"""Who last wrote to an object, from its own record of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from auditor.collectors.kubernetes._writers import LONGEST, writer
from auditor.collectors.kubernetes.core_pods import pod as pods
from auditor.domain.source import GLOBAL, Place
from auditor.pipeline.collect import collect
from tests.fixtures.cluster import NOW, FakeCluster, pod
from tests.fixtures.cluster import owned as owned_by

SPEC: dict[str, Any] = {"f:spec": {}}
STATUS: dict[str, Any] = {"f:status": {}}
LABELS: dict[str, Any] = {"f:metadata": {"f:labels": {}}}


def entry(manager: str, at: str, fields: Any = SPEC, **told: Any) -> dict[str, Any]:
    return {"manager": manager, "operation": "Update", "time": at, "fieldsType": "FieldsV1", "fieldsV1": fields, **told}


def last(*entries: dict[str, Any], **about: Any) -> str | None:
    told = writer({"managedFields": list(entries), **about})
    return None if told is None else told["manager"]


EARLY, LATE = "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z"


def test_the_latest_write_counts_whatever_its_place_in_the_record() -> None:
    assert last(entry("kubectl-edit", LATE), entry("helm", EARLY)) == "kubectl-edit"
    assert writer({"managedFields": [entry("helm", EARLY, operation="Apply")]}) == {
        "manager": "helm",
        "operation": "Apply",
        "at": EARLY,
    }


@pytest.mark.parametrize(
    "other",
    [
        entry("kubelet", LATE, STATUS, subresource="status"),
        entry("scaler", LATE, SPEC, subresource="scale"),
        entry("operator", LATE, STATUS),
        entry("operator", LATE, STATUS | LABELS),
        entry("nobody", LATE, {}),
        entry("", LATE),
        entry("odd", LATE, operation="Delete"),
        entry("timeless", ""),
    ],
)
def test_what_writes_no_more_than_a_status_or_does_not_tell_is_not_the_writer(other: dict[str, Any]) -> None:
    assert last(entry("helm", EARLY), other) == "helm"


def test_labels_alone_and_data_count_as_written() -> None:
    assert last(entry("helm", EARLY), entry("labeller", LATE, LABELS)) == "labeller"
    assert last(entry("helm", EARLY), entry("tool", LATE, {"f:data": {}})) == "tool"


def test_an_object_that_a_controller_owns_and_one_without_a_record_tell_of_nobody() -> None:
    assert last(entry("kube-controller-manager", EARLY), **owned_by("ReplicaSet", "web")) is None
    assert last() is None


def test_a_name_is_cut_at_what_the_api_takes() -> None:
    assert len(last(entry("x" * 4000, EARLY)) or "") == LONGEST


def test_the_record_makes_no_other_evidence_and_a_broken_time_no_failure() -> None:
    plain = pod("tool", about={})

    def seen(*entries: dict[str, Any]) -> Any:
        one = {**plain, "metadata": {**plain["metadata"], "managedFields": list(entries)}}
        place = Place("meadowbrook", GLOBAL, "", "kubernetes")
        with ThreadPoolExecutor(1) as pool:
            return collect(place, [pods], FakeCluster({"core/v1:pods": [one]}), pool=pool, clock=lambda: NOW)

    first, second = seen(entry("helm", EARLY)), seen(entry("kubectl-edit", LATE))
    assert [one.manager for one in (*first.written, *second.written)] == ["helm", "kubectl-edit"]
    assert first.evidence[0].digest == second.evidence[0].digest
    assert first.evidence[0].listed_digest == second.evidence[0].listed_digest
    assert seen(entry("helm", "yesterday")).written == ()
