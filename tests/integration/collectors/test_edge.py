"""What faces the internet, as an emulated account shows it: load balancers, distributions, APIs, certificates and groups."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from auditor.simulators.aws import AwsEmulator
from tests.integration.collectors.looking import Told, look

PLACE = "123456789012/us-east-1"
POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06"
REDIRECT = {"Type": "redirect", "RedirectConfig": {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}}
ASKED = {
    "elbv2.listener": "tls_only tls_policy",
    "elbv2.load_balancer": "access_logged deletion_protected drops_bad_headers waf_attached",
    "elb.load_balancer": "tls_only access_logged",
    "wafv2.web_acl": "logged",
    "wafv2.cloudfront_web_acl": "logged",
    "acm.certificate": "not_expiring",
    "cloudfront.distribution": "https_only tls_version logged waf_attached origin_access_control",
    "apigateway.stage": "logged",
    "apigateway.method": "authorised",
    "apigatewayv2.stage": "logged",
    "autoscaling.group": "multi_az elb_health_check",
    "transfer.server": "no_plain_ftp",
}
CHECKS = tuple(f"{kind}.{claim}" for kind, claims in ASKED.items() for claim in claims.split())


@pytest.fixture(scope="module")
def started() -> Iterator[AwsEmulator]:
    with AwsEmulator() as emulator:
        yield emulator


@pytest.fixture(scope="module")
def made(started: AwsEmulator) -> dict[str, str]:
    """The account's resources by the name that the tests use."""
    return {
        **balancers(started),
        **classic_balancers(started),
        **distributions(started),
        **rest_apis(started),
        **http_apis(started),
        **groups(started),
        **servers(started),
    }


@pytest.fixture(scope="module")
def told(started: AwsEmulator, made: dict[str, str]) -> Told:
    assert made, "the account is filled before it is looked at"
    return look(started, CHECKS)


def subnets(account: AwsEmulator) -> list[str]:
    found = account.client("ec2").describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
    return [subnet["SubnetId"] for subnet in found[:2]]


