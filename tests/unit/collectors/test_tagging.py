"""Data stores and what their tags say."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.collectors.aws.ec2_storage import volume
from auditor.collectors.aws.tagging import STORES, Store, tagged_bucket, tagged_volume, tags
from auditor.domain.reading import Seen, Unseen
from auditor.domain.resource_type import DerivedType, Joined, Member, Population

REGION = "eu-west-1"
BUCKET = "arn:aws:s3:::charts"
VOLUME = f"arn:aws:ec2:{REGION}:111122223333:volume/vol-1"
DENIED = "AccessDenied tag:GetResources"


def known(*resources: Any, region: str = REGION, unseen: str | None = None) -> Population:
    told: Any = {"$unseen": DENIED} if resources == (DENIED,) else list(resources)
    return Population((Member(f"111122223333/{region}", region, tags.describe({"resources": told})),), unseen)


def with_tags(arn: str, *keys: str) -> dict[str, Any]:
    return {"ResourceARN": arn, "Tags": [{"Key": key} for key in keys]}


def store(kind: DerivedType, id_: str, population: Population, region: str = REGION) -> Store:
    member = Member(id_, region, None)
    document: Store = kind.describe(Joined("111122223333", region, member, {tags.name: population}))
    return document


def test_keys_are_compared_without_case() -> None:
    found = store(tagged_bucket, BUCKET, known(with_tags(BUCKET, "Owner", "Data-Class")))
    assert found == Store("charts", Seen(("data-class", "owner")))


def test_a_store_the_tagging_service_does_not_know_has_no_tags() -> None:
    assert store(tagged_volume, VOLUME, known(with_tags(BUCKET, "owner"))) == Store("volume/vol-1", Seen(()))


@pytest.mark.parametrize("population", [known(DENIED), known(with_tags(BUCKET, "owner"), {"$unseen": DENIED})])
def test_a_tag_listing_cut_short_leaves_the_tags_of_others_open(population: Population) -> None:
    assert store(tagged_volume, VOLUME, population).keys == Unseen(DENIED)


def test_a_tag_listing_cut_short_still_tells_the_tags_it_showed() -> None:
    population = known(with_tags(BUCKET, "owner"), {"$unseen": DENIED})
    assert store(tagged_bucket, BUCKET, population).keys == Seen(("owner",))


def test_a_bucket_is_looked_up_in_its_own_region() -> None:
    elsewhere = known(with_tags(BUCKET, "owner"), region="us-east-1", unseen="not collected in eu-west-1")
    assert store(tagged_bucket, BUCKET, elsewhere).keys == Unseen("not collected in eu-west-1")
    assert store(tagged_bucket, BUCKET, elsewhere, "us-east-1").keys == Seen(("owner",))
    assert isinstance(store(tagged_bucket, BUCKET, known(region="us-east-1")).keys, Unseen), "a region nobody looked at"


def test_one_region_that_fails_leaves_the_tags_of_another_alone() -> None:
    assert store(tagged_volume, VOLUME, known(unseen="denied in us-east-1")).keys == Seen(())


def test_each_kind_of_store_is_judged_over_its_own_members() -> None:
    assert len({kind.over for kind in STORES if not isinstance(kind.over, str)}) == len(STORES) == 6
    assert tagged_volume.over is volume
