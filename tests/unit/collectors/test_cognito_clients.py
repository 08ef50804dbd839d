"""Application clients and the lives of their tokens."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.collectors.aws.cognito_clients import client
from auditor.domain.reading import Seen, Unseen


@pytest.mark.parametrize(
    ("told", "minutes", "days"),
    [
        ({}, 60, 30),
        ({"AccessTokenValidity": 2, "RefreshTokenValidity": 7}, 120, 7),
        ({"AccessTokenValidity": 300, "TokenValidityUnits": {"AccessToken": "seconds"}}, 5, 30),
        (
            {"AccessTokenValidity": 15, "TokenValidityUnits": {"AccessToken": "minutes", "RefreshToken": "hours"}},
            15,
            30,
        ),
        ({"RefreshTokenValidity": 12, "TokenValidityUnits": {"RefreshToken": "hours"}}, 60, 0.5),
        ({"AccessTokenValidity": 1, "TokenValidityUnits": {"AccessToken": "days"}}, 1440, 30),
    ],
)
def test_tokens_live_as_long_as_value_and_unit_say(told: dict[str, Any], minutes: float, days: float) -> None:
    found = client.describe({"ClientName": "web", "settings": {"UserPoolClient": told}})
    assert (found.access_minutes, found.refresh_days) == (Seen(minutes), Seen(days))


def test_settings_we_may_not_read_are_unknown() -> None:
    found = client.describe({"ClientName": "web", "settings": {"$unseen": "denied"}})
    assert (found.access_minutes, found.refresh_days) == (Unseen("denied"), Unseen("denied"))
