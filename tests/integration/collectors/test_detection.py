"""Who is told when something goes wrong: alarms, logs, topics and the detectors of a region, in an emulated account."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.stub import Stubber

from auditor.collectors.aws._client import AwsCaller
from auditor.collectors.aws._watched_events import KINDS
from auditor.simulators.aws import ACCOUNT, AwsEmulator
from tests.integration.collectors.looking import look, looked, reasons, told

HOME, OTHER = "us-east-1", "eu-west-1"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
ALARMS = tuple(f"cloudwatch.alarm.{kind}" for kind in KINDS)
REGIONAL = (
    "logs.resource_policy.not_public",
    "guardduty.detector.enabled",
    "config.recorder.enabled",
    "config.delivery_channel.present",
    "securityhub.hub.enabled",
    "macie2.session.enabled",
    "accessanalyzer.analyzer.enabled",
)


def place(region: str) -> str:
    return f"{ACCOUNT}/{region}"


@pytest.fixture(scope="module")
def started() -> Iterator[AwsEmulator]:
    with AwsEmulator() as emulator:
        yield emulator


@pytest.fixture
def account(started: AwsEmulator) -> Iterator[AwsEmulator]:
    started.reset()
    yield started
    started.clear_faults()


def names(kind: str) -> str:
    """The pattern that people copy from the benchmark."""
    return "{ " + " || ".join(f"($.eventName = {name})" for name in KINDS[kind]) + " }"


def a_trail(account: AwsEmulator) -> None:
    account.client("logs").create_log_group(logGroupName="trail")
    account.client("s3").create_bucket(Bucket="trail-logs")
    account.client("cloudtrail").create_trail(
        Name="main",
        S3BucketName="trail-logs",
        IsMultiRegionTrail=True,
        CloudWatchLogsLogGroupArn=f"arn:aws:logs:{HOME}:{ACCOUNT}:log-group:trail:*",
        CloudWatchLogsRoleArn=f"arn:aws:iam::{ACCOUNT}:role/trail",
    )
    everything = [{"ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": []}]
    account.client("cloudtrail").put_event_selectors(TrailName="main", EventSelectors=everything)  # AWS's own default
    account.client("cloudtrail").start_logging(Name="main")


def a_topic(account: AwsEmulator, *protocols: str) -> str:
    arn: str = account.client("sns").create_topic(Name="alerts")["TopicArn"]
    for protocol in protocols:
        end = "someone@example.org" if protocol == "email" else f"arn:aws:sqs:{HOME}:{ACCOUNT}:alerts"
        account.client("sns").subscribe(TopicArn=arn, Protocol=protocol, Endpoint=end)
    return arn


def a_filter(account: AwsEmulator, name: str, pattern: str, group: str = "trail") -> None:
    account.client("logs").put_metric_filter(
        logGroupName=group,
        filterName=name,
        filterPattern=pattern,
        metricTransformations=[{"metricName": name, "metricNamespace": "Watch", "metricValue": "1"}],
    )


def an_alarm(account: AwsEmulator, name: str, *actions: str, metric: str = "", enabled: bool = True) -> str:
    account.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        MetricName=metric or name,
        Namespace="Watch",
        Statistic="Sum",
        Period=300,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        AlarmActions=list(actions),
        ActionsEnabled=enabled,
    )
    return f"arn:aws:cloudwatch:{HOME}:{ACCOUNT}:alarm:{name}"


def stubbed(service: str, *answers: tuple[str, Any], region: str = HOME) -> Callable[[AwsCaller], None]:
    """Answers, checked against the service's own model, in the order of the calls; an exception's text is a refusal."""

    def stub(caller: AwsCaller) -> None:
        stubber = Stubber(caller._client(service, region))
        for operation, answer in answers:
            if isinstance(answer, dict):
                stubber.add_response(operation, answer)
            else:
                stubber.add_client_error(operation, *answer)
        stubber.activate()

    return stub


def test_an_empty_account_is_told_of_nothing(account: AwsEmulator) -> None:
    seen = look(account, ALARMS)
    assert seen == {check: {ROOT: "fail"} for check in ALARMS}


def test_the_whole_chain_from_trail_to_listener_holds(account: AwsEmulator) -> None:
    a_trail(account)
    topic = a_topic(account, "sqs")
    patterns = {kind: names(kind) for kind in KINDS} | {
        "root_usage": '{ $.userIdentity.type = "Root" && $.userIdentity.invokedBy NOT EXISTS && '
        '$.eventType != "AwsServiceEvent" }',
        "unauthorized_calls": '{ ($.errorCode = "*UnauthorizedOperation") || ($.errorCode = "AccessDenied*") }',
        "console_without_mfa": '{ ($.eventName = "ConsoleLogin") && ($.additionalEventData.MFAUsed != "Yes") }',
        "signin_failures": '{ ($.eventName = ConsoleLogin) && ($.errorMessage = "Failed authentication") }',
    }
    for kind, pattern in patterns.items():
        a_filter(account, kind, pattern)
        an_alarm(account, kind, topic)
    assert look(account, ALARMS) == {check: {ROOT: "pass"} for check in ALARMS}


def test_a_filter_that_forgets_one_event_fails_and_the_sentence_names_it(account: AwsEmulator) -> None:
    a_trail(account)
    topic = a_topic(account, "sqs")
    a_filter(account, "trail", "{ ($.eventName = StopLogging) || ($.eventName = UpdateTrail) }")
    an_alarm(account, "trail", topic)
    said = reasons(account, ["cloudwatch.alarm.trail_changes"])["cloudwatch.alarm.trail_changes"][ROOT]
    assert said == f"Account {ACCOUNT} has no alarm that reaches anybody for changes of the audit trail: DeleteTrail"


@pytest.mark.parametrize("broken", ["trail", "group", "alarm", "actions", "topic", "listener"])
def test_one_broken_link_breaks_the_chain(account: AwsEmulator, broken: str) -> None:
    a_trail(account)
    account.client("logs").create_log_group(logGroupName="other")
    topic = a_topic(account, "email" if broken == "listener" else "sqs")
    a_filter(account, "keys", names("kms_key_disabled"), group="other" if broken == "group" else "trail")
    if broken != "alarm":
        an_alarm(account, "keys", topic, enabled=broken != "actions")
    if broken == "trail":
        account.client("cloudtrail").stop_logging(Name="main")
    if broken == "topic":
        account.client("sns").delete_topic(TopicArn=topic)
    assert look(account, ["cloudwatch.alarm.kms_key_disabled"])["cloudwatch.alarm.kms_key_disabled"] == {ROOT: "fail"}


@pytest.mark.parametrize(
    "action",
    [
        "cloudtrail:DescribeTrails",
        "logs:DescribeMetricFilters",
        "cloudwatch:DescribeAlarms",
        "sns:ListTopics",
        "sns:GetTopicAttributes",
    ],
)
def test_a_link_that_cannot_be_seen_leaves_the_chain_unknown(account: AwsEmulator, action: str) -> None:
    a_trail(account)
    a_filter(account, "keys", names("kms_key_disabled"))
    an_alarm(account, "keys", a_topic(account, "sqs"))
    account.deny(action)
    check = "cloudwatch.alarm.kms_key_disabled"
    assert look(account, [check])[check] == {ROOT: "unknown"}


def test_a_topic_of_another_account_is_unknown(account: AwsEmulator) -> None:
    a_trail(account)
    a_filter(account, "keys", names("kms_key_disabled"))
    an_alarm(account, "keys", f"arn:aws:sns:{HOME}:999988887777:central")
    check = "cloudwatch.alarm.kms_key_disabled"
    assert look(account, [check])[check] == {ROOT: "unknown"}


def test_alarms_that_tell_nobody_fail(account: AwsEmulator) -> None:
    topic = a_topic(account)
    loud = an_alarm(account, "loud", topic)
    scaling = an_alarm(account, "scaling", f"arn:aws:autoscaling:{HOME}:{ACCOUNT}:scalingPolicy:1:x")
    mute = an_alarm(account, "mute")
    off = an_alarm(account, "off", topic, enabled=False)
    seen = look(account, ["cloudwatch.alarm.actions_enabled"])["cloudwatch.alarm.actions_enabled"]
    assert seen == {loud: "pass", scaling: "pass", mute: "fail", off: "fail"}


def test_a_child_of_a_composite_that_acts_passes(account: AwsEmulator) -> None:
    def arn(name: str) -> str:
        return f"arn:aws:cloudwatch:{HOME}:{ACCOUNT}:alarm:{name}"

    def alarm(name: str, **more: Any) -> dict[str, Any]:
        return {"AlarmName": name, "AlarmArn": arn(name), "ActionsEnabled": True, "AlarmActions": [], **more}

    page = {
        "MetricAlarms": [alarm("child"), alarm("orphan")],
        "CompositeAlarms": [
            alarm("middle", AlarmRule='ALARM("child") AND NOT ALARM(other)'),
            alarm("top", AlarmRule=f"ALARM({arn('middle')})", AlarmActions=[f"arn:aws:sns:{HOME}:{ACCOUNT}:alerts"]),
        ],
    }
    check = "cloudwatch.alarm.actions_enabled"
    seen = told(looked(account, [check], stub=stubbed("cloudwatch", ("describe_alarms", page))))[check]
    assert seen == {arn("child"): "pass", arn("middle"): "pass", arn("top"): "pass", arn("orphan"): "fail"}


def test_log_groups_keep_their_lines_for_a_year_under_a_key(account: AwsEmulator) -> None:
    logs = account.client("logs")
    for name in ("forever", "year", "month"):
        logs.create_log_group(logGroupName=name)
    logs.create_log_group(logGroupName="keyed", kmsKeyId=f"arn:aws:kms:{HOME}:{ACCOUNT}:key/1")
    logs.put_retention_policy(logGroupName="year", retentionInDays=365)
    logs.put_retention_policy(logGroupName="month", retentionInDays=30)
    kept, keyed = "logs.log_group.retention_set", "logs.log_group.kms_encrypted"
    seen = look(account, [kept, keyed])

    def arn(name: str) -> str:
        return f"arn:aws:logs:{HOME}:{ACCOUNT}:log-group:{name}"

    assert seen[kept] == {arn("forever"): "pass", arn("year"): "pass", arn("month"): "fail", arn("keyed"): "pass"}
    assert {arn(name): seen[keyed][arn(name)] for name in ("keyed", "year")} == {
        arn("keyed"): "pass",
        arn("year"): "fail",
    }


def test_a_log_policy_for_everyone_fails_its_region_only(account: AwsEmulator) -> None:
    def policy(principal: object, **more: object) -> str:
        statement = {"Effect": "Allow", "Principal": principal, "Action": "logs:PutLogEvents", "Resource": "*", **more}
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]})

    open_, narrow = account.client("logs", HOME), account.client("logs", OTHER)
    open_.put_resource_policy(policyName="everyone-writes", policyDocument=policy("*"))
    narrow.put_resource_policy(policyName="dns", policyDocument=policy({"Service": "route53.amazonaws.com"}))
    mine = {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    narrow.put_resource_policy(policyName="mine", policyDocument=policy("*", Condition=mine))
    check = "logs.resource_policy.not_public"
    assert look(account, [check], (HOME, OTHER))[check] == {place(HOME): "fail", place(OTHER): "pass"}
    assert "everyone-writes" in reasons(account, [check])[check][place(HOME)]


def test_topics_are_judged_by_key_and_policy(account: AwsEmulator) -> None:
    sns = account.client("sns")
    open_to_all = {"Effect": "Allow", "Principal": "*", "Action": "sns:Publish", "Resource": "*", "Sid": "anybody"}
    plain = sns.create_topic(Name="plain")["TopicArn"]
    opened = sns.create_topic(
        Name="opened",
        Attributes={"KmsMasterKeyId": "alias/aws/sns", "Policy": json.dumps({"Statement": [open_to_all]})},
    )["TopicArn"]
    encrypted, closed = "sns.topic.kms_encrypted", "sns.topic.not_public"
    assert look(account, [encrypted, closed]) == {
        encrypted: {plain: "fail", opened: "pass"},
        closed: {plain: "pass", opened: "fail"},
    }
    account.deny("sns:GetTopicAttributes")
    assert set(look(account, [encrypted, closed])[closed].values()) == {"unknown"}


def test_regions_without_any_detector_fail_or_say_that_they_cannot_tell(account: AwsEmulator) -> None:
    seen = look(account, REGIONAL, (OTHER,))
    # The emulator has Macie always on and knows no Access Analyzer.
    expected = {"macie2.session.enabled": "pass", "accessanalyzer.analyzer.enabled": "unknown"}
    expected["logs.resource_policy.not_public"] = "pass"
    assert seen == {check: {place(OTHER): expected.get(check, "fail")} for check in REGIONAL}


def test_detectors_are_judged_region_by_region(account: AwsEmulator) -> None:
    here, there = account.client("guardduty", HOME), account.client("guardduty", OTHER)
    on = [{"Name": name, "Status": "ENABLED"} for name in ("S3_DATA_EVENTS", "EBS_MALWARE_PROTECTION")]
    good = here.create_detector(Enable=True, Features=on)["DetectorId"]
    idle = there.create_detector(Enable=False)["DetectorId"]
    enabled, sources = "guardduty.detector.enabled", "guardduty.detector.protections_on"

    def arn(region: str, detector: str) -> str:
        return f"arn:aws:guardduty:{region}:{ACCOUNT}:detector/{detector}"

    seen = look(account, [enabled, sources], (HOME, OTHER))
    assert seen[enabled] == {place(HOME): "pass", place(OTHER): "fail"}
    assert seen[sources] == {arn(HOME, good): "pass", arn(OTHER, idle): "not_applicable"}
    account.client("eks").create_cluster(
        name="apps", roleArn=f"arn:aws:iam::{ACCOUNT}:role/eks", resourcesVpcConfig={"subnetIds": []}
    )
    assert look(account, [sources])[sources] == {arn(HOME, good): "fail"}


def test_open_threats_are_fetched_in_batches_and_judged_by_their_first_time(account: AwsEmulator) -> None:
    def finding(number: int, days: int) -> dict[str, Any]:
        at = (NOW - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        needed = {"AccountId": ACCOUNT, "Arn": "arn:aws:guardduty:x", "Region": HOME, "SchemaVersion": "2.0"}
        rest = {"Resource": {}, "UpdatedAt": at, "Severity": 8.0, "Type": "Recon:EC2/Portscan"}
        return {**needed, **rest, "Id": f"f{number:02}", "CreatedAt": at}

    def seen(oldest: int) -> str:
        ids = [f"f{number:02}" for number in range(60)]
        stub = stubbed(
            "guardduty",
            ("list_detectors", {"DetectorIds": ["d1"]}),
            ("get_detector", {"Status": "ENABLED", "ServiceRole": "x"}),
            ("list_findings", {"FindingIds": ids[:50], "NextToken": "more"}),
            ("list_findings", {"FindingIds": ids[50:], "NextToken": ""}),
            ("get_findings", {"Findings": [finding(number, 1) for number in range(50)]}),
            ("get_findings", {"Findings": [finding(number, oldest) for number in range(50, 60)]}),
        )
        check = "guardduty.finding.high_resolved"
        (verdict,) = told(looked(account, [check], as_of=NOW, stub=stub))[check].values()
        return verdict

    assert seen(7) == "pass"
    assert seen(8) == "fail"


def test_threats_that_may_not_be_listed_are_unknown(account: AwsEmulator) -> None:
    account.client("guardduty").create_detector(Enable=True)
    check = "guardduty.finding.high_resolved"
    assert set(look(account, [check])[check].values()) == {"unknown"}


def test_a_recorder_counts_when_it_runs_and_leaves_nothing_out(account: AwsEmulator) -> None:
    config = account.client("config")
    group = {"allSupported": True, "includeGlobalResourceTypes": True}
    recorder = {"name": "default", "roleARN": f"arn:aws:iam::{ACCOUNT}:role/config", "recordingGroup": group}
    config.put_configuration_recorder(ConfigurationRecorder=recorder)
    check = "config.recorder.enabled"
    assert look(account, [check])[check] == {place(HOME): "fail"}
    account.client("s3").create_bucket(Bucket="config-logs")
    config.put_delivery_channel(DeliveryChannel={"name": "default", "s3BucketName": "config-logs"})
    config.start_configuration_recorder(ConfigurationRecorderName="default")
    assert look(account, [check])[check] == {place(HOME): "pass"}
    delivered = "config.delivery_channel.present"
    assert look(account, [delivered])[delivered] == {place(HOME): "unknown"}, "the emulator tells no delivery status"


@pytest.mark.parametrize(("status", "verdict"), [("Success", "pass"), ("Failure", "fail")])
def test_a_channel_is_judged_by_its_last_delivery(account: AwsEmulator, status: str, verdict: str) -> None:
    stub = stubbed(
        "config",
        ("describe_delivery_channels", {"DeliveryChannels": [{"name": "default", "s3BucketName": "logs"}]}),
        (
            "describe_delivery_channel_status",
            {"DeliveryChannelsStatus": [{"name": "default", "configHistoryDeliveryInfo": {"lastStatus": status}}]},
        ),
    )
    check = "config.delivery_channel.present"
    assert told(looked(account, [check], stub=stub))[check] == {place(HOME): verdict}


@pytest.mark.parametrize(("status", "verdict"), [("READY", "pass"), ("INCOMPLETE", "fail")])
def test_a_hub_counts_once_a_standard_is_ready(account: AwsEmulator, status: str, verdict: str) -> None:
    standard = {
        "StandardsSubscriptionArn": "arn:aws:securityhub:x",
        "StandardsArn": "arn:aws:securityhub:::standards/x",
        "StandardsInput": {},
        "StandardsStatus": status,
    }
    stub = stubbed(
        "securityhub",
        ("describe_hub", {"HubArn": "arn:aws:securityhub:x:hub/default"}),
        ("get_enabled_standards", {"StandardsSubscriptions": [standard]}),
    )
    check = "securityhub.hub.enabled"
    assert told(looked(account, [check], stub=stub))[check] == {place(HOME): verdict}


def test_macie_that_is_off_fails_while_a_lost_permission_is_unknown(account: AwsEmulator) -> None:
    check = "macie2.session.enabled"
    off = stubbed("macie2", ("get_macie_session", ("AccessDeniedException", "Macie is not enabled.", 403)))
    denied = stubbed("macie2", ("get_macie_session", ("AccessDeniedException", "You are not authorized.", 403)))
    assert told(looked(account, [check], stub=off))[check] == {place(HOME): "fail"}
    assert told(looked(account, [check], stub=denied))[check] == {place(HOME): "unknown"}


def test_scanning_is_asked_for_where_there_is_something_to_scan(account: AwsEmulator) -> None:
    check = "inspector2.account.enabled"
    assert look(account, [check])[check] == {place(HOME): "not_applicable"}
    account.client("ecr").create_repository(repositoryName="apps")
    assert look(account, [check])[check] == {place(HOME): "fail"}
    account.client("inspector2").enable(accountIds=[ACCOUNT], resourceTypes=["EC2"])
    assert look(account, [check])[check] == {place(HOME): "fail"}
    account.client("inspector2").enable(accountIds=[ACCOUNT], resourceTypes=["ECR"])
    assert look(account, [check])[check] == {place(HOME): "pass"}


def test_weaknesses_have_their_days(account: AwsEmulator) -> None:
    def finding(name: str, severity: str, days: int) -> dict[str, Any]:
        at = NOW - timedelta(days=days)
        times = {"firstObservedAt": at, "lastObservedAt": at}
        kind = {"type": "PACKAGE_VULNERABILITY", "status": "ACTIVE", "description": "x", "title": name}
        where = {"resources": [{"type": "AWS_EC2_INSTANCE", "id": "i-1"}], "remediation": {}}
        return {"findingArn": name, "awsAccountId": ACCOUNT, "severity": severity, **times, **kind, **where}

    page = {
        "findings": [
            finding("new", "CRITICAL", 15),
            finding("old", "CRITICAL", 16),
            finding("high", "HIGH", 30),
            finding("late", "HIGH", 31),
        ]
    }
    check = "inspector2.finding.within_sla"
    seen = told(looked(account, [check], as_of=NOW, stub=stubbed("inspector2", ("list_findings", page))))[check]
    assert seen == {"new": "pass", "old": "fail", "high": "pass", "late": "fail"}
    assert look(account, [check])[check] == {place(HOME): "not_applicable"}


def test_access_from_outside_is_analysed_and_settled(account: AwsEmulator) -> None:
    def analyzer(name: str, kind: str) -> dict[str, Any]:
        return {"arn": name, "name": name, "type": kind, "createdAt": NOW, "status": "ACTIVE"}

    def seen(kind: str, days: int) -> dict[str, dict[str, str]]:
        at = NOW - timedelta(days=days)
        finding = {
            "id": "f1", "createdAt": at, "analyzedAt": at, "updatedAt": at, "resource": "arn:aws:s3:::open",
            "resourceType": "AWS::S3::Bucket", "resourceOwnerAccount": ACCOUNT, "status": "ACTIVE",
        }  # fmt: skip
        stub = stubbed(
            "accessanalyzer",
            ("list_analyzers", {"analyzers": [analyzer("a1", kind)]}),
            ("list_findings_v2", {"findings": [finding]}),
        )
        checks = ["accessanalyzer.analyzer.enabled", "accessanalyzer.finding.none_active"]
        return told(looked(account, checks, as_of=NOW, stub=stub))

    def both(on: str, settled: str) -> dict[str, dict[str, str]]:
        return {
            "accessanalyzer.analyzer.enabled": {place(HOME): on},
            "accessanalyzer.finding.none_active": {"a1": settled},
        }

    assert seen("ACCOUNT", 30) == both("pass", "pass")
    assert seen("ORGANIZATION", 31) == both("pass", "fail")
    assert seen("ACCOUNT_UNUSED_ACCESS", 31) == both("fail", "not_applicable")


def test_the_security_contact_is_judged_and_not_kept(account: AwsEmulator) -> None:
    check = "account.contact.security_set"
    assert look(account, [check])[check] == {ROOT: "fail"}
    account.client("account").put_alternate_contact(
        AlternateContactType="SECURITY",
        Name="Rosa Quill",
        Title="CISO",
        EmailAddress="rosa.quill@example.org",
        PhoneNumber="+15550100",
    )
    scan = looked(account, [check])
    assert told(scan)[check] == {ROOT: "pass"}
    kept = str([seen.content for collection in scan.collections for seen in collection.evidence])
    assert "rosa" not in kept.lower()
    assert "5550100" not in kept


def test_guardrails_need_an_organisation_and_a_policy_of_its_own(account: AwsEmulator) -> None:
    check = "organizations.account.member_with_scp"
    assert look(account, [check])[check] == {ROOT: "fail"}
    organizations = account.client("organizations")
    organizations.create_organization(FeatureSet="ALL")
    assert look(account, [check])[check] == {ROOT: "fail"}
    content = json.dumps({"Version": "2012-10-17", "Statement": []})
    organizations.create_policy(Content=content, Description="x", Name="guard", Type="SERVICE_CONTROL_POLICY")
    assert look(account, [check])[check] == {ROOT: "pass"}
    account.deny("organizations:ListPolicies")
    assert look(account, [check])[check] == {ROOT: "unknown"}
