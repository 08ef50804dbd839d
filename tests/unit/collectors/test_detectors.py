"""Detectors of a region as their evidence shows them, where a list broke off or a service says little."""

from __future__ import annotations

from typing import Any

from auditor.collectors.aws.accessanalyzer import analysis, analyzer
from auditor.collectors.aws.account import security_contact, ways
from auditor.collectors.aws.config import delivery, recording
from auditor.collectors.aws.guardduty import detection, detector
from auditor.collectors.aws.inspector2 import instances, scanning, weakness
from auditor.collectors.aws.logs import resource_policies
from auditor.collectors.aws.securityhub import hub
from auditor.collectors.aws.sns import topic
from auditor.domain.reading import Readings, Seen, Unseen
from auditor.domain.resource_type import Joined, Member, Population

DENIED = {"$unseen": "AccessDenied x:Y"}
HIDDEN = Unseen("AccessDenied x:Y")
YES, NO = Seen(value=True), Seen(value=False)


def a_detector(**content: Any) -> Any:
    return detector.describe({"DetectorId": "d1", "described": {"Status": "ENABLED"}, "clusters": [], **content})


def test_sources_that_a_detector_does_not_mention_are_off() -> None:
    on = [{"Name": "S3_DATA_EVENTS", "Status": "ENABLED"}, {"Name": "EKS_AUDIT_LOGS", "Status": "DISABLED"}]
    told = a_detector(described={"Status": "ENABLED", "Features": on})
    assert (told.s3_events, told.cluster_logs, told.malware_scans) == (YES, NO, NO)
    assert a_detector(described=DENIED).s3_events == HIDDEN
    assert a_detector(clusters=["present"]).has_clusters == YES
    assert a_detector(clusters=DENIED).has_clusters == HIDDEN


def test_no_open_threats_is_seen_and_a_list_that_broke_off_is_not() -> None:
    assert a_detector(threat_ids=[]).threats == Seen(())
    assert a_detector(threat_ids=DENIED).threats == HIDDEN
    assert a_detector(threat_ids=["f1", DENIED]).threats == HIDDEN


def test_threats_that_were_listed_but_not_fetched_are_unseen() -> None:
    assert a_detector(threat_ids=["f1"], threats=DENIED).threats == Seen((HIDDEN,))
    found = a_detector(threat_ids=["f1", "f2"], threats=[{"Id": "f1", "CreatedAt": "2026-01-01T00:00:00Z"}, DENIED])
    assert [getattr(one, "id", one) for one in found.threats.value] == ["f1", HIDDEN]


def test_findings_are_fetched_only_where_every_id_was_read() -> None:
    when = detector.details["threats"].when
    assert when is not None
    names = frozenset({"threat_ids"})
    assert when(Readings({"threat_ids": ["f1"]}, names))
    for broken in ([], DENIED, ["f1", DENIED], None):
        assert not when(Readings({"threat_ids": broken}, names))


def test_a_region_whose_detectors_could_not_all_be_listed_says_so() -> None:
    one = Member("d1", "eu-west-1", a_detector())
    joined = Joined("1", "eu-west-1", None, {detector.name: Population((one,), "Throttled")})
    assert detection.describe(joined).enabled == (YES, Unseen("Throttled"))


def test_findings_of_an_analyzer_stand_oldest_first_with_what_hid_the_rest() -> None:
    findings = [
        {"id": "b", "createdAt": "2026-02-01T00:00:00Z"},
        {"id": "a", "createdAt": "2026-01-01T00:00:00Z"},
        {"id": "c"},
        DENIED,
    ]
    told = analyzer.describe({"name": "a1", "type": "ACCOUNT", "status": "ACTIVE", "findings": findings})
    assert [getattr(one, "id", one) for one in told.findings.value] == ["a", "b", "c", HIDDEN]
    assert isinstance(told.findings.value[2].created_at, Unseen), "a finding without a time has no age"
    unseen = analyzer.describe({"name": "a1", "type": "ACCOUNT", "status": "ACTIVE", "findings": DENIED})
    assert unseen.findings == HIDDEN
    joined = Joined("1", "eu-west-1", None, {analyzer.name: Population((), "AccessDenied")})
    assert analysis.describe(joined).analyzers == (Unseen("AccessDenied"),)


