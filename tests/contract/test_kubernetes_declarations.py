"""Declared types of clusters against what a cluster serves: right group, kind and scope, and nothing that writes."""

from __future__ import annotations

import pytest

from auditor.collectors.kubernetes import resource_types
from auditor.collectors.kubernetes._listing import METADATA_ONLY, NAMESPACES
from auditor.collectors.kubernetes._requests import NAMED_SECRETS, parts
from auditor.domain.resource_type import DerivedType, ResourceType
from auditor.simulators.kubernetes_kinds import Kinds

LISTED = [
    kind
    for kind in resource_types()
    if isinstance(kind, ResourceType) and kind.listing is not None and kind.listing.operation != NAMED_SECRETS
]
EXTENSIONS = (
    "cert-manager.io",
    "cilium.io",
    "crd.projectcalico.org",
    "gateway.networking.k8s.io",
    "snapshot.storage.k8s.io",
    "velero.io",
)
"""Groups that a cluster has only where somebody installed them."""
BUILT_IN = [kind for kind in LISTED if kind.listing and parts(kind.listing.operation)[0] not in EXTENSIONS]


@pytest.mark.parametrize("kind", BUILT_IN, ids=lambda kind: kind.name)
def test_a_built_in_kind_is_named_as_the_api_names_it(kind: ResourceType) -> None:
    assert kind.listing is not None
    assert kind.listing.page is not None
    served = Kinds().get(*parts(kind.listing.operation))
    assert served is not None
    (item,) = kind.listing.page({"items": [{"metadata": {"name": "one"}}]})["items"]
    assert item["id"] == f"/{served.kind}/one"
    assert (NAMESPACES in kind.listing.params) is served.namespaced


@pytest.mark.parametrize("kind", [kind for kind in LISTED if kind not in BUILT_IN], ids=lambda kind: kind.name)
def test_a_group_that_may_be_missing_is_declared_so(kind: ResourceType) -> None:
    assert kind.listing is not None
    assert kind.listing.unsupported == ("NotFound",)


def test_only_secrets_are_asked_for_as_metadata_alone() -> None:
    assert [kind.name for kind in LISTED if kind.listing and kind.listing.params[METADATA_ONLY]] == [
        "kubernetes.secret"
    ]


def test_every_type_stands_over_the_whole_cluster_and_is_named_for_its_kind() -> None:
    assert {kind.place for kind in resource_types()} == {"account"}
    assert {kind.name.split(".")[0] for kind in resource_types()} == {"kubernetes"}


def test_ids_of_objects_of_two_types_never_meet() -> None:
    ids = [
        kind.listing.page({"items": [{"metadata": {"name": "x"}}]})["items"][0]["id"]
        for kind in LISTED
        if kind.listing and kind.listing.page
    ]
    assert len(ids) == len(set(ids))


def test_inputs_of_derived_types_are_declared() -> None:
    declared = {kind.name for kind in resource_types()}
    for kind in resource_types():
        if isinstance(kind, DerivedType):
            assert {each.name for each in kind.inputs} <= declared
