"""Listings inside listings: shelves of rooms of houses, each asked for where it stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from auditor.domain.calls import Hear, unheard
from auditor.domain.evidence import Collection
from auditor.domain.ports import CallFailed
from auditor.domain.reading import Reading, Readings
from auditor.domain.resource_type import Listing, Read, ResourceType
from auditor.domain.source import Place
from auditor.pipeline.collect import collect
from tests.unit.pipeline.world import ACCOUNT, NOW, denied

HOUSES = {"north": {"hall": ["a", "b"], "attic": []}, "south": {"hall": ["c"]}}


@dataclass(frozen=True)
class Shelf:
    """A shelf."""

    name: Reading[str]


def shelves_of_rooms() -> ResourceType:
    kind = ResourceType(
        "library.shelf",
        version=1,
        title="Shelf",
        listing=Listing(
            "library:list_shelves",
            within=(
                Read("library:list_houses", items="Houses", keep=("House",)),
                Read("library:list_rooms", House="{House}", items="Rooms", absent=("NoSuchHouse",), keep=("Room",)),
            ),
            House="{House}",
            Room="{Room}",
            items="Shelves",
            id="{House}/{Room}/{Name}",
            keep=("Name",),
        ),
    )

    def describe(seen: Readings) -> Shelf:
        return Shelf(seen["Name"])

    kind.document(describe)
    return kind


class Houses:
    """An account with houses, where some questions are refused."""

    account = ACCOUNT
    partition = "aws"
    home = "us-east-1"
    identity = "arn:aws:iam::111122223333:role/auditor"
    endpoint = ""

    def __init__(self, refused: Mapping[tuple[str, str], CallFailed]) -> None:
        self._refused = refused
        self.asked: Counter[str] = Counter()

    def pages(
        self, operation: str, params: Mapping[str, Any], *, region: str, heard: Hear = unheard
    ) -> Iterator[Mapping[str, Any]]:
        del region
        self.asked[operation] += 1
        house, room = params.get("House", ""), params.get("Room", "")
        if (operation, house) in self._refused:
            raise self._refused[operation, house]
        if operation == "library:list_houses":
            yield {"Houses": [{"House": name} for name in HOUSES]}
        elif operation == "library:list_rooms":
            yield {"Rooms": [{"Room": name} for name in HOUSES[house]]}
        else:
            yield {"Shelves": [{"Name": name} for name in HOUSES[house][room]]}

    def prepare(self, operation: str, *, region: str) -> None:
        """Nothing here needs to be made first."""


def look(**refused: Any) -> tuple[Collection, Houses]:
    caller = Houses(refused.get("refused", {}))
    with ThreadPoolExecutor(2) as pool:
        kinds = [shelves_of_rooms()]
        return collect(Place(ACCOUNT, "us-east-1"), kinds, caller, pool=pool, clock=lambda: NOW), caller


def ids(collection: Collection) -> list[str]:
    return [seen.native_id for seen in collection.evidence]


def test_every_listing_is_asked_once_per_item_of_the_one_before() -> None:
    collection, caller = look()
    assert ids(collection) == ["north/hall/a", "north/hall/b", "south/hall/c"]
    assert caller.asked == {"library:list_houses": 1, "library:list_rooms": 2, "library:list_shelves": 3}
    assert collection.coverage[0].complete


def test_evidence_names_every_listing_that_led_to_it() -> None:
    collection, _ = look()
    assert collection.evidence[0].operations == ("library:list_houses", "library:list_rooms", "library:list_shelves")
    assert collection.evidence[0].content == {"Name": "a"}


def test_an_inner_listing_that_is_refused_leaves_the_others_and_a_gap() -> None:
    collection, _ = look(refused={("library:list_rooms", "north"): denied("library:ListRooms")})
    assert ids(collection) == ["south/hall/c"]
    (coverage,) = collection.coverage
    assert (coverage.state, coverage.complete, coverage.detail) == ("denied", False, "AccessDenied library:ListRooms")


def test_of_several_refusals_the_first_is_told() -> None:
    broken = CallFailed("Broken", "error", action="library:ListShelves")
    collection, _ = look(
        refused={
            ("library:list_rooms", "north"): denied("library:ListRooms"),
            ("library:list_shelves", "south"): broken,
        }
    )
    assert ids(collection) == []
    assert collection.coverage[0].detail == "AccessDenied library:ListRooms"


def test_an_outer_item_that_is_gone_by_then_is_no_gap() -> None:
    gone = CallFailed("NoSuchHouse", "error", action="library:ListRooms")
    collection, _ = look(refused={("library:list_rooms", "north"): gone})
    assert ids(collection) == ["south/hall/c"]
    assert collection.coverage[0].complete


def test_the_reads_of_a_type_hold_every_listing_of_the_chain() -> None:
    operations = [read.operation for read in shelves_of_rooms().reads]
    assert operations == ["library:list_houses", "library:list_rooms", "library:list_shelves"]
