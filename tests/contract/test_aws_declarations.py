"""Every declared AWS type against the vendor's own service models: what we ask exists, and so does what we keep."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import botocore.loaders
import botocore.model
import pytest

from auditor.collectors.aws import resource_types
from auditor.collectors.aws._client import api_name, loader
from auditor.collectors.aws._permissions import actions
from auditor.domain.document import shape_of
from auditor.domain.projection import tree
from auditor.domain.resource_type import Listing, Read, ResourceType

DECODED = {"iam:get_credential_report"}
"""Answers that hold a file: the door opens it, the model does not know its columns."""


def reads() -> Iterator[tuple[str, Read]]:
    for kind in resource_types():
        if isinstance(kind, ResourceType):
            for read in kind.reads:
                yield f"{kind.name} {read.operation}", read


READS = list(reads())


def model(operation: str) -> botocore.model.OperationModel:
    service, _, method = operation.partition(":")
    told = botocore.model.ServiceModel(loader().load_service_model(service, "service-2"), service)
    return told.operation_model(api_name(service, method))


@pytest.mark.parametrize(("name", "read"), READS, ids=[name for name, _ in READS])
def test_what_is_asked_exists(name: str, read: Read) -> None:
    for operation in read.operations:
        assert model(operation).name
    asked = model(read.operation)
    known = set(asked.input_shape.members) if asked.input_shape else set()
    required = set(asked.input_shape.required_members) if asked.input_shape else set()
    assert set(read.params) <= known, f"{name} sends parameters that the operation does not take"
    assert required <= set(read.params), f"{name} leaves out a parameter that the operation needs"


@pytest.mark.parametrize(("name", "read"), READS, ids=[name for name, _ in READS])
def test_what_is_kept_exists_in_the_answer(name: str, read: Read) -> None:
    if read.operation in DECODED or callable(read.items):
        return
    shape = model(read.operation).output_shape
    assert shape is not None
    if isinstance(read.items, str):
        for part in read.items.split("."):
            shape = members(shape, name)[part.removesuffix("[]")]
            if shape.type_name == "list":
                shape = shape.member
    hold(shape, tree(read.keep), name)
    for field in read.match:
        assert field in members(shape, name)
    if isinstance(read, Listing):
        for field in (read.region,) if read.region else ():
            assert field in members(shape, name)


@pytest.mark.parametrize(("name", "read"), READS, ids=[name for name, _ in READS])
def test_every_read_says_what_it_keeps(name: str, read: Read) -> None:
    assert read.keep or read.project, f"{name} would keep nothing, or everything"


def members(shape: Any, name: str) -> dict[str, Any]:
    while shape.type_name == "list":
        shape = shape.member
    assert shape.type_name == "structure", f"{name}: {shape.name} has no members"
    return dict(shape.members)


def hold(shape: Any, kept: Any, name: str) -> None:
    if kept is None or shape.type_name == "map":  # a map's keys are data, not names of the model
        return
    known = members(shape, name)
    for field, below in kept.items():
        assert field in known, f"{name} keeps {field}, which {shape.name} does not have"
        hold(known[field], below, name)


@pytest.mark.parametrize("kind", resource_types(), ids=[kind.name for kind in resource_types()])
def test_every_document_has_a_shape_and_a_name(kind: Any) -> None:
    shape = shape_of(kind.document_type)
    assert "name" in shape["fields"], "messages name the resource"


def test_names_inside_a_type_do_not_clash() -> None:
    for kind in resource_types():
        if isinstance(kind, ResourceType) and kind.listing is not None:
            listed = set(tree(kind.listing.keep))
            assert not listed & set(kind.details), f"{kind.name}: a detail hides a listed field"


def test_every_action_is_a_read() -> None:
    for action in actions():
        service, _, verb = action.partition(":")
        assert service
        assert verb.startswith(("Get", "GET", "List", "Describe", "Generate", "BatchGet")), (
            f"{action} could change something"
        )


def test_the_policy_names_the_actions_whose_names_differ() -> None:
    assert {"s3:ListAllMyBuckets", "s3:GetEncryptionConfiguration", "s3:GetAccountPublicAccessBlock"} <= set(actions())
