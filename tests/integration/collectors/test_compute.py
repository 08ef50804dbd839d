"""What a scan says about functions, clusters, images, builds, notebooks and workflows that were really made."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from auditor.collectors.aws._client import AwsCaller
from auditor.collectors.aws.lambda_functions import function
from auditor.collectors.pace import BURST, RATE, LocalBucket
from auditor.domain.document import as_json
from auditor.domain.source import Place
from auditor.pipeline.collect import collect
from auditor.pipeline.scan import Scan
from auditor.proof.judge import judge
from auditor.simulators.aws import ACCOUNT, AwsEmulator
from tests.integration.collectors.looking import check, looked

REGION = "us-east-1"
AT = datetime(2026, 6, 30, tzinfo=UTC)
"""The day of judging: support of versions ends by the calendar."""

ASSUMED = json.dumps({"Statement": [{"Effect": "Allow", "Principal": {"Service": "x"}, "Action": "sts:AssumeRole"}]})
SECRET = "correct-horse"
CHECKS = (
    "lambda.function.not_public",
    "lambda.function.runtime_supported",
    "lambda.function.no_secrets_in_env",
    "lambda.function.dead_letter_set",
    "eks.cluster.endpoint_restricted",
    "eks.cluster.secrets_encrypted",
    "eks.cluster.control_plane_logged",
    "eks.cluster.version_supported",
    "ecr.repository.scan_on_push",
    "ecr.repository.tags_immutable",
    "ecr.repository.not_public",
    "codebuild.project.no_secrets_in_env",
    "sagemaker.notebook.encrypted",
    "sagemaker.notebook.private",
    "emr.account.public_access_blocked",
    "stepfunctions.state_machine.logged",
    "ecs.task_definition.not_privileged",
    "ecs.task_definition.no_secrets_in_env",
    "ecs.task_definition.logged",
    "ecs.service.no_public_ip",
)


def arn(service: str, rest: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}"


@pytest.fixture(scope="module")
def account() -> Iterator[AwsEmulator]:
    with AwsEmulator() as emulator:
        role = emulator.client("iam").create_role(RoleName="worker", AssumeRolePolicyDocument=ASSUMED)["Role"]["Arn"]
        make_functions(emulator, role)
        make_clusters(emulator, role)
        make_repositories(emulator)
        make_projects(emulator, role)
        make_notebooks(emulator, role)
        make_state_machines(emulator, role)
        make_services(emulator)
        yield emulator


@pytest.fixture(scope="module")
def seen(account: AwsEmulator) -> Scan:
    return looked(account, CHECKS, as_of=AT)


@pytest.fixture(scope="module")
def told(seen: Scan) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for verdict in seen.verdicts:
        found.setdefault(verdict.check, {})[verdict.resource] = verdict.verdict
    return found


def make_functions(emulator: AwsEmulator, role: str) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("main.py", "def handle(event, context): return 1\n")
    client = emulator.client("lambda")
    for name, runtime, variables in (
        ("intake", "python3.13", {"MODE": "fast", "DB_SECRET": arn("secretsmanager", "secret:db")}),
        ("export", "nodejs18.x", {"DB_PASSWORD": SECRET}),
        ("future", "nodejs26.x", {}),
    ):
        client.create_function(
            FunctionName=name,
            Runtime=runtime,
            Role=role,
            Handler="main.handle",
            Code={"ZipFile": packed.getvalue()},
            Environment={"Variables": variables},
        )
    client.add_permission(FunctionName="export", StatementId="ForAll", Action="lambda:InvokeFunction", Principal="*")
    client.put_function_event_invoke_config(
        FunctionName="intake", DestinationConfig={"OnFailure": {"Destination": arn("sqs", "failed")}}
    )


def make_clusters(emulator: AwsEmulator, role: str) -> None:
    client = emulator.client("eks")
    subnets = ["subnet-1", "subnet-2"]
    logs = {"clusterLogging": [{"types": ["api", "audit", "authenticator"], "enabled": True}]}
    client.create_cluster(
        name="clinic",
        version="1.34",
        roleArn=role,
        resourcesVpcConfig={
            "subnetIds": subnets,
            "endpointPublicAccess": True,
            "publicAccessCidrs": ["203.0.113.0/24"],
        },
        logging=logs,
        encryptionConfig=[{"resources": ["secrets"], "provider": {"keyArn": arn("kms", "key/k-1")}}],
    )
    client.create_cluster(
        name="lab",
        version="1.31",
        roleArn=role,
        resourcesVpcConfig={
            "subnetIds": subnets,
            "endpointPublicAccess": True,
            "publicAccessCidrs": ["0.0.0.0/1", "128.0.0.0/1"],
        },
    )
    client.create_cluster(
        name="tomorrow",
        version="1.99",
        roleArn=role,
        resourcesVpcConfig={"subnetIds": subnets, "endpointPublicAccess": False, "endpointPrivateAccess": True},
    )


def make_repositories(emulator: AwsEmulator) -> None:
    client = emulator.client("ecr")
    client.create_repository(repositoryName="clinic/web", imageTagMutability="IMMUTABLE")
    client.create_repository(repositoryName="lab/tools", imageTagMutability="MUTABLE")
    statement = {"Sid": "Pull", "Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}
    client.set_repository_policy(repositoryName="lab/tools", policyText=json.dumps({"Statement": [statement]}))
    rule = {"scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": [{"filter": "clinic/*", "filterType": "WILDCARD"}]}
    client.put_registry_scanning_configuration(scanType="BASIC", rules=[rule])


def make_projects(emulator: AwsEmulator, role: str) -> None:
    client = emulator.client("codebuild")
    for name, variable in (
        ("site", {"name": "API_TOKEN", "value": "site/token", "type": "SECRETS_MANAGER"}),
        ("release", {"name": "API_TOKEN", "value": SECRET, "type": "PLAINTEXT"}),
    ):
        client.create_project(
            name=name,
            source={"type": "S3", "location": "sources/site.zip"},
            artifacts={"type": "NO_ARTIFACTS"},
            environment={
                "type": "LINUX_CONTAINER",
                "image": "aws/codebuild/standard:7.0",
                "computeType": "BUILD_GENERAL1_SMALL",
                "environmentVariables": [variable],
            },
            serviceRole=role,
        )


def make_notebooks(emulator: AwsEmulator, role: str) -> None:
    client = emulator.client("sagemaker")
    settings = {"InstanceType": "ml.t3.medium", "RoleArn": role}
    client.create_notebook_instance(
        NotebookInstanceName="study",
        KmsKeyId="k-1",
        SubnetId="subnet-1",
        DirectInternetAccess="Disabled",
        **settings,
    )
    client.create_notebook_instance(NotebookInstanceName="trial", **settings)


def make_state_machines(emulator: AwsEmulator, role: str) -> None:
    client = emulator.client("stepfunctions")
    definition = json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}})
    group = {"cloudWatchLogsLogGroup": {"logGroupArn": arn("logs", "log-group:/claims:*")}}
    client.create_state_machine(
        name="claims",
        definition=definition,
        roleArn=role,
        loggingConfiguration={"level": "ALL", "destinations": [group]},
    )
    client.create_state_machine(name="cleanup", definition=definition, roleArn=role)


def make_services(emulator: AwsEmulator) -> None:
    client = emulator.client("ecs")
    ec2 = emulator.client("ec2")
    place = {
        "subnets": [ec2.describe_subnets()["Subnets"][0]["SubnetId"]],
        "securityGroups": [ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]],
    }
    logs = {"logDriver": "awslogs", "options": {"awslogs-group": "/web"}}
    tidy = {"name": "web", "image": "web:1", "memory": 64, "logConfiguration": logs}
    leaky = {**tidy, "privileged": True, "environment": [{"name": "DB_PASSWORD", "value": SECRET}]}
    bare = {name: value for name, value in leaky.items() if name != "logConfiguration"}
    for family, container in (("web", leaky), ("web", tidy), ("batch", bare)):
        client.register_task_definition(family=family, networkMode="awsvpc", containerDefinitions=[container])
    for cluster, prefix in (("clinic", "web"), ("lab", "batch")):
        client.create_cluster(clusterName=cluster)
        for number in range(11):
            network = {**place, "assignPublicIp": "ENABLED" if number == 10 else "DISABLED"}
            client.create_service(
                cluster=cluster,
                serviceName=f"{prefix}-{number}",
                taskDefinition=prefix,
                desiredCount=0,
                networkConfiguration={"awsvpcConfiguration": network},
            )


def test_only_revisions_that_a_service_uses_are_judged(told: dict[str, dict[str, str]]) -> None:
    web, batch = arn("ecs", "task-definition/web:2"), arn("ecs", "task-definition/batch:1")
    for name in ("not_privileged", "no_secrets_in_env", "logged"):
        assert told[f"ecs.task_definition.{name}"] == {web: "pass", batch: "fail"}, name


def test_services_of_every_cluster_are_judged(account: AwsEmulator, told: dict[str, dict[str, str]]) -> None:
    verdicts = told["ecs.service.no_public_ip"]
    assert len(verdicts) == 22
    bad = {name for name, verdict in verdicts.items() if verdict == "fail"}
    assert bad == {arn("ecs", "service/clinic/web-10"), arn("ecs", "service/lab/batch-10")}
    account.reset_counts()
    looked(account, ("ecs.service.no_public_ip", "ecs.task_definition.logged"), as_of=AT)
    counts = account.counts()
    assert {name: counts[f"ecs:{name}"] for name in ("ListClusters", "DescribeServices", "DescribeTaskDefinition")} == {
        "ListClusters": 1,
        "DescribeServices": 4,
        "DescribeTaskDefinition": 2,
    }


def test_services_that_may_not_be_listed_leave_their_checks_unknown(account: AwsEmulator) -> None:
    account.deny("ecs:ListServices")
    try:
        blind = looked(account, ("ecs.service.no_public_ip",), as_of=AT)
    finally:
        account.clear_faults()
    assert {verdict.verdict for verdict in blind.verdicts} == {"unknown"}
    assert "ecs:ListServices" in next(iter(blind.verdicts)).reason


def test_functions(told: dict[str, dict[str, str]]) -> None:
    intake, export, future = (arn("lambda", f"function:{name}") for name in ("intake", "export", "future"))
    assert told["lambda.function.runtime_supported"] == {intake: "pass", export: "fail", future: "unknown"}
    assert told["lambda.function.no_secrets_in_env"] == {intake: "pass", export: "fail", future: "pass"}
    assert told["lambda.function.dead_letter_set"] == {intake: "pass", export: "fail", future: "fail"}


def test_an_open_policy_fails_though_addresses_cannot_be_read_here(told: dict[str, dict[str, str]]) -> None:
    """The emulator lacks the operation, so functions with a closed policy stay open questions."""
    intake, export, future = (arn("lambda", f"function:{name}") for name in ("intake", "export", "future"))
    assert told["lambda.function.not_public"] == {intake: "unknown", export: "fail", future: "unknown"}


def test_clusters(told: dict[str, dict[str, str]]) -> None:
    clinic, lab, tomorrow = (arn("eks", f"cluster/{name}") for name in ("clinic", "lab", "tomorrow"))
    assert told["eks.cluster.endpoint_restricted"] == {clinic: "pass", lab: "fail", tomorrow: "pass"}
    assert told["eks.cluster.secrets_encrypted"] == {clinic: "pass", lab: "fail", tomorrow: "fail"}
    assert told["eks.cluster.control_plane_logged"] == {clinic: "pass", lab: "fail", tomorrow: "fail"}
    assert told["eks.cluster.version_supported"] == {clinic: "pass", lab: "fail", tomorrow: "unknown"}


def test_repositories(told: dict[str, dict[str, str]]) -> None:
    web, tools = arn("ecr", "repository/clinic/web"), arn("ecr", "repository/lab/tools")
    for name in ("scan_on_push", "tags_immutable", "not_public"):
        assert told[f"ecr.repository.{name}"] == {web: "pass", tools: "fail"}, name


def test_projects(told: dict[str, dict[str, str]]) -> None:
    site, release = arn("codebuild", "project/site"), arn("codebuild", "project/release")
    assert told["codebuild.project.no_secrets_in_env"] == {site: "pass", release: "fail"}


def test_notebooks(told: dict[str, dict[str, str]]) -> None:
    study, trial = (arn("sagemaker", f"notebook-instance/{name}") for name in ("study", "trial"))
    assert told["sagemaker.notebook.encrypted"] == {study: "pass", trial: "fail"}
    assert told["sagemaker.notebook.private"] == {study: "pass", trial: "fail"}


def test_state_machines(told: dict[str, dict[str, str]]) -> None:
    claims, cleanup = arn("states", "stateMachine:claims"), arn("states", "stateMachine:cleanup")
    assert told["stepfunctions.state_machine.logged"] == {claims: "pass", cleanup: "fail"}


def test_the_block_on_public_emr_clusters_lets_one_port_through(account: AwsEmulator) -> None:
    """The emulator cannot be told to switch the block off, and keeps one block for all regions."""
    ssh, console = {"MinRange": 22, "MaxRange": 22}, {"MinRange": 8443, "MaxRange": 8443}
    for let_through, verdict in (([ssh], "pass"), ([ssh, console], "fail")):
        account.client("emr").put_block_public_access_configuration(
            BlockPublicAccessConfiguration={
                "BlockPublicSecurityGroupRules": True,
                "PermittedPublicSecurityGroupRuleRanges": let_through,
            }
        )
        again = looked(account, ("emr.account.public_access_blocked",), ("us-east-1", "eu-west-1"), as_of=AT)
        assert {each.region: each.verdict for each in again.verdicts} == {"us-east-1": verdict, "eu-west-1": verdict}


def test_no_value_of_a_variable_is_kept(seen: Scan) -> None:
    kept = json.dumps([each.content for collection in seen.collections for each in collection.evidence], default=str)
    assert "DB_PASSWORD" in kept
    assert SECRET not in kept


class _Session:
    """A session whose one client answers from a script."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def create_client(self, *_: object, **__: object) -> Any:
        return self._client


