"""Which calls evidence rests on, and which of them are written down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from auditor.domain.calls import CALLS, Hear, Heard, unheard
from auditor.domain.evidence import Collection, Evidence, Known
from auditor.domain.ports import CallFailed, StartOver
from auditor.domain.resource_type import Listing, Read, ResourceType
from auditor.domain.scope import Scope
from auditor.domain.source import Place
from auditor.pipeline import preserve
from auditor.pipeline.collect import collect
from auditor.pipeline.preserve import recorded
from auditor.proof.canonical import canonical
from tests.unit.pipeline.test_nested_listing import Houses, shelves_of_rooms
from tests.unit.pipeline.world import ACCOUNT, NOW, Caller, answers, denied, shelf, shelves


class Numbering(Caller):
    """Each answer has the next request id, refusals included."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        super().__init__(told)
        self.given = 0

    def pages(
        self, operation: str, params: Mapping[str, Any], *, region: str, heard: Hear = unheard
    ) -> Iterator[Mapping[str, Any]]:
        try:
            for page in super().pages(operation, params, region=region):
                heard(self._next())
                yield page
        except CallFailed:
            heard(self._next())
            raise

    def _next(self) -> Heard:
        self.given += 1
        return Heard(f"id-{self.given}", "library.example", "5e")


def look(caller: Any, *kinds: ResourceType, scope: Scope | None = None) -> Collection:
    with ThreadPoolExecutor(1) as pool:
        return collect(
            Place(ACCOUNT, "us-east-1"), kinds, caller, pool=pool, clock=lambda: NOW, scope=scope or Scope(version=3)
        )


def of(seen: Collection, name: str) -> Evidence:
    return next(one for one in seen.evidence if one.native_id == name)


def asked(one: Evidence) -> list[tuple[str, dict[str, Any]]]:
    return [(call.operation.partition(":")[2], dict(call.params)) for call in one.calls]


def test_evidence_rests_on_its_listing_and_its_own_details_and_on_nobody_elses() -> None:
    seen = look(Numbering(answers()), shelf)
    assert asked(of(seen, "a")) == [("list_shelves", {}), ("get_lock", {"Shelf": "a"}), ("list_drills", {})]
    assert asked(of(seen, "b")) == [("list_shelves", {}), ("get_lock", {"Shelf": "b"}), ("list_drills", {})]
    shared = {id(call) for one in seen.evidence for call in one.calls}
    assert len(shared) == 4, "the listing and the drills were asked for once"


def test_a_call_tells_its_pages_its_ids_and_how_it_ended() -> None:
    told = answers(list_shelves=[shelves("a"), shelves("b"), denied("library:ListShelves")])
    (call, *_) = of(look(Numbering(told), shelf), "a").calls
    assert (call.pages, call.failure) == (2, "AccessDenied")
    assert [one.request_id for one in call.heard] == ["id-1", "id-2", "id-3"]
    assert call.as_json()["endpoints"] == [{"host": "library.example", "tls": "5e"}]


def test_a_refused_detail_is_a_call_that_the_evidence_rests_on() -> None:
    one = of(look(Numbering(answers(get_lock=denied("library:GetLock"))), shelf), "a")
    (call,) = (call for call in one.calls if call.operation == "library:get_lock")
    assert (call.pages, call.failure, len(call.heard)) == (0, "AccessDenied", 1)


def test_what_was_taken_back_is_no_answer() -> None:
    class Expiring(Numbering):
        def pages(self, *told: Any, **more: Any) -> Iterator[Mapping[str, Any]]:
            first = not self.given
            yield from super().pages(*told, **more)
            if first:
                raise StartOver("Expired", "error", action="list")

    (call, *_) = of(look(Expiring(answers()), shelf), "a").calls
    assert [one.request_id for one in call.heard] == ["id-2"]


def test_an_item_of_an_inner_listing_rests_on_the_listings_around_it_alone() -> None:
    seen = look(Houses({}), shelves_of_rooms())
    one = of(seen, "south/hall/c")
    assert asked(one) == [
        ("list_houses", {}),
        ("list_rooms", {"House": "south"}),
        ("list_shelves", {"House": "south", "Room": "hall"}),
    ]


def test_a_question_asked_in_parts_rests_on_each_of_them() -> None:
    kind = ResourceType(
        "aws.library.index", version=1, title="index",
        listing=Listing("library:list_shelves", items="Shelves", id="Name", keep=("Name",)),
        details={
            "cards": Read("library:get_cards", items="Cards", keep=("Id",), Ids="{Ids}", batch=("Ids", 2)),
        },
    )  # fmt: skip
    told = {"Shelves": [{"Name": "a", "Ids": ["1", "2", "3"]}]}
    seen = look(Numbering({"library:list_shelves": told, "library:get_cards": {"Cards": []}}), kind)
    assert asked(of(seen, "a"))[1:] == [("get_cards", {"Ids": ["1", "2"]}), ("get_cards", {"Ids": ["3"]})]


def test_only_new_evidence_is_recorded_and_a_shared_call_once() -> None:
    seen = look(Numbering(answers()), shelf)
    (record,) = recorded(seen, {}).records
    calls = record.written.content["calls"]
    assert [one["operation"] for one in calls] == [
        "library:list_shelves", "library:get_lock", "library:list_drills", "library:get_lock",
    ]  # fmt: skip
    assert record.numbers == {(shelf.name, "a"): (0, 1, 2), (shelf.name, "b"): (0, 3, 2)}
    assert (record.written.resource_type, record.written.content["scope_version"]) == (CALLS, 3)
    canonical(record.written.body)  # plain JSON, or it could not be kept
    known = {(shelf.name, "a"): Known(of(seen, "a").digest, "")}
    (rest,) = recorded(seen, known).records
    assert rest.numbers.keys() == {(shelf.name, "b")}
    known[shelf.name, "b"] = Known(of(seen, "b").digest, "")
    assert recorded(seen, known).records == ()


def test_many_calls_are_cut_into_records_that_each_stand_for_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preserve, "AT_ONCE", 4)
    seen = recorded(look(Numbering(answers(list_shelves=shelves("a", "b", "c"))), shelf), {})
    assert [len(one.written.content["calls"]) for one in seen.records] == [4, 3]
    for record in seen.records:
        for (_, name), numbers in record.numbers.items():
            told = [record.written.content["calls"][number] for number in numbers]
            assert [(one["operation"].partition(":")[2], one["params"]) for one in told] == asked(of(seen, name))
