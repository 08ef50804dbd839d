from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from auditor.domain.calls import Hear, unheard
from auditor.domain.ports import CallFailed
from auditor.domain.preflight import Tried
from auditor.domain.reading import Readings
from auditor.domain.resource_type import Listing, Read, ResourceType
from auditor.pipeline.preflight import NOTHING_THERE, preflight

BOOK = ResourceType(
    "aws.library.book",
    version=1,
    title="book",
    listing=Listing(
        "library:list_books",
        items="Books",
        id="Name",
        within=(Read("library:list_shelves", items="Shelves"),),
        Shelf="{Shelf}",
    ),
    details={
        "loan": Read("library:get_loan", absent=("NoLoan",), Book="{Name}"),
        "owner": Read("library:get_owner", Card="{Card}"),
    },
)


@BOOK.document
def describe(seen: Readings) -> dict[str, object]:
    return {"name": seen["Name"]}


class Desk:
    """Answers from a table of operation to pages or a refusal; counts what it was asked."""

    account, partition, home, identity, endpoint = "123456789012", "aws", "us-east-1", "arn:aws:iam::1:role/r", ""

    def __init__(self, **answers: Mapping[str, Any] | CallFailed) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str]] = []

    def pages(
        self, operation: str, params: Mapping[str, Any], *, region: str, heard: Hear = unheard
    ) -> Iterator[Mapping[str, Any]]:
        self.asked.append((operation, region))
        answer = self.answers[operation.partition(":")[2]]
        if isinstance(answer, CallFailed):
            raise answer
        yield answer
        raise AssertionError(f"a second page of {operation} {params} was asked for")

    def prepare(self, operation: str, *, region: str) -> None:
        raise AssertionError(f"{operation} in {region} was waited for")


FULL: dict[str, Any] = {
    "list_shelves": {"Shelves": [{"Shelf": "a"}, {"Shelf": "b"}]},
    "list_books": {"Books": [{"Name": "x"}, {"Name": "y"}]},
    "get_loan": {"Until": "tomorrow"},
}


def refused(code: str, *, kind: Any = "denied", by: str = "") -> CallFailed:
    return CallFailed(code, kind, action="library:Any", by=by)


def told(desk: Desk, *regions: str, off: frozenset[str] = frozenset()) -> dict[tuple[str, str], Tried]:
    with ThreadPoolExecutor(4) as pool:
        found = preflight([BOOK], desk, regions, off=off, action=lambda operation: operation, pool=pool)
    return {(one.action.partition(":")[2], one.region): one for one in found}


def test_each_action_is_asked_once_with_the_first_resource_there_is() -> None:
    desk = Desk(**FULL)
    found = told(desk, "eu-central-1")
    assert [found[name, "eu-central-1"].answer for name in FULL] == ["allowed"] * 3
    assert desk.asked == [(f"library:{name}", "eu-central-1") for name in FULL]


def test_a_detail_that_the_first_resource_does_not_call_for_was_not_tried() -> None:
    one = told(Desk(**FULL), "eu-central-1")["get_owner", "eu-central-1"]
    assert (one.answer, one.detail) == ("not_tried", NOTHING_THERE)


def test_without_a_resource_details_were_not_tried() -> None:
    found = told(Desk(list_shelves={"Shelves": []}), "eu-central-1")
    assert found["list_shelves", "eu-central-1"].answer == "allowed"
    assert {found[name, "eu-central-1"].answer for name in ("list_books", "get_loan", "get_owner")} == {"not_tried"}


def test_a_denial_names_what_denied_it_where_the_vendor_says_so() -> None:
    desk = Desk(list_shelves=refused("AccessDenied", by="service control policy"))
    one = told(desk, "eu-central-1")["list_shelves", "eu-central-1"]
    assert (one.answer, one.by, one.detail) == ("denied", "service control policy", "AccessDenied")


def test_an_action_that_is_denied_for_one_question_is_denied_whatever_another_was_answered() -> None:
    desk = Desk(**FULL | {"list_books": refused("Throttling", kind="throttled"), "get_loan": refused("AccessDenied")})
    with ThreadPoolExecutor(4) as pool:
        (one,) = preflight([BOOK], desk, ["eu-central-1"], action=lambda _: "library:Read", pool=pool)
    assert one.answer == "allowed", "asked too fast once, and answered once"
    desk = Desk(**FULL | {"get_loan": refused("AccessDenied")})
    with ThreadPoolExecutor(4) as pool:
        (one,) = preflight([BOOK], desk, ["eu-central-1"], action=lambda _: "library:Read", pool=pool)
    assert (one.answer, one.detail) == ("denied", "AccessDenied")


def test_being_told_that_there_is_nothing_means_being_allowed_to_ask() -> None:
    found = told(Desk(**FULL | {"get_loan": refused("NoLoan", kind="error")}), "eu-central-1")
    assert found["get_loan", "eu-central-1"].answer == "allowed"


def test_a_service_that_wants_to_be_signed_up_for_is_told_apart_from_a_denial() -> None:
    found = told(Desk(list_shelves=refused("OptInRequired")), "eu-central-1")
    assert found["list_shelves", "eu-central-1"].answer == "opt_in_needed"


def test_a_region_that_is_switched_off_is_not_asked_at_all() -> None:
    desk = Desk(**FULL)
    found = told(desk, "me-south-1", "eu-central-1", off=frozenset({"me-south-1"}))
    assert {one.answer for one in found.values() if one.region == "me-south-1"} == {"region_off"}
    assert {region for _, region in desk.asked} == {"eu-central-1"}


def test_a_declaration_that_cannot_be_asked_hides_no_other() -> None:
    desk = Desk(list_shelves=FULL["list_shelves"])  # the next question raises KeyError inside
    found = told(desk, "eu-central-1")
    assert found["list_shelves", "eu-central-1"].answer == "allowed"
    assert (found["list_books", "eu-central-1"].answer, found["list_books", "eu-central-1"].detail) == (
        "error",
        "KeyError",
    )
