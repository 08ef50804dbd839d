"""What stands in evidence for a value that was seen and not kept."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest

from auditor.collectors.aws._variables import scan_variables
from auditor.collectors.aws.ec2_instances import scan_user_data
from auditor.domain.projection import plain, project, tree
from auditor.domain.redaction import Redaction, Withheld, redactions, text, variable, withhold
from auditor.domain.secrets import PATTERNS_VERSION
from auditor.proof.canonical import canonical
from auditor.trust.encryption import fingerprints

OURS, THEIRS = fingerprints(b"o" * 32), fingerprints(b"t" * 32)


def test_what_projections_took_out_is_listed_with_path_place_kind_and_fingerprint() -> None:
    script = "#!/bin/sh\nexport DB_PASSWORD=hunter2\n"
    content = {
        "listed": {"Name": "web"},
        "user_data": scan_user_data({"UserData": {"Value": base64.b64encode(script.encode()).decode()}}),
        "containers": [{"name": "a"}, {"variables": scan_variables([("API_TOKEN", "abc123"), ("LEVEL", "info")])}],
    }
    kept = plain(content, OURS)

    def told(value: str) -> str:
        return OURS(hashlib.sha256(value.encode()).digest())

    assert redactions(kept) == (
        Redaction("containers[1].variables", "API_TOKEN", "token", PATTERNS_VERSION, told("abc123")),
        Redaction("containers[1].variables", "LEVEL", "value", PATTERNS_VERSION, told("info")),
        Redaction("user_data", "line 2", "password", PATTERNS_VERSION, told("export DB_PASSWORD=hunter2")),
        Redaction("user_data", "whole", "value", PATTERNS_VERSION, told(script)),
    )
    assert all(value not in json.dumps(kept) for value in ("hunter2", "abc123", "info"))


def test_marks_of_a_release_that_made_no_fingerprints_are_read_without() -> None:
    earlier = {"user_data": {"patterns_version": 1, "hits": [{"pattern": "token", "place": "line 1"}]}}
    assert redactions(earlier) == (Redaction("user_data", "line 1", "token", 1, None),)


def test_evidence_without_marks_lists_nothing() -> None:
    assert redactions({"listed": {"hits": [1], "Name": "web"}, "scan": {"patterns_version": 1, "hits": []}}) == ()


def test_a_changed_value_changes_its_fingerprint_alone_and_only_under_the_same_key_are_equal_ones_equal() -> None:
    before, same, after = (plain(Withheld.of(value), OURS) for value in ("info", "info", "warn"))
    assert before == same
    assert {name for name in before if before[name] != after[name]} == {"fp"}
    assert plain(Withheld.of("info"), THEIRS)["fp"] != before["fp"]
    assert len(before["fp"]) == 16


def test_without_a_key_there_is_no_fingerprint() -> None:
    assert plain(Withheld.of("info")) == {"redacted": True, "len_bucket": 8}


@pytest.mark.parametrize(
    ("length", "bucket"), [(0, 0), (1, 8), (8, 8), (9, 16), (16, 16), (17, 32), (4096, 4096), (4097, 8192)]
)
def test_lengths_are_told_as_powers_of_two_and_short_ones_not_at_all(length: int, bucket: int) -> None:
    assert Withheld.of("x" * length).len_bucket == bucket


def test_a_withheld_value_that_nobody_marked_is_kept_nowhere() -> None:
    held = Withheld.of("hunter2")
    with pytest.raises(ValueError, match="not a canonical value"):
        canonical({"value": held})
    with pytest.raises(TypeError):
        json.dumps({"value": held})
    hashed = hashlib.sha256(b"hunter2")
    assert hashed.hexdigest() not in f"{held} {held!r}"


def test_what_is_kept_of_a_withheld_value_is_its_mark_wherever_it_stands() -> None:
    item = {"listed": [{"scan": {"value": Withheld.of("hunter2")}, "other": 1}]}
    mark = {"redacted": True, "len_bucket": 8}
    assert project(item, tree(("listed[].scan",))) == {"listed": [{"scan": {"value": mark}}]}


def test_places_stand_in_one_order_whatever_the_order_of_the_answer() -> None:
    pieces = [variable("B_TOKEN", "abc123"), variable("A", "1"), variable("A_TOKEN", "abc123"), variable("C", "2")]
    assert withhold(pieces) == withhold(reversed(pieces))
    assert [hit["place"] for hit in withhold(pieces)["hits"]] == ["A_TOKEN", "B_TOKEN"]
    assert [one["place"] for one in withhold(pieces)["values"]] == ["A", "C"]


def test_of_a_text_only_lines_that_show_a_secret_are_told_apart() -> None:
    told = [(one.place, one.patterns) for one in text("port=1\nDB_PASSWORD=hunter2\n", place="app.properties")]
    assert told == [("app.properties", ()), ("app.properties line 2", ["password"])]
