"""Who copies and keys are shared with, and which of them stand outside."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.collectors.aws._sharers import sharers
from auditor.collectors.aws.ec2_storage import image, snapshot
from auditor.collectors.aws.rds_snapshots import cluster_snapshot
from auditor.collectors.aws.rds_snapshots import snapshot as database_snapshot
from auditor.collectors.aws.sharing import (
    Organisation,
    Party,
    Shared,
    SharedDatabase,
    inside,
    organisation,
    shared_cluster_snapshot,
    shared_database_snapshot,
    shared_image,
    shared_snapshot,
)
from auditor.domain.reading import Reading, Seen, Unseen
from auditor.domain.resource_type import Joined, Member, Population

OWN, SISTER, FOREIGN = "111122223333", "222233334444", "999988887777"
ORGANISATION = {"Organization": {"Id": "o-ours", "MasterAccountId": "444455556666"}}
DENIED = {"$unseen": "AccessDeniedException organizations:ListAccounts"}
HIDDEN = Unseen("AccessDeniedException organizations:ListAccounts")


def ours(organization: Any = ORGANISATION, accounts: Any = ({"Id": OWN}, {"Id": SISTER})) -> Organisation:
    told: Organisation = organisation.describe(
        {"organization": organization, "accounts": list(accounts) if isinstance(accounts, tuple) else accounts}
    )
    return told


@pytest.mark.parametrize(
    ("who", "expected"),
    [(SISTER, True), (FOREIGN, False), ("444455556666", True), ("o-ours", True), ("o-theirs", False)],
)
def test_the_organisations_list_says_who_is_inside(who: str, expected: bool) -> None:
    assert inside(who, ours()) == Seen(expected)


def test_without_an_organisation_everybody_else_is_outside() -> None:
    assert inside(SISTER, ours(organization=None, accounts=None)) == Seen(value=False)
    assert inside("o-theirs", ours(organization=None, accounts=None)) == Seen(value=False)


def test_a_list_we_may_not_read_leaves_accounts_open_but_not_organisations() -> None:
    member = ours(accounts=DENIED)
    assert inside(FOREIGN, member) == HIDDEN
    assert inside("444455556666", member) == Seen(value=True)
    assert (inside("o-ours", member), inside("o-theirs", member)) == (Seen(value=True), Seen(value=False))


def test_a_list_cut_short_excludes_nobody() -> None:
    cut = ours(accounts=({"Id": SISTER}, DENIED))
    assert (inside(SISTER, cut), inside(FOREIGN, cut)) == (Seen(value=True), HIDDEN)


def test_a_hidden_organisation_leaves_all_but_listed_accounts_open() -> None:
    hidden = ours(organization={"$unseen": "denied"})
    assert (inside(SISTER, hidden), inside(FOREIGN, hidden)) == (Seen(value=True), Unseen("denied"))
    assert inside(FOREIGN, Unseen("not collected")) == Unseen("not collected")


def joined(document: Any, told: Organisation | None) -> Joined:
    member = Member("arn:it", "eu-west-1", document)
    found = Population(()) if told is None else Population((Member("account", "global", told),))
    return Joined(OWN, "eu-west-1", member, {"aws.organizations.accounts": found})


def test_sharing_with_our_own_account_is_none() -> None:
    document = snapshot.describe({"SnapshotId": "snap-1", "permissions": [{"UserId": OWN}, {"UserId": FOREIGN}]})
    found: Shared = shared_snapshot.describe(joined(document, ours()))
    assert found.parties == Seen((Party(FOREIGN, Seen(value=False)),))
    assert found.strangers == Seen((FOREIGN,))


def test_an_image_counts_organisations_by_their_id() -> None:
    permissions = [
        {"OrganizationArn": "arn:aws:organizations::444455556666:organization/o-ours"},
        {"OrganizationalUnitArn": "arn:aws:organizations::999988887777:ou/o-theirs/ou-1"},
        {"Group": "all"},
    ]
    document = image.describe({"ImageId": "ami-1", "permissions": permissions})
    found: Shared = shared_image.describe(joined(document, ours()))
    assert found.parties == Seen((Party("o-ours", Seen(value=True)), Party("o-theirs", Seen(value=False))))


def restorable(*who: str, kind: str = "manual", derived: Any = shared_database_snapshot) -> SharedDatabase:
    attributes = "DBSnapshotAttributes" if derived is shared_database_snapshot else "DBClusterSnapshotAttributes"
    own = database_snapshot if derived is shared_database_snapshot else cluster_snapshot
    rows = [{"AttributeName": "restore", "AttributeValues": list(who)}]
    content: dict[str, Any] = {"DBSnapshotIdentifier": "s", "DBClusterSnapshotIdentifier": "s", "SnapshotType": kind}
    if kind != "automated":
        content["sharing"] = {f"{attributes}Result": {attributes: rows}}
    document: SharedDatabase = derived.describe(joined(own.describe(content), ours()))
    return document


@pytest.mark.parametrize("derived", [shared_database_snapshot, shared_cluster_snapshot])
def test_a_database_copy_names_the_strangers_who_may_restore_it(derived: Any) -> None:
    found = restorable("all", OWN, SISTER, FOREIGN, derived=derived)
    assert found.strangers == Seen((FOREIGN,)), "everybody is another check's business"


def test_an_automated_database_copy_is_shared_with_nobody() -> None:
    found = restorable(kind="automated")
    assert (found.kind, found.parties) == (Seen("automated"), Seen(()))


def test_permissions_we_may_not_read_are_unknown() -> None:
    document = image.describe({"ImageId": "ami-1", "permissions": {"$unseen": "denied"}})
    parties: Reading[Any] = shared_image.describe(joined(document, ours())).parties
    assert parties == Unseen("denied")


def test_an_organisation_that_was_not_collected_is_unknown() -> None:
    document = snapshot.describe({"SnapshotId": "snap-1", "permissions": [{"UserId": FOREIGN}]})
    found: Shared = shared_snapshot.describe(joined(document, None))
    assert found.parties == Seen((Party(FOREIGN, Unseen("the organisation was not collected")),))
    assert found.strangers == Seen(())


def statement(principal: Any, condition: Any = None, effect: str = "Allow") -> dict[str, Any]:
    told = {"Effect": effect, "Principal": principal, "Action": "kms:*", "Resource": "*"}
    return {"Statement": [{**told, **({"Condition": condition} if condition else {})}]}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (statement({"AWS": [f"arn:aws:iam::{FOREIGN}:root", SISTER]}), (SISTER, FOREIGN)),
        (statement({"AWS": f"arn:aws:sts::{FOREIGN}:assumed-role/app/session"}), (FOREIGN,)),
        (statement({"AWS": f"arn:aws:iam::{FOREIGN}:root"}, effect="Deny"), ()),
        (statement({"Service": "logs.eu-west-1.amazonaws.com"}), ()),
        (statement("*"), ()),
        (statement("*", {"StringEquals": {"kms:CallerAccount": [FOREIGN]}}), (FOREIGN,)),
        (statement("*", {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{FOREIGN}:role/*"}}), (FOREIGN,)),
        (statement("*", {"StringEquals": {"aws:PrincipalOrgID": "o-theirs"}}), ("o-theirs",)),
        (
            statement(
                {"AWS": f"arn:aws:iam::{FOREIGN}:root"},
                {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-ours/r-1/*"}},
            ),
            ("o-ours",),
        ),
        (
            statement({"AWS": f"arn:aws:iam::{FOREIGN}:root"}, {"StringNotEquals": {"aws:PrincipalOrgID": "o-ours"}}),
            (FOREIGN,),
        ),
        (None, ()),
    ],
)
def test_a_policy_names_accounts_and_organisations(policy: Any, expected: tuple[str, ...]) -> None:
    assert sharers(policy) == expected