def balancers(account: AwsEmulator) -> dict[str, str]:
    elbv2, waf = account.client("elbv2"), account.client("wafv2")

    def made(name: str, kind: str = "application", scheme: str = "internet-facing") -> str:
        arn: str = elbv2.create_load_balancer(Name=name, Subnets=subnets(account), Type=kind, Scheme=scheme)[
            "LoadBalancers"
        ][0]["LoadBalancerArn"]
        return arn

    long, short = (imported(account, days) for days in (300, 10))
    good, bad, turned, net = made("good"), made("bad"), made("turned"), made("net", kind="network")
    inner = made("inner", scheme="internal")
    vpc = account.client("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
    targets = elbv2.create_target_group(Name="app", Protocol="HTTP", Port=80, VpcId=vpc)["TargetGroups"][0]
    forward = {"Type": "forward", "TargetGroupArn": targets["TargetGroupArn"]}

    def listener(
        arn: str, protocol: str, port: int, action: dict[str, Any] = forward, policy: str = "", certificate: str = ""
    ) -> str:
        tls = {"SslPolicy": policy, "Certificates": [{"CertificateArn": certificate}]} if policy else {}
        made = elbv2.create_listener(LoadBalancerArn=arn, Protocol=protocol, Port=port, DefaultActions=[action], **tls)
        told: str = made["Listeners"][0]["ListenerArn"]
        return told

    listeners = {
        "good:443": listener(good, "HTTPS", 443, policy=POLICY, certificate=long),
        "bad:80": listener(bad, "HTTP", 80),
        "bad:443": listener(bad, "HTTPS", 443, policy="ELBSecurityPolicy-2016-08", certificate=short),
        "turned:80": listener(turned, "HTTP", 80, REDIRECT),
        "turned:8080": listener(turned, "HTTP", 8080, REDIRECT),
        "net:5432": listener(net, "TCP", 5432),
    }
    path = {"Field": "path-pattern", "Values": ["/health"]}
    elbv2.create_rule(ListenerArn=listeners["turned:8080"], Conditions=[path], Priority=1, Actions=[forward])
    account.client("s3").create_bucket(Bucket="edge-logs")
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::edge-logs/*"}
    account.client("s3").put_bucket_policy(
        Bucket="edge-logs", Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )
    switched = {
        "deletion_protection.enabled": "true",
        "routing.http.drop_invalid_header_fields.enabled": "true",
        "access_logs.s3.enabled": "true",
        "access_logs.s3.bucket": "edge-logs",
    }
    elbv2.modify_load_balancer_attributes(
        LoadBalancerArn=good, Attributes=[{"Key": key, "Value": value} for key, value in switched.items()]
    )

    # AWS tells every attribute; the emulator only those that were set.
    off = [{"Key": key, "Value": "false"} for key in switched if key.endswith("enabled")]
    elbv2.modify_load_balancer_attributes(LoadBalancerArn=bad, Attributes=off)

    def acl(name: str, scope: str) -> str:
        watched = {"SampledRequestsEnabled": False, "CloudWatchMetricsEnabled": False, "MetricName": name}
        arn: str = waf.create_web_acl(Name=name, Scope=scope, DefaultAction={"Allow": {}}, VisibilityConfig=watched)[
            "Summary"
        ]["ARN"]
        return arn

    quiet, loud = acl("quiet", "REGIONAL"), acl("loud", "REGIONAL")
    logging = {"ResourceArn": loud, "LogDestinationConfigs": ["arn:aws:s3:::aws-waf-logs-edge"]}
    waf.put_logging_configuration(LoggingConfiguration=logging)
    waf.associate_web_acl(WebACLArn=loud, ResourceArn=good)
    return {
        **listeners,
        "good": good,
        "bad": bad,
        "net": net,
        "inner": inner,
        "quiet": quiet,
        "loud": loud,
        "long": long,
        "short": short,
        "unused": imported(account, 5),
        "front": acl("front", "CLOUDFRONT"),
    }


def imported(account: AwsEmulator, days: int) -> str:
    """A certificate that ends in so many days."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"in-{days}.example.com")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    arn: str = account.client("acm").import_certificate(
        Certificate=signed.public_bytes(Encoding.PEM), PrivateKey=secret
    )["CertificateArn"]
    return arn


def classic_balancers(account: AwsEmulator) -> dict[str, str]:
    elb = account.client("elb")
    certificate = "arn:aws:iam::123456789012:server-certificate/edge"
    for name, protocol, port in (("classic-good", "HTTPS", 443), ("classic-bad", "HTTP", 80)):
        tls = {"SSLCertificateId": certificate} if protocol == "HTTPS" else {}
        listener = {"Protocol": protocol, "LoadBalancerPort": port, "InstancePort": 80, "InstanceProtocol": "HTTP"}
        elb.create_load_balancer(
            LoadBalancerName=name, Listeners=[{**listener, **tls}], AvailabilityZones=["us-east-1a"]
        )
    elb.modify_load_balancer_attributes(
        LoadBalancerName="classic-good",
        LoadBalancerAttributes={"AccessLog": {"Enabled": True, "S3BucketName": "edge-logs", "EmitInterval": 60}},
    )
    place = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer"
    return {name: f"{place}/{name}" for name in ("classic-good", "classic-bad")}


def distributions(account: AwsEmulator) -> dict[str, str]:
    cloudfront = account.client("cloudfront")

    def made(name: str, *, careful: bool) -> str:
        identity = "origin-access-identity/cloudfront/E1" if careful else ""
        origin = {
            "Id": "bucket",
            "DomainName": f"{name}.s3.amazonaws.com",
            "S3OriginConfig": {"OriginAccessIdentity": identity},
        }
        behaviour = {
            "TargetOriginId": "bucket",
            "ViewerProtocolPolicy": "redirect-to-https" if careful else "allow-all",
            "MinTTL": 0,
            "ForwardedValues": {"QueryString": False, "Cookies": {"Forward": "none"}},
        }
        own = {
            "CloudFrontDefaultCertificate": False,
            "ACMCertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/edge",
            "SSLSupportMethod": "sni-only",
        }
        config = {
            "CallerReference": name,
            "Comment": "",
            "Enabled": True,
            "Origins": {"Quantity": 1, "Items": [origin]},
            "DefaultCacheBehavior": behaviour,
            "WebACLId": "arn:aws:wafv2:us-east-1:123456789012:global/webacl/front/1" if careful else "",
            "Logging": {"Enabled": careful, "IncludeCookies": False, "Bucket": "edge-logs", "Prefix": ""},
        }
        if careful:
            config["ViewerCertificate"] = {**own, "MinimumProtocolVersion": "TLSv1.2_2021"}
        arn: str = cloudfront.create_distribution(DistributionConfig=config)["Distribution"]["ARN"]
        return arn

    delivered = made("delivered", careful=False)
    logs = account.client("logs")
    logs.put_delivery_source(name="edge", resourceArn=delivered, logType="ACCESS_LOGS")
    target = logs.put_delivery_destination(
        name="edge", deliveryDestinationConfiguration={"destinationResourceArn": "arn:aws:s3:::edge-logs"}
    )["deliveryDestination"]["arn"]
    logs.create_delivery(deliverySourceName="edge", deliveryDestinationArn=target)
    return {
        "careful": made("careful", careful=True),
        "careless": made("careless", careful=False),
        "delivered": delivered,
    }


def rest_apis(account: AwsEmulator) -> dict[str, str]:
    gateway = account.client("apigateway")

    def made(name: str, authorization: str, settings: list[dict[str, str]]) -> str:
        api: str = gateway.create_rest_api(name=name)["id"]
        root = gateway.get_resources(restApiId=api)["items"][0]["id"]
        for verb, asked in (("GET", authorization), ("OPTIONS", "NONE")):
            told = {"restApiId": api, "resourceId": root, "httpMethod": verb}
            gateway.put_method(**told, authorizationType=asked)
            gateway.put_integration(**told, type="MOCK")
        deployment = gateway.create_deployment(restApiId=api)["id"]
        gateway.create_stage(restApiId=api, stageName="prod", deploymentId=deployment)
        if settings:
            gateway.update_stage(restApiId=api, stageName="prod", patchOperations=settings)
        return f"arn:aws:apigateway:us-east-1::/restapis/{api}"

    level = [{"op": "replace", "path": "/*/*/logging/loglevel", "value": "INFO"}]
    apis = {
        "signed": made("signed", "AWS_IAM", level),
        "open": made("open", "NONE", []),
        "bare": f"arn:aws:apigateway:us-east-1::/restapis/{gateway.create_rest_api(name='bare')['id']}",
    }
    for name in ("signed", "open"):
        api = apis[name].rpartition("/")[2]
        root = gateway.get_resources(restApiId=api)["items"][0]["id"]
        apis[f"{name} GET"] = f"{apis[name]}/resources/{root}/methods/GET"
    return apis


def http_apis(account: AwsEmulator) -> dict[str, str]:
    gateway = account.client("apigatewayv2")
    group = "arn:aws:logs:us-east-1:123456789012:log-group:calls"
    made = {}
    for name, settings in (("recorded", {"AccessLogSettings": {"DestinationArn": group}}), ("silent", {})):
        api = gateway.create_api(Name=name, ProtocolType="HTTP")["ApiId"]
        gateway.create_stage(ApiId=api, StageName="live", **settings)
        made[name] = f"arn:aws:apigateway:us-east-1::/apis/{api}"
    return made


def groups(account: AwsEmulator) -> dict[str, str]:
    scaling = account.client("autoscaling")
    scaling.create_launch_configuration(LaunchConfigurationName="app", ImageId="ami-12345678", InstanceType="t3.micro")
    common = {"LaunchConfigurationName": "app", "MinSize": 0, "MaxSize": 1, "DesiredCapacity": 0}
    balanced = {"LoadBalancerNames": ["classic-good"]}
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="wide",
        AvailabilityZones=["us-east-1a", "us-east-1b"],
        HealthCheckType="ELB",
        **balanced,
        **common,
    )
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="narrow", AvailabilityZones=["us-east-1a"], HealthCheckType="EC2", **balanced, **common
    )
    scaling.create_auto_scaling_group(AutoScalingGroupName="alone", AvailabilityZones=["us-east-1a"], **common)
    found = scaling.describe_auto_scaling_groups()["AutoScalingGroups"]
    return {group["AutoScalingGroupName"]: group["AutoScalingGroupARN"] for group in found}


