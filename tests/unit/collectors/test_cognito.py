"""User pools as their evidence shows them."""

from __future__ import annotations

from auditor.collectors.aws.cognito import user_pool
from auditor.domain.reading import Seen, Unseen


def test_a_pool_says_what_it_asks_for() -> None:
    assert user_pool.describe({"Name": "p", "factors": {"MfaConfiguration": "OPTIONAL"}}).mfa == Seen("OPTIONAL")


def test_a_pool_that_says_nothing_asks_for_none() -> None:
    assert user_pool.describe({"Name": "p", "factors": {}}).mfa == Seen("OFF")


def test_factors_we_may_not_read_are_unknown() -> None:
    assert user_pool.describe({"Name": "p", "factors": {"$unseen": "denied"}}).mfa == Unseen("denied")
