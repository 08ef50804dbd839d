"""What streams tell, gathered; and a stream followed through everything that ends a connection."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from auditor.collectors.kubernetes.core_pods import pod
from auditor.domain.coverage import Coverage
from auditor.domain.errors import CollectionError
from auditor.domain.ports import CallFailed
from auditor.domain.source import GLOBAL
from auditor.domain.watching import WHOLE, Heard, Mark, Stream, StreamState
from auditor.pipeline.refresh import MOST_NAMED, wanted
from auditor.pipeline.watch import Ear, follow

PODS = "core/v1:pods"
KIND = pod.name
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


def ear() -> Ear:
    return Ear({PODS: KIND})


def marks(told: Ear) -> dict[Mark, bool]:
    return told.take().marks


def test_a_resource_that_is_told_of_twice_is_marked_once_and_the_last_version_counts() -> None:
    told = ear()
    told.hear(PODS, Heard("7", "a/Pod/one"))
    told.hear(PODS, Heard("9", "a/Pod/one"))
    taken = told.take()
    assert (taken.marks, taken.versions) == ({Mark(KIND, "a/Pod/one"): False}, {PODS: "9"})
    assert not told.take()


def test_what_went_marks_its_type_and_nothing_else_of_it() -> None:
    told = ear()
    told.hear(PODS, Heard("7", "a/Pod/one"))
    told.hear(PODS, Heard("8", "a/Pod/two", gone=True))
    told.hear(PODS, Heard("9", "a/Pod/three"))
    assert marks(told) == {Mark(KIND): False}


def test_however_much_is_told_a_few_ids_are_held() -> None:
    told = ear()
    for number in range(10_000):
        told.hear(PODS, Heard(str(number), f"a/Pod/{number}"))
        assert len(told._told.marks) <= MOST_NAMED + 1
    assert marks(told) == {Mark(KIND): False}


def test_a_bookmark_moves_the_version_and_marks_nothing() -> None:
    told = ear()
    told.hear(PODS, Heard("12"))
    taken = told.take()
    assert (taken.marks, taken.versions) == ({}, {PODS: "12"})


def test_what_could_not_be_written_is_told_again_behind_what_came_since() -> None:
    told = ear()
    told.hear(PODS, Heard("7", "a/Pod/one"))
    told.stands(PODS, StreamState("watching"))
    taken = told.take()
    told.hear(PODS, Heard("8", "a/Pod/two"))
    told.put_back(taken)
    again = told.take()
    assert set(again.marks) == {Mark(KIND, "a/Pod/one"), Mark(KIND, "a/Pod/two")}
    assert again.versions == {PODS: "8"}
    assert again.states == {PODS: StreamState("watching")}


class Script:
    """A source that answers each opening with the next lines, or refusal, of a script; then it says that all is over."""

    def __init__(self, *turns: list[Heard] | Exception, over: Callable[[], None]) -> None:
        self._turns = list(turns)
        self._over = over
        self.asked: list[str] = []

    def hear(self, stream: Stream, params: Mapping[str, Any], *, seconds: int) -> Iterator[Heard]:
        assert params["kind"] == "Pod"
        assert seconds > 0
        self.asked.append(stream.version)
        turn = self._turns.pop(0) if self._turns else []
        if not self._turns:
            self._over()
        if isinstance(turn, Exception):
            raise turn
        yield Heard(stream.version)
        for one in turn:
            if one.version == "cut":
                raise CallFailed("ProtocolError", "error", action="watch pods")
            yield one


def followed(*turns: list[Heard] | Exception) -> tuple[Script, Ear]:
    """A stream followed from version 5 until the script is over."""
    stopped, told = threading.Event(), ear()
    script = Script(*turns, [], over=stopped.set)
    follow(Stream(PODS, "5"), pod, lambda: script, told, stopped, shortest=0.001)
    return script, told


def test_a_connection_that_breaks_is_opened_again_from_where_it_had_come_to() -> None:
    script, told = followed([Heard("6", "a/Pod/one"), Heard("9"), Heard("cut")], [Heard("11", "a/Pod/two")])
    assert script.asked == ["5", "9", "11"]
    assert told.take().versions == {PODS: "11"}


def test_a_watch_whose_time_is_over_is_opened_again() -> None:
    script, told = followed([], [Heard("8")])
    assert script.asked == ["5", "5", "8"]
    assert told.take().states == {PODS: StreamState("watching")}


def test_one_that_is_too_old_ends_and_asks_for_a_listing_at_once() -> None:
    stopped, told = threading.Event(), ear()
    script = Script(CallFailed("Expired", "error", action="watch pods"), [], over=stopped.set)
    follow(Stream(PODS, "5"), pod, lambda: script, told, stopped, shortest=0.001)
    taken = told.take()
    assert script.asked == ["5"], "it is not for the stream to go on"
    assert (taken.marks, taken.versions) == ({Mark(KIND, WHOLE): True}, {PODS: ""})
    assert taken.states[PODS].word == "expired"


def test_a_refusal_is_told_with_the_verb_and_anything_else_as_a_failure() -> None:
    stopped, told = threading.Event(), ear()
    script = Script(CallFailed("Forbidden", "denied", action="watch pods"), over=stopped.set)
    follow(Stream(PODS, "5"), pod, lambda: script, told, stopped, shortest=0.001)
    assert told.take().states == {PODS: StreamState("refused", "Forbidden watch pods")}
    _, told = followed(CallFailed("TooManyRequests", "throttled", action="watch pods", retry_after=0.001), [Heard("6")])
    assert told.take().states == {PODS: StreamState("watching")}, "and told no longer once it goes on"


def test_a_cluster_that_cannot_be_reached_is_tried_again() -> None:
    stopped, told = threading.Event(), ear()
    script = Script([], over=stopped.set)
    refusals = [CollectionError("no way in")]

    def way() -> Script:
        if refusals:
            raise refusals.pop()
        return script

    follow(Stream(PODS, "5"), pod, way, told, stopped, shortest=0.001)
    assert script.asked == ["5"]


def test_an_error_that_nobody_expected_ends_no_stream() -> None:
    script, told = followed([Heard("6")], ZeroDivisionError("a secret"), [Heard("8")])
    assert script.asked == ["5", "6", "6", "8"]
    stopped, told = threading.Event(), ear()
    script = Script(ZeroDivisionError("a secret"), over=stopped.set)
    follow(Stream(PODS, "5"), pod, lambda: script, told, stopped, shortest=0.001)
    assert told.take().states == {PODS: StreamState("failing", f"ZeroDivisionError {PODS}")}


def whole(listed: int = 3, state: Any = "ok") -> dict[str, Coverage]:
    return {KIND: Coverage(GLOBAL, KIND, state, NOW, listed=listed)}


def test_a_few_are_asked_for_by_name() -> None:
    asked = wanted([Mark(KIND, "a/Pod/two"), Mark(KIND, "a/Pod/one")], whole(), [pod])
    assert asked == {KIND: ("a/Pod/one", "a/Pod/two")}


def test_many_or_all_or_the_unknown_are_listed() -> None:
    one = [Mark(KIND, "a/Pod/one")]
    assert wanted([*one, Mark(KIND)], whole(), [pod]) == {KIND: ()}
    assert wanted([Mark(KIND, str(number)) for number in range(MOST_NAMED + 1)], whole(), [pod]) == {KIND: ()}
    assert wanted(one, whole(0), [pod]) == {KIND: ()}, "the line that says there is none must go"
    assert wanted(one, whole(state="denied"), [pod]) == {KIND: ()}
    assert wanted(one, {}, [pod]) == {KIND: ()}


def test_what_is_no_type_any_more_is_let_go() -> None:
    assert wanted([Mark("kubernetes.retired", "a/Retired/one")], whole(), [pod]) == {}
