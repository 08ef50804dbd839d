"""Identity Center's sessions and assignments."""

from __future__ import annotations

import pytest

from auditor.collectors.aws.sso_center import person, session_set
from auditor.domain.reading import Seen, Unseen

SET = "arn:aws:sso:::permissionSet/ssoins-1/ps-1"


@pytest.mark.parametrize(("length", "seconds"), [("PT12H", 43200), ("PT1H30M", 5400), ("PT240M", 14400), (None, 3600)])
def test_a_session_is_read_from_its_duration(length: str | None, seconds: int) -> None:
    settings = {"PermissionSet": {"Name": "Admin", "SessionDuration": length}}
    found = session_set.describe({"PermissionSetArn": SET, "settings": settings})
    assert (found.name, found.session_seconds) == (Seen("Admin"), Seen(seconds))


def test_a_duration_of_another_form_is_unseen() -> None:
    settings = {"PermissionSet": {"Name": "Admin", "SessionDuration": "twelve hours"}}
    found = session_set.describe({"PermissionSetArn": SET, "settings": settings})
    assert found.session_seconds == Unseen("session length could not be read")


def test_settings_we_may_not_read_are_unknown() -> None:
    found = session_set.describe({"PermissionSetArn": SET, "settings": {"$unseen": "denied"}})
    assert (found.name, found.session_seconds) == (Unseen("denied"), Unseen("denied"))


def test_what_comes_through_a_group_is_not_direct() -> None:
    given = [{"AccountId": "1", "PermissionSetArn": SET, "PrincipalType": kind} for kind in ("USER", "GROUP")]
    assert person.describe({"UserName": "ann", "assignments": given}).direct == ("1 ps-1",)


def test_assignments_cut_short_may_hide_a_direct_one() -> None:
    found = person.describe({"UserName": "ann", "assignments": [{"$unseen": "denied"}]})
    assert found.direct == (Unseen("denied"),)
