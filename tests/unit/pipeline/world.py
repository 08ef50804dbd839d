"""A world of shelves for the pipeline's unit tests: one type, one derived type, and a caller that answers from a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from auditor.domain.calls import Hear, unheard
from auditor.domain.ports import CallFailed
from auditor.domain.reading import Reading, Readings, Unseen
from auditor.domain.resource_type import DerivedType, Joined, Listing, Read, ResourceType

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
ACCOUNT = "123456789012"

shelf = ResourceType(
    "aws.library.shelf",
    version=1,
    title="shelf",
    listing=Listing("library:list_shelves", items="Shelves", id="Name", keep=("Name", "MadeAt")),
    details={
        "lock": Read("library:get_lock", Shelf="{Name}", absent=("NoSuchLock",), keep=("Kind",)),
        "fire_drills": Read("library:list_drills", items="Drills", keep=("Shelf", "At"), match={"Shelf": "{Name}"}),
    },
)


@dataclass(frozen=True, slots=True)
class Shelf:
    """A shelf as its lock stands."""

    name: str
    lock: Reading[str | None]
    made_at: Reading[datetime | None]


@shelf.document
def describe_shelf(seen: Readings) -> Shelf:
    """The shelf with the kind of its lock."""
    lock = seen["lock"].map(lambda told: told.get("Kind") if told else None)
    return Shelf(str(seen["Name"].value), lock, seen["MadeAt"])  # type: ignore[union-attr]


room = DerivedType("aws.library.room", version=1, title="room", over="region", inputs=(shelf,))


@dataclass(frozen=True, slots=True)
class Room:
    """All shelves of a region."""

    name: str
    shelves: tuple[Shelf | Unseen, ...]


@room.document
def describe_room(joined: Joined) -> Room:
    """The region's shelves, the unseen ones included."""
    return Room(joined.region, joined.of(shelf).documents())


class Caller:
    """Answers from a table of operation → pages, an exception, or a function of the parameters."""

    account = ACCOUNT
    partition = "aws"
    home = "us-east-1"
    identity = f"arn:aws:iam::{ACCOUNT}:user/reader"
    endpoint = ""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = dict(answers)
        self.asked: Counter[str] = Counter()

    def pages(
        self, operation: str, params: Mapping[str, Any], *, region: str, heard: Hear = unheard
    ) -> Iterator[Mapping[str, Any]]:
        self.asked[operation] += 1
        answer = self.answers[operation]
        told = answer(dict(params)) if isinstance(answer, Callable) else answer  # type: ignore[arg-type]
        for page in told if isinstance(told, list) else [told]:
            if isinstance(page, Exception):
                raise page
            yield page

    def prepare(self, operation: str, *, region: str) -> None:
        self.asked[operation] += 1

    def calls(self) -> Mapping[str, int]:
        return dict(self.asked)


def denied(action: str) -> CallFailed:
    return CallFailed("AccessDenied", "denied", action=action)


def shelves(*names: str) -> dict[str, Any]:
    return {"Shelves": [{"Name": name, "MadeAt": NOW, "Owner": "not kept"} for name in names]}


def answers(**changed: Any) -> dict[str, Any]:
    told: dict[str, Any] = {
        "list_shelves": shelves("a", "b"),
        "get_lock": {"Kind": "brass", "Code": "secret"},
        "list_drills": {"Drills": [{"Shelf": "a", "At": NOW}]},
    }
    return {f"library:{name}": answer for name, answer in (told | changed).items()}