def servers(account: AwsEmulator) -> dict[str, str]:
    transfer = account.client("transfer")

    def made(protocol: str, policy: str) -> str:
        server = transfer.create_server(Protocols=[protocol], SecurityPolicyName=policy)["ServerId"]
        arn: str = transfer.describe_server(ServerId=server)["Server"]["Arn"]
        return arn

    return {
        "sftp": made("SFTP", "TransferSecurityPolicy-2024-01"),
        "ftp": made("FTP", "TransferSecurityPolicy-2024-01"),
        "old": made("SFTP", "TransferSecurityPolicy-2018-11"),
    }


def test_each_listener_is_judged_by_itself(told: Told, made: dict[str, str]) -> None:
    clear, policy = told["elbv2.listener.tls_only"], told["elbv2.listener.tls_policy"]
    assert {name: clear[made[name]] for name in ("good:443", "bad:80", "bad:443", "net:5432")} == {
        "good:443": "pass",
        "bad:80": "fail",
        "bad:443": "pass",
        "net:5432": "not_applicable",
    }
    assert (policy[made["good:443"]], policy[made["bad:443"]]) == ("pass", "fail")
    assert policy[made["bad:80"]] == policy[made["net:5432"]] == "not_applicable"


def test_a_redirect_by_default_counts_unless_a_rule_serves_somebody(told: Told, made: dict[str, str]) -> None:
    clear = told["elbv2.listener.tls_only"]
    assert (clear[made["turned:80"]], clear[made["turned:8080"]]) == ("pass", "fail")


