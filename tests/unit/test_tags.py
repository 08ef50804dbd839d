"""Tags in every spelling that evidence shows them in."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.domain.tags import TagList, tags_in


@pytest.mark.parametrize(
    "content",
    [
        {"Tags": [{"Key": "env", "Value": "prod"}]},
        {"tags": [{"key": "env", "value": "prod"}]},
        {"TagList": [{"TagKey": "env", "TagValue": "prod"}]},
        {"tags": {"env": "prod"}},
        {"tags": {"TagSet": [{"Key": "env", "Value": "prod"}]}},
    ],
)
def test_all_spellings_say_the_same(content: dict[str, Any]) -> None:
    assert tags_in(content) == {"env": "prod"}


def test_a_tag_that_is_itself_called_tags_is_a_tag() -> None:
    assert tags_in({"tags": {"tags": "many"}}) == {"tags": "many"}


@pytest.mark.parametrize("content", [{"Tags": []}, {"tags": None}, {"tags": {}}])
def test_no_tags_are_seen_to_be_none(content: dict[str, Any]) -> None:
    assert tags_in(content) == {}


@pytest.mark.parametrize(
    "content",
    [
        {"Name": "a"},
        {"tags": {"$unseen": "AccessDenied s3:GetBucketTagging"}},
        {"Tags": [{"Key": "env", "Value": "prod"}, {"$unseen": "AccessDenied"}]},
        {"Tags": [{"Key": "env"}]},
        {"Tags": "env=prod"},
    ],
)
def test_tags_that_are_not_all_seen_are_unseen(content: dict[str, Any]) -> None:
    assert tags_in(content) is None


def test_a_kept_name_that_the_vendor_left_out_says_that_there_are_no_tags() -> None:
    assert tags_in({"Name": "a"}, listed=("Name", "Tags")) == {}


def test_the_service_names_an_arn_with_or_without_its_account() -> None:
    page = {"ResourceTagMappingList": [{"ResourceARN": "arn:aws:ec2:us-east-1:123456789012:snapshot/s", "Tags": []}]}
    assert TagList([page]).of(["arn:aws:ec2:us-east-1::snapshot/s"]) == {"arn:aws:ec2:us-east-1::snapshot/s": {}}
