"""Identity Center and clients of user pools: resources that are listed under others, in an account that answers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from auditor.simulators.aws import ACCOUNT, AwsEmulator
from tests.integration.collectors.looking import look, reasons

TOKENS = "cognito.client.token_lifetime"
SESSIONS = "sso.permission_set.session_limited"
DIRECT = "sso.assignment.no_direct_user"


@pytest.fixture(scope="module")
def started() -> Iterator[AwsEmulator]:
    with AwsEmulator() as emulator:
        yield emulator


@pytest.fixture
def account(started: AwsEmulator) -> Iterator[AwsEmulator]:
    started.reset()
    started.clear_faults()
    yield started
    started.clear_faults()


def clients(account: AwsEmulator) -> dict[str, str]:
    """Two pools with a client each: client name -> resource."""
    cognito = account.client("cognito-idp")
    made: dict[str, str] = {}
    for name, hours in (("short", 1), ("long", 24)):
        pool = cognito.create_user_pool(PoolName=name)["UserPool"]["Id"]
        told = cognito.create_user_pool_client(UserPoolId=pool, ClientName=name, AccessTokenValidity=hours)
        client = told["UserPoolClient"]["ClientId"]
        made[name] = f"arn:aws:cognito-idp:us-east-1:{ACCOUNT}:userpool/{pool}/client/{client}"
    return made


def test_the_clients_of_every_pool_are_judged(account: AwsEmulator) -> None:
    made = clients(account)
    assert look(account, [TOKENS])[TOKENS] == {made["short"]: "pass", made["long"]: "fail"}


def test_pools_that_may_not_be_listed_hide_their_clients(account: AwsEmulator) -> None:
    clients(account)
    account.deny("cognito-idp:ListUserPools")
    assert list(look(account, [TOKENS])[TOKENS].values()) == ["unknown"]
    assert "cognito-idp:ListUserPools" in next(iter(reasons(account, [TOKENS])[TOKENS].values()))


def test_clients_that_may_not_be_listed_are_unknown(account: AwsEmulator) -> None:
    clients(account)
    account.deny("cognito-idp:ListUserPoolClients")
    assert list(look(account, [TOKENS])[TOKENS].values()) == ["unknown"]


def test_permission_sets_and_direct_assignments_are_judged(account: AwsEmulator) -> None:
    admin, store = account.client("sso-admin"), account.client("identitystore")
    instance = admin.list_instances()["Instances"][0]
    sets = {
        length: admin.create_permission_set(
            InstanceArn=instance["InstanceArn"], Name=f"Set-{length}", SessionDuration=length
        )["PermissionSet"]["PermissionSetArn"]
        for length in ("PT4H", "PT12H")
    }
    people = {
        name: store.create_user(
            IdentityStoreId=instance["IdentityStoreId"],
            UserName=name,
            DisplayName=name,
            Name={"GivenName": name, "FamilyName": "Doe"},
        )["UserId"]
        for name in ("ann", "bob")
    }
    admin.create_account_assignment(
        InstanceArn=instance["InstanceArn"],
        TargetId=ACCOUNT,
        TargetType="AWS_ACCOUNT",
        PermissionSetArn=sets["PT4H"],
        PrincipalType="USER",
        PrincipalId=people["ann"],
    )
    told = look(account, [SESSIONS, DIRECT])
    assert told[SESSIONS] == {sets["PT4H"]: "pass", sets["PT12H"]: "fail"}
    ann, bob = (f"arn:aws:identitystore:::user/{people[name]}" for name in ("ann", "bob"))
    assert told[DIRECT] == {ann: "fail", bob: "pass"}