@pytest.mark.parametrize("check", ["access_logged", "deletion_protected", "drops_bad_headers"])
def test_load_balancers_are_judged_by_their_attributes(told: Told, made: dict[str, str], check: str) -> None:
    verdicts = told[f"elbv2.load_balancer.{check}"]
    assert (verdicts[made["good"]], verdicts[made["bad"]]) == ("pass", "fail")


def test_only_public_application_load_balancers_need_a_web_firewall(told: Told, made: dict[str, str]) -> None:
    verdicts = told["elbv2.load_balancer.waf_attached"]
    assert (verdicts[made["good"]], verdicts[made["bad"]]) == ("pass", "fail")
    assert verdicts[made["inner"]] == verdicts[made["net"]] == "not_applicable"


@pytest.mark.parametrize("check", ["tls_only", "access_logged"])
def test_classic_load_balancers(told: Told, made: dict[str, str], check: str) -> None:
    assert told[f"elb.load_balancer.{check}"] == {made["classic-good"]: "pass", made["classic-bad"]: "fail"}


def test_web_firewalls_of_a_region_and_of_cloudfront_are_told_apart(told: Told, made: dict[str, str]) -> None:
    assert told["wafv2.web_acl.logged"] == {made["loud"]: "pass", made["quiet"]: "fail"}
    assert told["wafv2.cloudfront_web_acl.logged"] == {made["front"]: "fail"}


