"""File transfer servers as their evidence shows them."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.collectors.aws.transfer import Server, server
from auditor.domain.reading import Seen, Unseen


def described(told: Any) -> Server:
    document: Server = server.describe({"ServerId": "s-1", "described": told})
    return document


@pytest.mark.parametrize(
    ("policy", "month"),
    [
        ("TransferSecurityPolicy-2018-11", 201811),
        ("TransferSecurityPolicy-2024-01", 202401),
        ("TransferSecurityPolicy-FIPS-2020-06", 202006),
        ("TransferSecurityPolicy-Restricted-2018-11", 201811),
        ("TransferSecurityPolicy-PQ-SSH-Experimental-2023-04", 202304),
    ],
)
def test_a_policy_is_as_old_as_its_name_says(policy: str, month: int) -> None:
    assert described({"Server": {"SecurityPolicyName": policy}}).policy_month == Seen(month)


@pytest.mark.parametrize("told", [{}, {"Server": {}}, {"Server": {"SecurityPolicyName": "Newest"}}])
def test_a_policy_without_a_month_is_unknown(told: Any) -> None:
    assert isinstance(described(told).policy_month, Unseen)


def test_a_server_speaks_what_it_says_and_sftp_if_it_says_nothing() -> None:
    assert described({"Server": {"Protocols": ["FTP", "FTPS"]}}).protocols == Seen(("FTP", "FTPS"))
    assert described({"Server": {}}).protocols == Seen(("SFTP",))


def test_what_we_may_not_read_is_unknown() -> None:
    seen = described({"$unseen": "denied"})
    assert seen.protocols == seen.policy == seen.policy_month == Unseen("denied")
