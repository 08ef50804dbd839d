"""An answer of success must say in full that there is nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import botocore.model
import pytest

from auditor.collectors.aws._client import loader
from auditor.collectors.aws._wholeness import UnreadableAnswer, refuse_torn


def answer(
    service: str, operation: str, body: bytes, *, status: int = 200, parsed: dict[str, Any] | None = None
) -> None:
    told = botocore.model.ServiceModel(loader().load_service_model(service, "service-2"), service)
    response = SimpleNamespace(status_code=status, content=body)
    refuse_torn(response, {"ResponseMetadata": {}} | (parsed or {}), told.operation_model(operation))


@pytest.mark.parametrize("body", [b"", b"  ", b'{"Keys":[{"KeyId":"a"', b"<html></html>", b"[]"])
def test_a_torn_answer_is_refused(body: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        answer("kms", "ListKeys", body)


@pytest.mark.parametrize("body", [b"", b"<!DOCTYPE html><html/>"])
def test_a_torn_answer_in_xml_is_refused(body: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        answer("s3", "ListBuckets", body)


def test_an_answer_that_says_nothing_in_full_stands() -> None:
    answer("kms", "ListKeys", b"{}")
    answer("s3", "GetBucketVersioning", b"<VersioningConfiguration/>")


def test_an_answer_out_of_which_something_was_read_is_not_looked_at_again() -> None:
    answer("kms", "ListKeys", b"no matter", parsed={"Keys": []})


def test_other_states_than_success_are_not_its_affair() -> None:
    answer("kms", "ListKeys", b"", status=204)