@pytest.mark.parametrize(("sign_in", "verdict"), [("AWS_IAM", "pass"), ("NONE", "fail")])
def test_an_address_without_sign_in_opens_a_function_with_a_closed_policy(sign_in: str, verdict: str) -> None:
    intake = arn("lambda", "function:intake")
    client = boto3.client("lambda", REGION, aws_access_key_id="x", aws_secret_access_key="x")
    address = {
        "FunctionUrl": "https://intakeintakeintake.lambda-url.us-east-1.on.aws/",
        "FunctionArn": intake,
        "CreationTime": "2026-01-01T00:00:00Z",
        "LastModifiedTime": "2026-01-01T00:00:00Z",
        "AuthType": sign_in,
    }
    with Stubber(client) as script:
        script.add_response("list_functions", {"Functions": [{"FunctionName": "intake", "FunctionArn": intake}]})
        script.add_client_error("get_policy", "ResourceNotFoundException", http_status_code=404)
        script.add_response("list_function_url_configs", {"FunctionUrlConfigs": [address]})
        script.add_response("list_function_event_invoke_configs", {"FunctionEventInvokeConfigs": []})
        caller = AwsCaller(
            _Session(client),
            account=ACCOUNT,
            identity=f"arn:aws:iam::{ACCOUNT}:role/auditor",
            endpoint_url=None,
            threads=1,
            bucket=LocalBucket(RATE, BURST),
        )
        with ThreadPoolExecutor(1) as pool:
            found = collect(Place(ACCOUNT, REGION, "aws"), [function], caller, pool=pool, clock=lambda: AT)
        script.assert_no_pending_responses()
    (one,) = found.evidence
    document = as_json(function.describe(one.content))
    assert judge(check("lambda.function.not_public").compiled, document, as_of=AT).verdict == verdict
