"""The accounts that an organisation lists, as a run of each kind of account sees them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from unittest.mock import patch

import pytest

from auditor.collectors.aws._client import connect
from auditor.collectors.aws.organizations import account as listed_account
from auditor.domain.evidence import Collection
from auditor.domain.source import GLOBAL, Place
from auditor.pipeline.collect import collect
from auditor.simulators.aws import AwsEmulator
from auditor.simulators.faults import Fault


@pytest.fixture
def emulated() -> Iterator[AwsEmulator]:
    with AwsEmulator() as running:
        yield running


def look(emulator: AwsEmulator) -> Collection:
    with patch.dict("os.environ", emulator.environment()), ThreadPoolExecutor(2) as pool:
        caller = connect(endpoint_url=emulator.url)
        place = Place(caller.account, GLOBAL, caller.partition)
        return collect(place, [listed_account], caller, pool=pool, clock=lambda: datetime.now(UTC))


def test_a_management_account_lists_every_account_and_nobodys_e_mail(emulated: AwsEmulator) -> None:
    organizations = emulated.client("organizations")
    organizations.create_organization(FeatureSet="ALL")
    made = organizations.create_account(AccountName="Backup", Email="backup@example.com")["CreateAccountStatus"]
    seen = look(emulated)
    assert {one.content["Id"] for one in seen.evidence} >= {made["AccountId"]}
    assert len(seen.evidence) == 2
    assert all(one.native_id.rsplit("/", 1)[1] == one.content["Id"] for one in seen.evidence)
    assert "backup@example.com" not in str([one.content for one in seen.evidence])
    assert [(look.state, look.listed) for look in seen.coverage] == [("ok", 2)]


def test_an_account_that_stands_alone_lists_nobody_and_says_why(emulated: AwsEmulator) -> None:
    # The emulator answers with an empty list where AWS says that there is no organisation.
    emulated.fault(Fault("organizations:ListAccounts", "error", code="AWSOrganizationsNotInUseException", status=400))
    [seen] = look(emulated).coverage
    assert (seen.state, seen.listed) == ("unsupported", 0)
    assert "AWSOrganizationsNotInUseException" in seen.detail


def test_a_member_that_may_not_ask_is_denied_and_nothing_else(emulated: AwsEmulator) -> None:
    emulated.client("organizations").create_organization(FeatureSet="ALL")
    emulated.deny("organizations:ListAccounts")
    [seen] = look(emulated).coverage
    assert (seen.state, seen.action) == ("denied", "organizations:ListAccounts")
