"""``auditor scan aws`` as its user runs it: the command, against an account that answers over HTTP."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from auditor.collectors.aws._permissions import actions
from auditor.simulators.actions import action_of
from auditor.simulators.aws import AwsEmulator

REGIONS = ("--region", "us-east-1", "--region", "eu-central-1")
ROOT = "arn:aws:iam::123456789012:root"


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    def verdicts(self, check: str) -> dict[str, str]:
        return {row["resource"]: row["verdict"] for row in self.rows if row["check"] == check}


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


def scan(account: AwsEmulator, *arguments: str, regions: tuple[str, ...] = REGIONS) -> Outcome:
    done = subprocess.run(
        [sys.executable, "-m", "auditor.cli", "scan", "aws", *regions, *arguments],
        env={**os.environ, **account.environment()},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def bucket(account: AwsEmulator, name: str) -> str:
    account.client("s3").create_bucket(Bucket=name)
    return f"arn:aws:s3:::{name}"


def test_a_lost_permission_makes_every_bucket_unknown_and_names_the_action(account: AwsEmulator) -> None:
    names = {bucket(account, "charts"), bucket(account, "invoices")}
    account.deny("s3:GetEncryptionConfiguration")
    seen = scan(account, "--service", "s3", "--format", "ndjson", "--fail-on", "critical")
    rows = [row for row in seen.rows if row["check"] == "s3.bucket.encrypted_kms"]
    assert {row["resource"]: row["verdict"] for row in rows} == dict.fromkeys(names, "unknown")
    assert all("s3:GetEncryptionConfiguration" in row["reason"] for row in rows)
    assert seen.code == 4
    assert scan(account, "--service", "s3", "--format", "ndjson", "--allow-partial").code == 0
    table = scan(account, "--service", "s3")
    assert "would be shown by: s3:GetEncryptionConfiguration" in table.out
    account.clear_faults()
    assert (
        "unknown"
        not in scan(account, "--service", "s3", "--format", "ndjson").verdicts("s3.bucket.encrypted_kms").values()
    )


def test_an_account_whose_buckets_may_not_be_listed_has_one_unknown_line_per_bucket_check(account: AwsEmulator) -> None:
    bucket(account, "charts")
    account.deny("s3:ListAllMyBuckets")
    seen = scan(account, "--service", "s3", "--format", "ndjson")
    checks = {row["check"] for row in seen.rows if row["check"].startswith("s3.bucket.")}
    assert len(checks) == 10
    assert {row["resource"] for row in seen.rows if row["check"] in checks} == {ROOT}
    assert {row["verdict"] for row in seen.rows if row["check"] in checks} == {"unknown"}
    assert seen.code == 4


def test_an_empty_account_fails_where_something_must_be_there_and_does_not_apply_elsewhere(
    account: AwsEmulator,
) -> None:
    seen = scan(account, "--format", "ndjson")
    assert seen.verdicts("cloudtrail.trail.multi_region") == {ROOT: "fail"}
    assert set(seen.verdicts("vpc.vpc.flow_logs_enabled").values()) <= {"fail", "not_applicable"}
    for check in {row["check"] for row in seen.rows if row["check"].startswith("s3.bucket.")}:
        assert seen.verdicts(check) == {ROOT: "not_applicable"}
    assert seen.verdicts("ec2.volume.encrypted") == {
        "123456789012/us-east-1": "not_applicable",
        "123456789012/eu-central-1": "not_applicable",
    }
    table = scan(account, "--service", "s3", "--framework", "hipaa")
    assert "0 holding" in table.out, "no requirement turns green because there is nothing"


def test_every_check_leaves_a_line_in_every_place_even_when_all_is_denied(account: AwsEmulator) -> None:
    whole = {row["check"] for row in scan(account, "--format", "ndjson").rows}
    for action in actions():
        account.deny(action)
    blind = scan(account, "--format", "ndjson")
    assert {row["check"] for row in blind.rows} == whole
    assert {row["verdict"] for row in blind.rows} == {"unknown"}
    assert blind.code == 2


def test_findings_win_over_what_could_not_be_seen(account: AwsEmulator) -> None:
    bucket(account, "charts")
    account.deny("s3:GetEncryptionConfiguration")
    assert scan(account, "--service", "s3", "--fail-on", "high").code == 1
    assert scan(account, "--service", "s3", "--fail-on", "high", "--allow-partial").code == 1


def test_usage_errors_leave_with_three_and_say_what_there_is(account: AwsEmulator) -> None:
    for arguments in (("--fail-on", "terrible"), ("--service", "s4"), ("--framework", "hippa"), ("--nonsense",)):
        seen = scan(account, *arguments)
        assert seen.code == 3, arguments
    assert "hipaa, soc2" in scan(account, "--framework", "hippa").err


def test_refused_credentials_mean_that_nothing_was_seen(account: AwsEmulator) -> None:
    account.deny("sts:GetCallerIdentity")
    seen = scan(account)
    assert seen.code == 2
    assert "aws sts get-caller-identity" in seen.err
    assert "Traceback" not in seen.err


def test_every_format_tells_the_same_rows(account: AwsEmulator, tmp_path: Path) -> None:
    bucket(account, "charts")
    lines = {
        (r["check"], r["resource"], r["verdict"]) for r in scan(account, "--service", "s3", "--format", "ndjson").rows
    }
    told = json.loads(scan(account, "--service", "s3", "--format", "json").out)
    assert {(r["check"], r["resource"], r["verdict"]) for r in told["verdicts"]} == lines
    assert told["endpoint"], "an answer that did not come from the provider says so"
    file = tmp_path / "scan.csv"
    assert scan(account, "--service", "s3", "--format", "csv", "--out", str(file), "--allow-partial").code == 0
    with file.open(newline="", encoding="utf-8") as source:
        assert {(r["check"], r["resource"], r["verdict"]) for r in csv.DictReader(source)} == lines


def test_an_ndjson_line_has_the_promised_fields(account: AwsEmulator) -> None:
    bucket(account, "charts")
    (line, *_) = [
        r for r in scan(account, "--service", "s3", "--format", "ndjson").rows if r["resource"].endswith("charts")
    ]
    assert list(line) == [
        "check", "control", "title", "resource", "resource_type", "account", "region", "verdict", "severity", "tier",
        "reason", "requirements", "evidence", "observed_at",
    ]  # fmt: skip
    assert set(line["requirements"]) == {"hipaa", "soc2"}
    assert line["account"] == "123456789012"


def test_a_scan_calls_only_what_the_published_policy_allows(account: AwsEmulator) -> None:
    bucket(account, "charts")
    account.reset_counts()
    scan(account)
    needed = {action_of(*name.split(":", 1)) for name in account.counts()}
    assert needed - set(actions()) == {"sts:GetCallerIdentity"}, "who we are needs no permission"


def test_a_name_from_the_cloud_cannot_command_the_terminal(account: AwsEmulator) -> None:
    ec2 = account.client("ec2")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    ec2.create_security_group(GroupName="evil\x1b[2J", Description="x", VpcId=vpc)
    assert "\x1b" not in scan(account, "--service", "ec2").out
