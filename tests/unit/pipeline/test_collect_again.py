"""The second look: what is listed as before is held, and read again when its turn comes; what the scope leaves out is told."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from auditor.domain.coverage import Rota
from auditor.domain.evidence import Collection, Evidence, Known
from auditor.domain.resource_type import Listing, Read, ResourceType
from auditor.domain.scope import Rule, Scope
from auditor.domain.source import Place
from auditor.domain.volatile import beside
from auditor.pipeline.collect import collect
from auditor.proof.canonical import stamp
from tests.unit.pipeline.world import ACCOUNT, NOW, Caller, answers, denied, shelf, shelves

PLACE = Place(ACCOUNT, "us-east-1")
SEVEN = Rota(every=7, turn=0)
NEVER = next(Rota(every=7, turn=turn) for turn in range(7) if not any(Rota(7, turn).has(name) for name in "abc"))
LABELS = "resourcegroupstaggingapi:get_resources"

label = ResourceType(
    "aws.library.label",
    version=1,
    title="label",
    listing=Listing("library:list_shelves", items="Shelves", id="Name", keep=("Name", "Tags")),
)
desk = ResourceType(
    "aws.library.desk", version=1, title="desk", details={"lock": Read("library:get_lock", keep=("Kind",))}
)


def look(
    *kinds: ResourceType,
    before: Collection | None = None,
    rota: Rota = NEVER,
    scope: Scope | None = None,
    tags: Any = None,
    **changed: Any,
) -> tuple[Collection, Caller]:
    told = answers(**changed) | ({} if tags is None else {LABELS: tags})
    caller = Caller(told)
    with ThreadPoolExecutor(2) as pool:
        return (
            collect(
                PLACE,
                kinds or (shelf,),
                caller,
                pool=pool,
                clock=lambda: NOW,
                known=known(before),
                rota=lambda _: rota,
                scope=scope or Scope(),
            ),
            caller,
        )


def known(before: Collection | None) -> dict[tuple[str, str], Known]:
    seen = () if before is None else before.evidence
    return {(one.resource_type, one.native_id): Known(one.digest, one.listed_digest) for one in seen}


def held(collection: Collection) -> list[str]:
    return [one.native_id for one in collection.held]


def read(collection: Collection) -> list[str]:
    return [one.native_id for one in collection.evidence]


def test_what_is_listed_as_before_is_held_and_costs_the_listing_alone() -> None:
    first, _ = look()
    second, caller = look(before=first)
    assert (held(second), read(second)) == (["a", "b"], [])
    assert caller.asked == {"library:list_shelves": 1}
    assert [one.digest for one in second.held] == [one.digest for one in first.evidence]
    assert second.coverage[0].listed == 2


def test_what_is_listed_otherwise_is_read() -> None:
    first, _ = look()
    later = {"Shelves": [{"Name": "a", "MadeAt": NOW}, {"Name": "b", "MadeAt": NOW + timedelta(days=1)}]}
    second, caller = look(before=first, list_shelves=later)
    assert (held(second), read(second)) == (["a"], ["b"])
    assert caller.asked["library:get_lock"] == 1


def test_a_field_that_is_not_kept_changes_nothing() -> None:
    first, _ = look()
    second, _ = look(before=first, list_shelves={"Shelves": [{"Name": "a", "MadeAt": NOW, "Owner": "another"}]})
    assert held(second) == ["a"]


def test_a_resource_that_is_new_is_read() -> None:
    first, _ = look(list_shelves=shelves("a"))
    second, _ = look(before=first)
    assert (held(second), read(second)) == (["a"], ["b"])


def test_every_resource_has_its_turn_once_in_the_rotas_runs_and_is_held_otherwise() -> None:
    names = [f"shelf-{number}" for number in range(40)]
    first, _ = look(list_shelves=shelves(*names))
    rounds = [look(before=first, rota=Rota(7, turn), list_shelves=shelves(*names))[0] for turn in range(7)]
    assert sorted(name for one in rounds for name in read(one)) == sorted(names)
    assert all(sorted(held(one) + read(one)) == sorted(names) for one in rounds)
    assert rounds[0].coverage[0].rota == 7


def test_without_a_rota_everything_is_read_in_every_run() -> None:
    first, _ = look()
    second, _ = look(before=first, rota=Rota())
    assert (held(second), read(second)) == ([], ["a", "b"])
    assert second.coverage[0].rota == 1


def test_a_type_without_details_shows_everything_by_being_listed() -> None:
    first, _ = look(label)
    second, _ = look(label, before=first, rota=Rota())
    assert (held(second), second.coverage[0].rota) == (["a", "b"], 1)
    assert look(label, rota=SEVEN)[0].coverage[0].rota == 1


def test_a_resource_with_a_gap_in_its_evidence_is_read_again_in_the_next_run() -> None:
    first, _ = look(get_lock=denied("library:GetLock"))
    assert {one.listed_digest for one in first.evidence} == {""}
    second, _ = look(before=first)
    assert read(second) == ["a", "b"]


def test_a_new_version_of_a_type_is_read() -> None:
    first, _ = look()
    newer = replace_version(shelf)
    second, _ = look(newer, before=first)
    assert read(second) == ["a", "b"]


def replace_version(kind: ResourceType) -> ResourceType:
    return ResourceType(kind.name, kind.version + 1, kind.title, listing=kind.listing, details=kind.details)


def test_an_incomplete_listing_holds_only_what_it_listed() -> None:
    first, _ = look()
    second, _ = look(before=first, list_shelves=[shelves("a"), denied("library:ListShelves")])
    assert (held(second), read(second)) == (["a"], [])
    assert not second.coverage[0].complete


def test_a_place_is_read_when_it_is_its_turn() -> None:
    first, _ = look(desk)
    turn = next(turn for turn in range(7) if Rota(7, turn).has(PLACE.native_id))
    assert read(look(desk, before=first, rota=Rota(7, turn))[0]) == [PLACE.native_id]
    assert held(look(desk, before=first, rota=Rota(7, turn + 1))[0]) == [PLACE.native_id]
    assert read(look(desk, rota=Rota(7, turn + 1))[0]) == [PLACE.native_id], "nothing is held that was never read"


def test_a_volatile_field_of_a_listing_is_kept_and_not_compared() -> None:
    moving = ResourceType(shelf.name, 1, "shelf", listing=shelf.listing, details=shelf.details, volatile=("MadeAt",))
    first, _ = look(moving)
    facts = Evidence(beside(shelf.name), 1, PLACE.native_id, PLACE.region, {"volatile": {}}, NOW, ())
    later = {"Shelves": [{"Name": "a", "MadeAt": NOW + timedelta(hours=1)}]}
    second, _ = look(moving, before=replace(first, evidence=(*first.evidence, facts)), list_shelves=later)
    assert held(second) == ["a"]
    assert second.held[0].volatile == {"MadeAt": stamp(NOW + timedelta(hours=1))}
    assert first.evidence[0].volatile == {"MadeAt": stamp(NOW)}
    assert "MadeAt" not in first.evidence[0].content
    assert read(look(moving, before=first, list_shelves=later)[0]) == ["a"], "without the facts nothing is held"


def excluded(collection: Collection) -> dict[str, str]:
    return {one.native_id: one.reason for one in collection.excluded}


def test_a_resource_out_of_scope_by_id_is_collected_and_told_as_excluded_read_or_held() -> None:
    scope = Scope(without=Rule(resources=("a",)))
    first, caller = look(scope=scope)
    assert read(first) == ["a", "b"]
    assert excluded(first) == {"a": "excluded by id: a"}
    assert LABELS not in caller.asked
    second, _ = look(before=first, scope=scope)
    assert (held(second), excluded(second)) == (["a", "b"], excluded(first))


def test_tags_are_asked_for_once_and_only_if_the_scope_speaks_of_them() -> None:
    scope = Scope(without=Rule(tags=("env=test*",)))
    tags = [{"ResourceTagMappingList": [{"ResourceARN": "a", "Tags": [{"Key": "env", "Value": "testing"}]}]}]
    collection, caller = look(shelf, desk, scope=scope, tags=tags)
    assert excluded(collection) == {"a": "excluded by tag: env=test*"}
    assert caller.asked[LABELS] == 1
    assert LABELS not in look()[1].asked


def test_tags_that_the_listing_shows_count_before_those_that_the_service_tells() -> None:
    listed = {"Shelves": [{"Name": "a", "Tags": [{"Key": "env", "Value": "prod"}]}, {"Name": "b"}]}
    tags = [{"ResourceTagMappingList": [{"ResourceARN": "a", "Tags": [{"Key": "env", "Value": "test"}]}]}]
    scope = Scope(tags=("env=prod",))
    collection, _ = look(label, scope=scope, tags=tags, list_shelves=listed)
    assert excluded(collection) == {"b": "not among the tags in scope: env=prod"}


@pytest.mark.parametrize(
    "tags", [denied("tag:GetResources"), [{"ResourceTagMappingList": "none"}], [{"ResourceTagMappingList": [{}]}]]
)
def test_tags_that_could_not_be_seen_exclude_nothing(tags: Any) -> None:
    collection, _ = look(scope=Scope(tags=("env=prod",)), tags=tags)
    assert excluded(collection) == {}
    assert read(collection) == ["a", "b"]


def test_half_a_list_of_tags_excludes_nothing() -> None:
    page = {"ResourceTagMappingList": [{"ResourceARN": "a", "Tags": [{"Key": "env", "Value": "test"}]}]}
    collection, _ = look(scope=Scope(without=Rule(tags=("env",))), tags=[page, denied("tag:GetResources")])
    assert excluded(collection) == {}


def test_a_type_of_which_the_service_names_none_is_not_taken_for_untagged() -> None:
    page = {"ResourceTagMappingList": [{"ResourceARN": "elsewhere", "Tags": [{"Key": "env", "Value": "prod"}]}]}
    assert excluded(look(scope=Scope(tags=("env=prod",)), tags=[page])[0]) == {}
    page = {"ResourceTagMappingList": [{"ResourceARN": "a", "Tags": [{"Key": "env", "Value": "prod"}]}]}
    assert list(excluded(look(scope=Scope(tags=("env=prod",)), tags=[page])[0])) == ["b"]


def test_where_only_a_detail_shows_tags_nothing_is_held_while_the_scope_asks_for_them() -> None:
    kind = ResourceType(
        shelf.name,
        1,
        "shelf",
        listing=shelf.listing,
        details={"tags": Read("library:get_tags", Shelf="{Name}", items="TagSet", keep=("Key", "Value"))},
    )
    tagged = {"TagSet": [{"Key": "env", "Value": "test"}]}
    scope = Scope(without=Rule(tags=("env=test",)))
    first, _ = look(kind, scope=scope, get_tags=tagged, tags=denied("tag:GetResources"))
    second, _ = look(kind, before=first, scope=scope, get_tags=tagged, tags=denied("tag:GetResources"))
    assert list(excluded(second)) == ["a", "b"]
    assert held(look(kind, before=first, get_tags=tagged)[0]) == ["a", "b"]


def test_a_place_is_never_left_out_as_a_single_resource() -> None:
    collection, _ = look(desk, scope=Scope(resources=("arn:*",), without=Rule(resources=("*",))))
    assert excluded(collection) == {}


def test_the_evidence_is_the_same_whether_compared_or_not() -> None:
    first, _ = look()
    again, _ = look(before=first, rota=Rota())
    assert [replace(one, collected_at=NOW) for one in again.evidence] == list(first.evidence)
