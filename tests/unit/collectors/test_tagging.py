"""Data stores of a region and what their tags say."""

from __future__ import annotations

from typing import Any

from auditor.collectors.aws.tagging import STORES, Store, Stores, resource, tagged
from auditor.domain.reading import Seen, Unseen
from auditor.domain.resource_type import Joined, Member, Population

BUCKET = "arn:aws:s3:::charts"


def region(known: Population, **stores: Population) -> Stores:
    populations = {kind.name: Population(()) for kind in STORES}
    populations.update({f"aws.{name.replace('__', '.')}": found for name, found in stores.items()})
    populations["aws.tagging.tagged"] = known
    found: Stores = resource.describe(Joined("111122223333", "eu-west-1", None, populations))
    return found


def member(id_: str, document: Any = None, where: str = "eu-west-1") -> Member:
    return Member(id_, where, document)


def with_tags(*keys: str) -> Population:
    content = {"ResourceARN": BUCKET, "Tags": [{"Key": key} for key in keys]}
    return Population((member(BUCKET, tagged.describe(content)),))


def test_keys_are_compared_without_case() -> None:
    found = region(with_tags("Owner", "Data-Class"), s3__bucket=Population((member(BUCKET),)))
    assert found.stores == (Store(BUCKET, Seen(("data-class", "owner"))),)
    assert found.bare == ()


def test_a_store_the_tagging_service_does_not_know_has_no_tags() -> None:
    found = region(Population(()), s3__bucket=Population((member(BUCKET),)))
    assert found.stores == (Store(BUCKET, Seen(())),)
    assert found.bare == (BUCKET,)


def test_a_tag_listing_cut_short_leaves_the_tags_of_others_open() -> None:
    found = region(Population((), "denied"), s3__bucket=Population((member(BUCKET),)))
    assert found.stores == (Store(BUCKET, Unseen("denied")),)
    assert found.bare == ()


def test_stores_of_other_regions_are_judged_there() -> None:
    assert region(Population(()), s3__bucket=Population((member(BUCKET, where="us-east-1"),))).stores == ()


def test_a_service_that_could_not_be_listed_may_hide_a_store() -> None:
    assert region(Population(()), rds__cluster=Population((), "denied")).stores == (Unseen("denied"),)