def test_a_recorder_is_joined_with_its_own_state() -> None:
    group = {
        "recordingStrategy": {"useOnly": "EXCLUSION_BY_RESOURCE_TYPES"},
        "exclusionByResourceTypes": {"resourceTypes": ["AWS::S3::Bucket"]},
    }
    recorders = [{"name": "a", "recordingGroup": {"allSupported": True}}, {"name": "b", "recordingGroup": group}]
    states = [{"name": "b", "recording": True, "lastStatus": "FAILURE"}]
    first, second = recording.describe({"recorders": recorders, "states": states}).recorders
    assert (first.recording, first.failing, first.records_all) == (NO, NO, True)
    assert (second.recording, second.failing, second.records_all) == (YES, YES, False)
    assert (second.records_all_but, second.left_out) == (True, ("AWS::S3::Bucket",))


def test_a_state_that_could_not_be_read_is_unseen_for_its_recorder_only() -> None:
    recorders = [{"name": "a"}, {"name": "b"}]
    states = [{"name": "a", "recording": True}, DENIED]
    first, second = recording.describe({"recorders": recorders, "states": states}).recorders
    assert (first.recording, second.recording) == (YES, HIDDEN)
    assert recording.describe({"recorders": DENIED, "states": []}).recorders == (HIDDEN,)
    assert delivery.describe({"channels": DENIED, "states": []}).channels == (HIDDEN,)


def test_a_hub_that_never_subscribed_is_off_and_one_we_may_not_read_is_unseen() -> None:
    off = hub.describe({"hub": None, "standards": None})
    assert (off.enabled, off.standard_ready) == (NO, NO)
    hidden = hub.describe({"hub": DENIED, "standards": DENIED})
    assert (hidden.enabled, hidden.standard_ready) == (HIDDEN, HIDDEN)


def test_terminated_instances_are_nothing_to_scan() -> None:
    page = {"Reservations": [{"Instances": [{"State": {"Name": "terminated"}}, {"State": {"Name": "stopped"}}]}]}
    assert list(instances(page)) == [{"State": {"Name": "stopped"}}]


def test_an_account_that_inspector_refused_is_unseen_and_one_it_does_not_know_is_off() -> None:
    rest = {"instances": ["present"], "repositories": [], "functions": DENIED}
    refused = scanning.describe({"status": {"failedAccounts": [{"errorCode": "ACCESS_DENIED"}]}, **rest})
    assert refused.instances_scanned == Unseen("ACCESS_DENIED inspector2:BatchGetAccountStatus")
    unknown = scanning.describe({"status": {"accounts": []}, **rest})
    assert unknown.instances_scanned == NO
    assert (unknown.has_instances, unknown.has_images, unknown.has_functions) == (YES, NO, HIDDEN)


def test_what_is_scanned_is_kept_as_a_mark_only() -> None:
    project = scanning.details["functions"].project
    assert project is not None
    assert project([{"Environment": {"Variables": {"PASSWORD": "x"}}}, {}]) == ["present"]
    assert project([]) == []


def test_a_weakness_names_what_it_was_found_on() -> None:
    arn = "arn:aws:inspector2:eu-west-1:1:finding/abc"
    told = weakness.describe({"findingArn": arn, "severity": "HIGH", "resources": [{"id": "i-1"}]})
    assert (told.name, told.resource) == ("abc", Seen("i-1"))
    assert isinstance(told.first_seen_at, Unseen)


def test_a_contact_leaves_no_name_behind() -> None:
    kept = ways({"AlternateContact": {"EmailAddress": "someone@example.org", "Name": "Someone"}})
    assert kept == {"email": True, "phone": False}
    told = security_contact.describe({"contact": kept})
    assert (told.has_email, told.has_phone) == (YES, NO)
    assert security_contact.describe({"contact": DENIED}).has_email == HIDDEN


def test_a_policy_that_is_no_json_is_unseen_beside_the_open_ones() -> None:
    open_ = '{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "logs:*", "Resource": "*"}]}'
    policies = [{"policyName": "open", "policyDocument": open_}, {"policyName": "odd", "policyDocument": "{"}]
    told = resource_policies.describe({"policies": policies}).open_policies
    assert told[0] == "open"
    assert isinstance(told[1], Unseen)
    assert len(told) == 2


def test_an_empty_key_of_a_topic_is_no_key() -> None:
    told = topic.describe({"TopicArn": "arn:aws:sns:x:1:t", "attributes": {"Attributes": {"KmsMasterKeyId": ""}}})
    assert told.kms_key == Seen(None)
    assert (told.name, told.subscribed) == ("t", NO)
    assert topic.describe({"TopicArn": "a:t", "attributes": DENIED}).open_statements == HIDDEN
