"""Systems Manager documents: parameters by name, sessions by their preferences, patches by the last scan."""

from __future__ import annotations

import json
from typing import Any

import pytest

from auditor.collectors.aws import ssm
from auditor.domain.reading import Seen, Unseen
from auditor.domain.resource_type import Joined, Member, Population

DENIED = {"$unseen": "AccessDenied ssm:GetDocument"}


def told(inputs: Any) -> dict[str, Any]:
    return ssm.session_inputs({"Content": json.dumps({"inputs": inputs})})


def region(preferences: Population, instances: Population) -> ssm.Session:
    populations = {"aws.ssm.preferences": preferences, "aws.ssm.instance": instances}
    session: ssm.Session = ssm.session.describe(Joined("111122223333", "eu-west-1", None, populations))
    return session


def one(document: Any) -> Population:
    return Population((Member("id", "eu-west-1", document),))


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("/prod/db_password", "password"),
        ("/prod/apiKey", "api key"),
        ("/prod/api/key", "api key"),
        ("/tokens/prod", "token"),
        ("/prod/bypass", None),
        ("/prod/compass_url", None),
        ("/prod/secret_arn", None),
        ("/prod/token_ttl", None),
        ("/prod/db_host", None),
    ],
)
def test_a_parameter_is_judged_by_whole_words_of_its_name(name: str, pattern: str | None) -> None:
    assert ssm.parameter.describe({"Name": name, "Type": "String"}).secret_pattern == Seen(pattern)


def test_a_leading_slash_stands_once_in_the_arn() -> None:
    assert [item["Path"] for item in ssm.parameters({"Parameters": [{"Name": "/a/b"}, {"Name": "c"}]})] == ["a/b", "c"]


def test_preferences_keep_three_settings_and_nothing_else() -> None:
    inputs = {
        "idleSessionTimeout": "5",
        "s3BucketName": "",
        "cloudWatchLogGroupName": "g",
        "shellProfile": {"linux": "x"},
    }
    assert told(inputs) == {"idle_minutes": 5, "log_bucket": None, "log_group": "g"}


@pytest.mark.parametrize("inputs", [{}, {"idleSessionTimeout": ""}, {"idleSessionTimeout": None}])
def test_an_idle_limit_that_nobody_set_is_the_services_own(inputs: dict[str, Any]) -> None:
    assert told(inputs)["idle_minutes"] == 20


@pytest.mark.parametrize(
    "content", ["no json", "[]", '{"inputs": {"idleSessionTimeout": "{{ idle }}"}}', '{"inputs": [1]}']
)
def test_preferences_that_cannot_be_read_are_unseen(content: str) -> None:
    assert list(ssm.session_inputs({"Content": content})) == ["$unseen"]


def test_no_document_means_the_services_defaults() -> None:
    preferences = ssm.preferences.describe({"document": None})
    assert (preferences.idle_minutes, preferences.log_bucket, preferences.log_group) == (
        Seen(20),
        Seen(None),
        Seen(None),
    )


def test_preferences_we_may_not_read_are_unknown() -> None:
    hidden = region(one(ssm.preferences.describe({"document": DENIED})), one(object()))
    reason = Unseen("AccessDenied ssm:GetDocument")
    assert (hidden.idle_minutes, hidden.recorded) == (reason, reason)


def test_a_listing_cut_short_does_not_say_that_there_are_no_instances() -> None:
    preferences = one(ssm.preferences.describe({"document": None}))
    assert region(preferences, Population((), "AccessDenied")).has_instances == Unseen("AccessDenied")
    assert region(preferences, Population(())).has_instances == Seen(value=False)
    cut = Population(one(object()).members, "AccessDenied")
    assert region(preferences, cut).has_instances == Seen(value=True)


@pytest.mark.parametrize(
    ("settings", "recorded"),
    [({"log_bucket": "b"}, True), ({"log_group": "g"}, True), ({"log_bucket": None, "log_group": None}, False)],
)
def test_either_place_records_a_session(settings: dict[str, Any], recorded: bool) -> None:
    preferences = ssm.preferences.describe({"document": {"idle_minutes": 20, **settings}})
    assert region(one(preferences), Population(())).recorded == Seen(recorded)


def test_an_instance_that_was_never_scanned_has_no_counts() -> None:
    bare = ssm.instance.describe({"InstanceId": "i-1", "patches": []})
    assert (bare.scanned_at, bare.critical_missing, bare.security_missing) == (Seen(None), Seen(None), Seen(None))


def test_a_count_that_was_not_reported_is_not_zero() -> None:
    patches = [{"OperationEndTime": "2026-01-01T00:00:00Z", "CriticalNonCompliantCount": 0}]
    scanned = ssm.instance.describe({"InstanceId": "i-1", "ComputerName": "web", "patches": patches})
    assert scanned.name == Seen("i-1 (web)")
    assert scanned.critical_missing == Seen(0)
    assert scanned.security_missing == Unseen("SecurityNonCompliantCount was not reported")


def test_patch_states_we_may_not_read_are_unknown() -> None:
    hidden = ssm.instance.describe({"InstanceId": "i-1", "patches": {"$unseen": "denied"}})
    assert (hidden.scanned_at, hidden.critical_missing) == (Unseen("denied"), Unseen("denied"))


def test_a_machine_from_elsewhere_has_an_arn_of_its_own() -> None:
    page = {"InstanceInformationList": [{"InstanceId": "i-1"}, {"InstanceId": "mi-1"}]}
    kinds = [(item["Home"], item["Kind"]) for item in ssm.managed_instances(page)]
    assert kinds == [("ec2", "instance"), ("ssm", "managed-instance")]


def test_only_the_account_all_makes_a_document_public() -> None:
    def public(permission: Any) -> Any:
        return ssm.document.describe({"Name": "d", "permission": permission}).public

    assert public({"AccountIds": ["all"]}) == Seen(value=True)
    assert public({"AccountIds": ["111122223333"]}) == Seen(value=False)
    assert public({"$unseen": "denied"}) == Unseen("denied")
