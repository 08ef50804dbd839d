"""What nobody expected of an answer costs one reading, or one type its completeness, and never the unit."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Barrier
from typing import Any

import pytest

from auditor.domain.errors import CollectionError
from auditor.domain.evidence import Collection
from auditor.domain.ports import CallFailed
from auditor.domain.resource_type import Listing, Read, ResourceType
from auditor.domain.source import Place
from auditor.pipeline.collect import collect
from tests.unit.pipeline.world import ACCOUNT, NOW, Caller, answers, denied, shelf, shelves


def kind(name: str = "aws.library.rack", *, listing: Listing | None = None, **details: Read) -> ResourceType:
    plain = Listing("library:list_shelves", items="Shelves", id="Name", keep=("Name",))
    return ResourceType(name, version=1, title="rack", listing=listing or plain, details=details)


def look(*kinds: ResourceType, threads: int = 2, **changed: Any) -> tuple[Collection, Caller]:
    caller = Caller(answers(**changed))
    with ThreadPoolExecutor(threads) as pool:
        return collect(Place(ACCOUNT, "us-east-1"), kinds, caller, pool=pool, clock=lambda: NOW), caller


def contents(collection: Collection, name: str) -> list[Any]:
    return [seen.content[name] for seen in collection.evidence]


def test_an_error_nobody_expected_of_a_listing_is_the_types_coverage_and_the_others_go_on() -> None:
    other = kind(listing=Listing("library:list_racks", items="Racks", id="Name", keep=("Name",)))
    collection, _ = look(other, shelf, list_racks=ZeroDivisionError("shelf 42 of Mrs Smith"))
    broken, whole = collection.coverage
    assert (broken.state, broken.complete, broken.detail) == ("error", False, "ZeroDivisionError library:list_racks")
    assert broken.action == "", "no permission would mend it"
    assert whole.complete
    assert len(collection.evidence) == 2


def test_an_error_nobody_expected_of_a_detail_is_unseen_in_that_resource_alone() -> None:
    def lock(params: dict[str, Any]) -> Any:
        if params["Shelf"] == "a":
            raise ZeroDivisionError("brass")
        return {"Kind": "brass"}

    collection, _ = look(shelf, get_lock=lock)
    assert contents(collection, "lock") == [{"$unseen": "ZeroDivisionError library:get_lock"}, {"Kind": "brass"}]
    assert collection.coverage[0].complete


def test_such_an_error_is_logged_with_its_place_in_the_code_and_without_its_words(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        look(shelf, get_lock=ZeroDivisionError("Mrs Smith"))
    assert {record.getMessage() for record in caplog.records} == {"look.broken"}
    assert "world.py" in str(vars(caplog.records[0])["where"])
    assert "Smith" not in caplog.text


def test_an_order_to_stop_is_not_taken_for_an_answer() -> None:
    with pytest.raises(CollectionError):
        look(shelf, get_lock=CollectionError("enough for today"))


@pytest.mark.parametrize("raising", ["when", "project", "items"])
def test_a_declaration_that_stumbles_over_an_answer_hides_that_reading(raising: str) -> None:
    def stumble(_: Any) -> Any:
        raise KeyError("Kind")

    function: dict[str, Any] = {raising: stumble}
    rack = kind(
        lock=Read("library:get_lock", Shelf="{Name}", keep=("Kind",), **function),
        fine=Read("library:list_drills", keep=("Drills",)),
    )
    collection, _ = look(rack)
    assert contents(collection, "lock") == [{"$unseen": "KeyError library:get_lock"}] * 2
    assert all(len(drills["Drills"]) == 1 for drills in contents(collection, "fine"))


def test_an_item_without_its_id_makes_the_listing_incomplete_and_hides_no_other() -> None:
    collection, _ = look(
        kind(), list_shelves={"Shelves": [{"Name": "a"}, {"Label": "b"}, "c", {"Name": ["d"]}, {"Name": "e"}]}
    )
    assert [seen.native_id for seen in collection.evidence] == ["a", "e"]
    assert collection.coverage[0].state == "error"


@pytest.mark.parametrize("page", [{"Shelves": "none"}, {"Shelves": {"Name": "a"}}, "<html>", None, 7])
def test_a_page_of_another_form_is_an_error_and_not_an_empty_place(page: Any) -> None:
    collection, _ = look(kind(), list_shelves=[page])
    (coverage,) = collection.coverage
    assert (coverage.state, coverage.detail) == ("error", "TypeError library:list_shelves")


def test_no_page_at_all_is_an_error_and_not_an_empty_place() -> None:
    collection, _ = look(kind(lock=Read("library:get_lock", keep=("Kind",))), get_lock=[])
    assert contents(collection, "lock") == [{"$unseen": "NoAnswer library:get_lock"}] * 2
    collection, _ = look(kind(), list_shelves=[])
    assert not collection.coverage[0].complete


def test_an_empty_page_in_front_of_others_is_passed() -> None:
    collection, _ = look(kind(), list_shelves=[{"Shelves": []}, {}, shelves("a")])
    assert [seen.native_id for seen in collection.evidence] == ["a"]
    assert collection.coverage[0].complete


def test_a_value_where_fields_were_declared_is_unseen() -> None:
    rack = kind(lock=Read("library:get_lock", Shelf="{Name}", keep=("Kind.Metal",)))
    collection, _ = look(rack, get_lock={"Kind": 7})
    assert contents(collection, "lock") == [{"$unseen": "TypeError library:get_lock"}] * 2


def test_what_must_be_asked_with_an_unseen_value_is_unseen_for_the_same_reason_and_not_asked() -> None:
    rack = kind(
        lock=Read("library:get_lock", Shelf="{Name}", keep=("Kind",)),
        maker=Read("library:get_maker", Lock="{lock}", keep=("Name",)),
        named=Read("library:get_maker", Lock="lock/{lock}", keep=("Name",)),
    )
    collection, caller = look(rack, get_lock=denied("library:GetLock"), get_maker={"Name": "Smith"})
    assert contents(collection, "maker") == [{"$unseen": "AccessDenied library:GetLock"}] * 2
    assert contents(collection, "named") == [{"$unseen": "AccessDenied library:GetLock"}] * 2
    assert caller.asked["library:get_maker"] == 0


def test_what_must_be_asked_with_a_list_that_is_partly_unseen_is_unseen() -> None:
    rack = kind(
        drills=Read("library:list_drills", items="Drills", project=lambda drills: [drill["At"] for drill in drills]),
        reports=Read("library:get_reports", At="{drills}", batch=("At", 5), items="Reports", keep=("Text",)),
    )
    pages = [{"Drills": [{"At": "monday"}]}, denied("library:ListDrills")]
    collection, caller = look(rack, list_drills=pages, get_reports={"Reports": []})
    assert contents(collection, "reports") == [{"$unseen": "AccessDenied library:ListDrills"}] * 2
    assert caller.asked["library:get_reports"] == 0


def test_what_must_be_asked_with_an_absent_value_is_absent() -> None:
    rack = kind(
        lock=Read("library:get_lock", Shelf="{Name}", absent=("NoSuchLock",), keep=("Kind",)),
        maker=Read("library:get_maker", Lock="{lock}", keep=("Name",)),
    )
    collection, _ = look(rack, get_lock=CallFailed("NoSuchLock", "error", action="library:GetLock"))
    assert contents(collection, "maker") == [None, None]


def test_a_resource_that_is_gone_before_its_details_are_read_stays_with_its_details_unseen() -> None:
    gone = CallFailed("NoSuchShelf", "error", action="library:GetLock")
    collection, _ = look(shelf, get_lock=gone)
    assert contents(collection, "lock") == [{"$unseen": "NoSuchShelf library:GetLock"}] * 2
    assert collection.coverage[0].listed == 2


def test_bytes_in_a_listed_field_make_the_listing_incomplete() -> None:
    listing = Listing("library:list_shelves", items="Shelves", id="Name", keep=("Name", "Seal"))
    collection, _ = look(kind(listing=listing), list_shelves={"Shelves": [{"Name": "a", "Seal": b"x"}, {"Name": "b"}]})
    assert [seen.native_id for seen in collection.evidence] == ["b"]
    assert collection.coverage[0].state == "error"


def test_a_resource_that_is_listed_twice_is_read_once() -> None:
    collection, caller = look(shelf, list_shelves=[shelves("a"), shelves("a", "b")])
    assert (len(collection.evidence), caller.asked["library:get_lock"]) == (2, 2)


def test_the_listings_inside_a_listing_are_asked_at_the_same_time() -> None:
    together = Barrier(3, timeout=10)

    def racks(params: dict[str, Any]) -> Any:
        together.wait()
        return {"Racks": [{"Rack": f"{params['Shelf']}-rack"}]}

    listing = Listing(
        "library:list_racks",
        Shelf="{Name}",
        items="Racks",
        id="Rack",
        keep=("Rack",),
        within=(Read("library:list_shelves", items="Shelves", keep=("Name",)),),
    )
    collection, _ = look(kind(listing=listing), threads=3, list_shelves=shelves(*"abc"), list_racks=racks)
    assert [seen.native_id for seen in collection.evidence] == ["a-rack", "b-rack", "c-rack"]


def test_a_document_function_that_stumbles_over_one_detail_does_without_it() -> None:
    rack = kind(lock=Read("library:get_lock", keep=("Kind",)), drill=Read("library:list_drills", keep=("At",)))

    @rack.document
    def describe(seen: Any) -> tuple[Any, Any]:
        return seen["lock"].map(lambda lock: lock["Kind"]), seen["drill"].map(
            lambda drill: datetime.fromisoformat(drill["At"])
        )

    lock, drill = rack.describe({"Name": "a", "lock": {"Kind": "brass"}, "drill": {"At": "noon"}})
    assert (lock.value, drill.reason) == ("brass", "ValueError aws.library.rack")


def test_a_document_function_with_a_bug_of_its_own_raises() -> None:
    rack = kind(lock=Read("library:get_lock", keep=("Kind",)))
    rack.document(lambda seen: seen["never declared"])
    with pytest.raises(KeyError):
        rack.describe({"Name": "a"})
