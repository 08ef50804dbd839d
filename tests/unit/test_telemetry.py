"""Events as they leave: one JSON object per line, without secrets."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from auditor.telemetry import configure, logger


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers, root.level
    stream = io.StringIO()
    configure("info", stream=stream, pretty=False)
    yield stream
    root.handlers = before
    root.setLevel(level)
    structlog.reset_defaults()


def test_an_event_is_one_line_of_json_with_level_and_time(lines: io.StringIO) -> None:
    logger("auditor.test").info("run planned", run=7)
    event = json.loads(lines.getvalue())
    assert (event["event"], event["level"], event["run"], event["logger"]) == ("run planned", "info", 7, "auditor.test")
    assert event["at"].endswith("Z")


@pytest.mark.parametrize(
    "name",
    ["secret", "password", "api_token", "Authorization", "password_hash", "sessionToken", "set-cookie", "X-Secret-Key"],
)
def test_what_is_named_like_a_secret_is_dropped_at_any_depth(lines: io.StringIO, name: str) -> None:
    logger("auditor.test").info("seen", kept=1, nested={"deep": [{name: "canary"}]}, **{name: "canary"})
    assert "canary" not in lines.getvalue()
    assert json.loads(lines.getvalue())["kept"] == 1


def test_user_and_password_are_cut_out_of_urls(lines: io.StringIO) -> None:
    logger("auditor.test").info("connected", url="postgresql://app:canary@db/auditor")
    assert json.loads(lines.getvalue())["url"] == "postgresql://db/auditor"


def test_events_of_libraries_leave_in_the_same_form(lines: io.StringIO) -> None:
    logging.getLogger("celery").warning("lost %s", "redis://:canary@broker/0")
    event = json.loads(lines.getvalue())
    assert event["event"] == "lost redis://broker/0"


def test_a_traceback_stays_on_the_line(lines: io.StringIO) -> None:
    try:
        int("broken")
    except ValueError:
        logger("auditor.test").exception("failed")
    assert "ValueError: invalid literal" in json.loads(lines.getvalue())["exception"]
