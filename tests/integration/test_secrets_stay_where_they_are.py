"""Secrets are planted wherever the emulated account has room for one; then everything is run, and searched: none may turn up."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from auditor.bootstrap import Installation
from auditor.cli import main
from auditor.simulators.aws import AwsEmulator
from auditor.store.columns import metadata
from auditor.trust.passwords import Passwords
from dashboard.wiring import application
from tests.fixtures.database import Provisioned
from tests.fixtures.pages import PASSWORD, sign_in
from tests.fixtures.spine import Spine, spine

REGION = "eu-central-1"
ROLE = "arn:aws:iam::123456789012:role/run"
TRUST = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "x"}, "Action": "*"}]}
)
PAGES = ("/", "/findings", "/findings.csv", "/findings.json", "/coverage", "/drift", "/webhooks", "/frameworks/hipaa")


def _value(place: str) -> str:
    """What a secret looks like: a word to find it by, and entropy enough to be taken for one."""
    return f"canary{uuid4().hex}{place}"


class Planted:
    """Every secret that went into the account, by where it lies."""

    def __init__(self, emulator: AwsEmulator) -> None:
        self.emulator = emulator
        self.values: dict[str, str] = {}

    def new(self, place: str) -> str:
        return self.values.setdefault(place, _value(place))

    def client(self, service: str) -> Any:
        return self.emulator.client(service, REGION)

    def everywhere(self) -> None:
        for name, plant in vars(type(self)).items():
            if name.startswith("_in_"):
                plant(self)

    def _in_user_data(self) -> None:
        line = f"export DB_PASSWORD={self.new('user-data')}"
        script = f"#!/bin/sh\n{line}\n"
        self.values |= {"user-data line": line, "user-data whole": script}
        self.client("ec2").run_instances(ImageId="ami-0a1b2c3d", MinCount=1, MaxCount=1, UserData=script)
        template = base64.b64encode(f"TOKEN={self.new('template-data')}".encode()).decode()
        self.client("ec2").create_launch_template(
            LaunchTemplateName="leaky", LaunchTemplateData={"UserData": template, "ImageId": "ami-0a1b2c3d"}
        )

    def _in_functions(self) -> None:
        self.emulator.client("iam").create_role(RoleName="run", AssumeRolePolicyDocument=TRUST)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("main.py", f"KEY = '{self.new('code')}'")
        self.client("lambda").create_function(
            FunctionName="leaky",
            Runtime="python3.12",
            Role=ROLE,
            Handler="main.handler",
            Code={"ZipFile": packed.getvalue()},
            Environment={"Variables": {"API_TOKEN": self.new("lambda"), "PLAIN": self.new("lambda-plain")}},
        )

    def _in_containers(self) -> None:
        variables = [
            {"name": "DB_PASSWORD", "value": self.new("ecs")},
            {"name": "NOTE", "value": self.new("ecs-plain")},
        ]
        self.client("ecs").register_task_definition(
            family="leaky",
            containerDefinitions=[
                {
                    "name": "app",
                    "image": "app",
                    "memory": 64,
                    "environment": variables,
                    "command": ["serve", f"--token={self.new('ecs-command')}"],
                    "dockerLabels": {"secret": self.new("ecs-label")},
                }
            ],
        )

    def _in_builds(self) -> None:
        self.client("codebuild").create_project(
            name="leaky",
            source={
                "type": "S3",
                "location": "bucket/key",
                "buildspec": f"env:\n  variables:\n    K: {self.new('buildspec')}",
            },
            artifacts={"type": "NO_ARTIFACTS"},
            environment={
                "type": "LINUX_CONTAINER",
                "image": "build",
                "computeType": "BUILD_GENERAL1_SMALL",
                "environmentVariables": [{"name": "NPM_TOKEN", "value": self.new("codebuild"), "type": "PLAINTEXT"}],
            },
            serviceRole=ROLE,
        )

    def _in_stores_of_secrets(self) -> None:
        for kind in ("String", "SecureString"):
            self.client("ssm").put_parameter(Name=f"/db/password/{kind}", Type=kind, Value=self.new(f"ssm-{kind}"))
        self.client("secretsmanager").create_secret(Name="database", SecretString=self.new("secretsmanager"))

    def _in_stacks(self) -> None:
        template = {
            "Parameters": {"Password": {"Type": "String"}},
            "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
            "Outputs": {"Told": {"Value": self.new("stack-output")}},
        }
        self.client("cloudformation").create_stack(
            StackName="leaky",
            TemplateBody=json.dumps(template),
            Parameters=[{"ParameterKey": "Password", "ParameterValue": self.new("stack-parameter")}],
        )

    def _in_data(self) -> None:
        s3 = self.emulator.client("s3")
        s3.create_bucket(Bucket="records")
        s3.put_object(Bucket="records", Key=f"patients/{self.new('object-name')}", Body=self.new("object").encode())
        self.client("dynamodb").create_table(
            TableName="records",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        self.client("dynamodb").put_item(TableName="records", Item={"id": {"S": self.new("row")}})
        queue = self.client("sqs").create_queue(QueueName="intake")["QueueUrl"]
        self.client("sqs").send_message(QueueUrl=queue, MessageBody=self.new("message"))
        logs = self.client("logs")
        logs.create_log_group(logGroupName="app")
        logs.create_log_stream(logGroupName="app", logStreamName="one")
        at = int(datetime.now(UTC).timestamp() * 1000)
        logs.put_log_events(
            logGroupName="app", logStreamName="one", logEvents=[{"timestamp": at, "message": self.new("log-line")}]
        )

    def _in_passwords(self) -> None:
        self.client("rds").create_db_instance(
            DBInstanceIdentifier="records",
            DBInstanceClass="db.t3.micro",
            Engine="postgres",
            AllocatedStorage=20,
            MasterUsername="app",
            MasterUserPassword=self.new("rds"),
        )
        iam = self.emulator.client("iam")
        iam.create_user(UserName="ana")
        iam.create_login_profile(UserName="ana", Password=self.new("login"))
        self.values["access key"] = iam.create_access_key(UserName="ana")["AccessKey"]["SecretAccessKey"]

    def _in_stages(self) -> None:
        gateway = self.client("apigateway")
        api = gateway.create_rest_api(name="leaky")["id"]
        root = gateway.get_resources(restApiId=api)["items"][0]["id"]
        gateway.put_method(restApiId=api, resourceId=root, httpMethod="GET", authorizationType="NONE")
        gateway.put_integration(restApiId=api, resourceId=root, httpMethod="GET", type="MOCK")
        deployment = gateway.create_deployment(restApiId=api)["id"]
        gateway.create_stage(
            restApiId=api, stageName="v1", deploymentId=deployment, variables={"apiKey": self.new("stage")}
        )


@pytest.fixture
def world(provisioned: Provisioned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Spine]:
    with AwsEmulator() as emulator, spine(provisioned, emulator, tmp_path / "home", datetime.now(UTC)) as made:
        for name, value in emulator.environment().items():
            monkeypatch.setenv(name, value)
        yield made


def in_database(world: Spine) -> Iterator[tuple[str, str]]:
    with world.here.app.under(world.tenant) as connection:
        for table in metadata.tables:
            if connection.scalar(text("SELECT has_table_privilege(:table, 'SELECT')"), {"table": table}):
                yield table, "\n".join(connection.scalars(text(f"SELECT t::text FROM {table} t")))


def in_evidence(world: Spine) -> Iterator[tuple[str, str]]:
    for row in world.rows("SELECT digest FROM evidence"):
        yield f"evidence {row.digest}", world.here.objects.get(world.tenant, row.digest).decode()


def in_files(folder: Path) -> Iterator[tuple[str, str]]:
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        yield str(file.relative_to(folder)), file.read_bytes().decode("latin-1")


def on_pages(here: Installation, world: Spine) -> Iterator[tuple[str, str]]:
    identity = here.identities.add_user(
        uuid4(), email="owner@acme.example", name="Owner", password_hash=Passwords().hash(PASSWORD), now=here.clock()
    )
    with here.open_tenant(world.tenant) as books:
        books.add_member(identity, "owner", now=here.clock())
    client = application(here).test_client()
    assert sign_in(client, "owner@acme.example").status_code == 303
    findings = [
        f"/findings/{row.finding_id}" for row in world.rows("SELECT finding_id FROM finding ORDER BY 1 LIMIT 40")
    ]
    for path in (*PAGES, *findings):
        answer = client.get(path)
        assert answer.status_code in {200, 308}, path
        yield path, answer.get_data(as_text=True)


def scanned(folder: Path, regions: Callable[[], list[str]]) -> Iterator[tuple[str, str]]:
    for form in ("json", "ndjson", "csv", "table"):
        out = folder / f"scan.{form}"
        main(["scan", "aws", *regions(), "--format", form, "--out", str(out), "--allow-partial"])
        yield f"scan as {form}", out.read_text(encoding="utf-8")


def test_no_secret_of_the_account_reaches_database_files_logs_exports_or_pages(
    world: Spine, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    planted = Planted(world.emulator)
    planted.everywhere()
    assert len(planted.values) > 20
    run = world.run()
    assert run.counts["fail"] > 0
    leaky = world.findings("ec2.instance.no_secrets_in_user_data")
    assert "fail" in leaky.values(), "the scan for secrets saw what was planted"
    fingerprint, evidence = world.here.fingerprint(world.tenant), [shown for _, shown in in_evidence(world)]
    for place in ("lambda", "lambda-plain", "codebuild", "user-data line", "user-data whole"):
        fp = fingerprint(hashlib.sha256(planted.values[place].encode()).digest())
        assert any(fp in shown for shown in evidence), f"a mark stands for what was planted: {place}"
    told = [
        *in_database(world),
        *in_evidence(world),
        *in_files(tmp_path / "home"),
        *on_pages(world.here, world),
        *scanned(tmp_path, lambda: ["--region", REGION]),
    ]
    written = capfd.readouterr()
    told += [("standard output", written.out), ("standard error", written.err)]
    for name in ("leaky", "records"):  # what is no secret is found by the same search
        places = {where.partition(" ")[0] for where, shown in told if name in shown}
        assert {"resource", "evidence", "/findings", "scan"} <= places, name
    found = [
        (place, where)
        for place, value in planted.values.items()
        for where, shown in told
        if any(form in shown for form in _forms(value))
    ]
    assert found == []


def _forms(value: str) -> tuple[str, ...]:
    """As it is, as base64 would carry it, whatever stands before it, and as a digest without a key, by which it can be guessed."""
    encoded = {base64.b64encode(b"x" * shift + value.encode()).decode()[4:-4] for shift in range(3)}
    hashed = hashlib.sha256(value.encode()).digest()
    unkeyed = (hashed[:8].hex(), base64.b64encode(hashed).decode()[:16], hashed.decode("latin-1"))
    return (value, *sorted(encoded), *unkeyed)
