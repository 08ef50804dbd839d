"""A scan goes through groups of services over all places, and lets go of what no look will need again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from auditor.domain.reading import Readings
from auditor.domain.resource_type import Listing, PlaceKind, Read, ResourceType
from auditor.pipeline.groups import grouped
from auditor.pipeline.plan import Selection
from auditor.pipeline.scan import Scan, scan
from tests.unit.pipeline.world import ACCOUNT, NOW, Caller

PLACES = ("global", "us-east-1", "eu-central-1")


@dataclass(frozen=True, slots=True)
class Thing:
    """Anything."""

    name: str


def kind(name: str, listing: str, *details: str, place: PlaceKind = "region") -> ResourceType:
    made = ResourceType(
        name,
        version=1,
        title=name,
        place=place,
        listing=Listing(listing, items="Things", id="Name", keep=("Name",)),
        details={operation.partition(":")[2]: Read(operation, Name="{Name}") for operation in details},
    )

    @made.document
    def describe(seen: Readings) -> Thing:
        return Thing(str(seen["Name"]))

    return made


boat = kind("aws.harbour.boat", "harbour:list_boats", "harbour:get_boat", "paint:get_colour")
pier = kind("aws.harbour.pier", "harbour:list_piers")
buoy = kind("aws.sea.buoy", "harbour:list_piers")
gull = kind("aws.sky.gull", "sky:list_gulls", "paint:get_shade")
king = kind("aws.crown.king", "crown:list_kings", place="account")


class Harbour(Caller):
    def __init__(self) -> None:
        things = {"Things": [{"Name": "a"}, {"Name": "b"}]}
        listings = ("harbour:list_boats", "harbour:list_piers", "sky:list_gulls", "crown:list_kings")
        super().__init__(
            dict.fromkeys(listings, things) | {"harbour:get_boat": {}, "paint:get_colour": {}, "paint:get_shade": {}}
        )
        self.let_go: list[str] = []
        self.asked_after = 0

    def pages(self, operation: str, params: Any, *, region: str, heard: Any = None) -> Any:
        self.asked_after += operation.partition(":")[0] in self.let_go
        return super().pages(operation, params, region=region)


def run(caller: Harbour, *kinds: ResourceType, threads: int = 4) -> tuple[Scan, list[tuple[str, int, int]]]:
    heard: list[tuple[str, int, int]] = []
    seen = scan(
        Selection((), (), kinds),
        caller,
        PLACES,
        clock=lambda: NOW,
        threads=threads,
        progress=lambda place, done, of: heard.append((place, done, of)),
        release=caller.let_go.append,
    )
    return seen, heard


def test_types_of_a_service_or_with_a_call_in_common_are_one_group_and_the_busiest_comes_first() -> None:
    groups = grouped((king, gull, buoy, boat, pier))
    assert [{kind.name for kind in group.kinds} for group in groups] == [
        {"aws.harbour.boat", "aws.harbour.pier", "aws.sea.buoy"},
        {"aws.sky.gull"},
        {"aws.crown.king"},
    ]
    assert groups[0].services == {"harbour", "paint"}


def test_a_place_is_told_as_if_it_had_been_looked_at_in_one_go() -> None:
    caller = Harbour()
    seen, _ = run(caller, king, gull, boat, pier, buoy)
    assert [collection.place for collection in seen.collections] == list(PLACES)
    _, east, _ = seen.collections
    names = [gull.name, boat.name, pier.name, buoy.name]
    assert [look.resource_type for look in east.coverage] == names
    assert [one.resource_type for one in east.evidence] == [name for name in names for _ in "ab"]
    assert east.calls["harbour:list_piers"] == 1, "asked once for both types that list piers"
    assert sum(sum(collection.calls.values()) for collection in seen.collections) == sum(caller.asked.values())
    assert seen.collections[0].coverage[0].resource_type == king.name
    assert seen.account == ACCOUNT


def test_every_place_is_heard_of_once_even_one_without_anything_to_look_at() -> None:
    seen, heard = run(Harbour(), king)
    assert sorted(place for place, _, _ in heard) == sorted(PLACES)
    assert [(done, of) for _, done, of in heard] == [(1, 3), (2, 3), (3, 3)]
    assert seen.collections[1].coverage == ()


def test_a_client_is_let_go_of_once_and_never_before_its_last_question() -> None:
    caller = Harbour()
    run(caller, king, gull, boat, pier, buoy, threads=1)
    assert sorted(caller.let_go) == ["crown", "harbour", "paint", "sky"]
    assert caller.asked_after == 0