def test_certificates_in_use_must_last(told: Told, made: dict[str, str]) -> None:
    assert told["acm.certificate.not_expiring"] == {
        made["long"]: "pass",
        made["short"]: "fail",
        made["unused"]: "not_applicable",
    }


def test_web_firewalls_beyond_the_first_hundred_are_judged_too(started: AwsEmulator, told: Told) -> None:
    assert told
    region, waf = "eu-west-1", started.client("wafv2", region="eu-west-1")
    watched = {"SampledRequestsEnabled": False, "CloudWatchMetricsEnabled": False, "MetricName": "many"}
    for number in range(101):
        waf.create_web_acl(
            Name=f"many-{number:03}", Scope="REGIONAL", DefaultAction={"Allow": {}}, VisibilityConfig=watched
        )
    seen = look(started, ["wafv2.web_acl.logged"], [region])["wafv2.web_acl.logged"]
    assert list(seen.values()) == ["fail"] * 101


@pytest.mark.parametrize("check", ["https_only", "tls_version", "logged", "waf_attached"])
def test_distributions(told: Told, made: dict[str, str], check: str) -> None:
    verdicts = told[f"cloudfront.distribution.{check}"]
    assert (verdicts[made["careful"]], verdicts[made["careless"]]) == ("pass", "fail")


def test_a_log_delivered_by_cloudwatch_counts(told: Told, made: dict[str, str]) -> None:
    assert told["cloudfront.distribution.logged"][made["delivered"]] == "pass"


def test_a_bucket_behind_a_distribution_without_an_identity_fails(told: Told, made: dict[str, str]) -> None:
    # The emulator forgets identities and access controls of origins, so the other side stands in the unit tests.
    assert told["cloudfront.distribution.origin_access_control"][made["careless"]] == "fail"


def test_each_method_of_a_rest_api_is_judged_by_itself(told: Told, made: dict[str, str]) -> None:
    assert told["apigateway.method.authorised"] == {made["signed GET"]: "pass", made["open GET"]: "fail"}


def test_stages_of_rest_apis(told: Told, made: dict[str, str]) -> None:
    assert told["apigateway.stage.logged"] == {
        made["signed"]: "pass",
        made["open"]: "fail",
        made["bare"]: "not_applicable",
    }


def test_http_apis(told: Told, made: dict[str, str]) -> None:
    assert told["apigatewayv2.stage.logged"] == {made["recorded"]: "pass", made["silent"]: "fail"}


def test_groups_of_instances(told: Told, made: dict[str, str]) -> None:
    assert told["autoscaling.group.multi_az"] == {made["wide"]: "pass", made["narrow"]: "fail", made["alone"]: "fail"}
    assert told["autoscaling.group.elb_health_check"] == {
        made["wide"]: "pass",
        made["narrow"]: "fail",
        made["alone"]: "not_applicable",
    }


def test_file_transfer_servers(told: Told, made: dict[str, str]) -> None:
    assert told["transfer.server.no_plain_ftp"] == {made["sftp"]: "pass", made["ftp"]: "fail", made["old"]: "fail"}


@pytest.mark.usefixtures("told")
def test_what_may_not_be_read_is_unknown(started: AwsEmulator, made: dict[str, str]) -> None:
    started.deny("elbv2:DescribeListeners")
    started.deny("apigateway:GetRestApis")
    started.deny("logs:DescribeDeliverySources")
    try:
        blind = look(
            started, ("elbv2.listener.tls_policy", "apigateway.method.authorised", "cloudfront.distribution.logged")
        )
    finally:
        started.clear_faults()
    assert blind["elbv2.listener.tls_policy"] == {PLACE: "unknown"}
    assert blind["apigateway.method.authorised"] == {PLACE: "unknown"}
    logged = blind["cloudfront.distribution.logged"]
    assert (logged[made["careful"]], logged[made["careless"]]) == ("pass", "unknown"), "its own log settles the first"
