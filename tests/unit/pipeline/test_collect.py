from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from auditor.domain.evidence import Collection
from auditor.domain.ports import CallFailed
from auditor.domain.resource_type import Listing, Read, ResourceType
from auditor.domain.source import Place
from auditor.pipeline.collect import collect
from tests.unit.pipeline.world import ACCOUNT, NOW, Caller, answers, denied, shelf, shelves


def look(threads: int = 4, region: str = "us-east-1", **changed: Any) -> tuple[Collection, Caller]:
    caller = Caller(answers(**changed))
    with ThreadPoolExecutor(threads) as pool:
        return collect(Place(ACCOUNT, region), [shelf], caller, pool=pool, clock=lambda: NOW), caller


def test_only_the_kept_fields_reach_the_evidence() -> None:
    collection, _ = look()
    assert [seen.content for seen in collection.evidence] == [
        {
            "Name": "a",
            "MadeAt": "2026-11-22T10:30:00Z",
            "lock": {"Kind": "brass"},
            "fire_drills": [{"Shelf": "a", "At": "2026-11-22T10:30:00Z"}],
        },
        {"Name": "b", "MadeAt": "2026-11-22T10:30:00Z", "lock": {"Kind": "brass"}, "fire_drills": []},
    ]


def test_a_call_that_is_the_same_for_all_is_made_once() -> None:
    _, caller = look(list_shelves=shelves(*"abcdef"))
    assert caller.asked == {"library:list_shelves": 1, "library:list_drills": 1, "library:get_lock": 6}


def test_one_thread_is_enough() -> None:
    collection, _ = look(threads=1)
    assert len(collection.evidence) == 2


def test_an_answer_of_absence_is_seen() -> None:
    collection, _ = look(get_lock=CallFailed("NoSuchLock", "error", action="library:GetLock"))
    assert [seen.content["lock"] for seen in collection.evidence] == [None, None]
    assert collection.coverage[0].state == "ok"


def test_a_denied_detail_is_unseen_in_the_evidence_and_counted() -> None:
    collection, _ = look(get_lock=denied("library:GetLock"))
    assert [seen.content["lock"] for seen in collection.evidence] == [{"$unseen": "AccessDenied library:GetLock"}] * 2
    assert collection.coverage[0].denied_details == (("library:GetLock", 2),)
    assert collection.coverage[0].complete


@pytest.mark.parametrize("kind", ["denied", "throttled", "error"])
def test_a_failed_listing_is_coverage_and_never_an_empty_place(kind: Any) -> None:
    collection, _ = look(list_shelves=CallFailed("Broken", kind, action="library:ListShelves"))
    (coverage,) = collection.coverage
    assert (coverage.state, coverage.complete, coverage.listed) == (kind, False, 0)
    assert coverage.detail == "Broken library:ListShelves"


def test_a_listing_that_breaks_on_its_second_page_keeps_what_it_saw_and_says_so() -> None:
    collection, _ = look(list_shelves=[shelves("a"), denied("library:ListShelves")])
    assert [seen.native_id for seen in collection.evidence] == ["a"]
    assert not collection.coverage[0].complete


def test_a_shared_list_that_breaks_is_partly_unseen_for_those_it_had_shown() -> None:
    pages = [{"Drills": [{"Shelf": "a", "At": NOW}]}, denied("library:ListDrills")]
    collection, _ = look(list_drills=pages)
    a, b = (seen.content["fire_drills"] for seen in collection.evidence)
    assert a == [{"Shelf": "a", "At": "2026-11-22T10:30:00Z"}, {"$unseen": "AccessDenied library:ListDrills"}]
    assert b == {"$unseen": "AccessDenied library:ListDrills"}


def test_types_of_other_places_are_left_alone() -> None:
    collection, caller = look(region="global")
    assert (collection.evidence, collection.coverage, dict(caller.asked)) == ((), (), {})


def test_the_same_answer_has_the_same_digest_whenever_it_was_asked() -> None:
    first, _ = look()
    second, _ = look()
    assert [seen.digest for seen in first.evidence] == [seen.digest for seen in second.evidence]


def test_a_list_read_before_is_asked_about_in_batches_and_a_broken_one_is_partly_unseen() -> None:
    def books(params: dict[str, Any]) -> list[Any]:
        if params["Ids"] == ["e"]:
            return [denied("library:GetBooks")]
        return [{"Books": [{"Id": one} for one in params["Ids"]]}]

    rack = ResourceType(
        "aws.library.rack",
        version=1,
        title="rack",
        listing=Listing("library:list_shelves", items="Shelves", id="Name", keep=("Name",)),
        details={
            "ids": Read("library:list_books", Shelf="{Name}", items=lambda page: page["Ids"], project=sorted),
            "books": Read("library:get_books", Ids="{ids}", batch=("Ids", 2), items="Books", keep=("Id",)),
        },
    )
    caller = Caller(answers(list_shelves=shelves("a"), list_books={"Ids": [*"dbcae"]}, get_books=books))
    with ThreadPoolExecutor(1) as pool:
        (seen,) = collect(Place(ACCOUNT, "us-east-1"), [rack], caller, pool=pool, clock=lambda: NOW).evidence
    unseen = {"$unseen": "AccessDenied library:GetBooks"}
    assert seen.content["books"] == [{"Id": "a"}, {"Id": "b"}, {"Id": "c"}, {"Id": "d"}, unseen]
    assert caller.asked["library:get_books"] == 3
