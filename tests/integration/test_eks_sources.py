"""Clusters of EKS by AWS credentials alone: the emulated account tells the address, the cluster reads the signed tokens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from auditor.bootstrap import Installation
from auditor.bootstrap.clusters import Credentials
from auditor.cli import main
from auditor.collectors.aws import _eks_entry as eks
from auditor.collectors.kubernetes._connection import Door, connect_address
from auditor.domain.errors import CollectionError
from auditor.domain.source import GLOBAL
from auditor.settings import Settings
from auditor.simulators.aws import ACCOUNT, AwsEmulator
from auditor.simulators.kubernetes_api import ClusterApi
from auditor.simulators.kubernetes_eks import EksTokens
from auditor.simulators.kubernetes_faults import Trouble
from auditor.simulators.kubernetes_identities import MASTERS
from tests.fixtures.database import Provisioned

REGION = "eu-central-1"
SHOP = ("--eks", "shop", "--region", REGION)
ARN = f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/shop"


@dataclass
class Clock:
    """The cluster's own time, which may differ from the signer's."""

    ahead: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class World:
    """An account with two clusters by name, both at one address; the tokens that are believed there are for ``shop``."""

    account: AwsEmulator
    api: ClusterApi
    tokens: EksTokens
    clock: Clock
    signed: list[str] = field(default_factory=list)

    def door(self, cluster: str = "shop") -> Door:
        """The way in, each of whose tokens is kept in ``signed``."""
        caller = Credentials(endpoint_url=self.account.url).connect()
        there = eks.entry(caller, cluster, REGION)
        sign = partial(eks.token, caller, cluster, REGION)

        def token() -> str:
            self.signed.append(sign())
            return self.signed[-1]

        return Door(there.url, there.authority, token, eks.LASTS)


@pytest.fixture(scope="module")
def account() -> Iterator[AwsEmulator]:
    with AwsEmulator() as emulator:
        yield emulator


@pytest.fixture
def world(account: AwsEmulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    account.reset()
    told = account.environment()
    for name, value in (told | {"AUDITOR_EGRESS_ALLOW": "127.0.0.0/8"}).items():
        monkeypatch.setenv(name, value)
    key, clock = told["AWS_ACCESS_KEY_ID"], Clock()
    tokens = EksTokens(
        "shop", clock, secrets={key: told["AWS_SECRET_ACCESS_KEY"]}, users={key: ("auditor", (MASTERS,))}
    )
    with ClusterApi(clock=clock) as api:
        api.identities.elsewhere = tokens.of
        for name in ("shop", "other"):
            account.client("eks", REGION).create_cluster(
                name=name,
                roleArn=f"arn:aws:iam::{ACCOUNT}:role/eks",
                resourcesVpcConfig={"subnetIds": ["subnet-1"]},
            )
        address = {"endpoint": api.url, "authority": api.authority}
        account.supplement({"cluster_address": {f"{REGION}/{name}": address for name in ("shop", "other")}})
        yield World(account, api, tokens, clock)


def scan(folder: Path, *arguments: str) -> tuple[int, list[dict[str, str]]]:
    out = folder / "scan.ndjson"
    code = main(["scan", "kubernetes", *arguments, "--format", "ndjson", "--out", str(out)])
    return code, [json.loads(line) for line in out.read_text("utf-8").splitlines()]


def test_a_scan_needs_no_more_than_aws_credentials(world: World, tmp_path: Path) -> None:
    world.account.reset_counts()
    code, lines = scan(tmp_path, *SHOP, "--allow-partial")
    assert code == 0
    assert any(line["verdict"] == "pass" for line in lines)
    assert {line["resource"] for line in lines if line["resource"].startswith("/Cluster/")} == {"/Cluster/shop"}
    assert world.tokens.taken
    asked = world.account.counts()
    assert (asked["eks:DescribeCluster"], set(asked)) == (1, {"sts:GetCallerIdentity", "eks:DescribeCluster"})


def test_a_token_is_for_one_cluster_alone(world: World) -> None:
    with pytest.raises(CollectionError, match="does not let us in: Unauthorized"):
        connect_address(world.door("other"), name="shop")
    assert world.tokens.taken == []


def test_a_refused_token_is_made_anew_once(world: World) -> None:
    caller = connect_address(world.door(), name="shop")
    assert (caller.identity, len(world.signed)) == ("auditor", 1)
    world.api.trouble(Trouble("unauthorized", resource="namespaces", times=1))
    assert list(caller.pages("core/v1:namespaces", {}, region=GLOBAL))
    assert len(world.signed) == 2


def test_a_token_that_is_over_for_the_cluster_is_refused_and_made_anew_no_more_than_once(world: World) -> None:
    world.clock.ahead = timedelta(minutes=16)
    with pytest.raises(CollectionError, match="Unauthorized"):
        connect_address(world.door(), name="shop")
    assert (len(world.signed), world.tokens.taken) == (2, [])


def test_a_token_is_made_anew_before_it_ends(world: World) -> None:
    seconds = 0.0
    caller = connect_address(world.door(), name="shop", clock=lambda: seconds)
    for seconds, signed in ((eks.LASTS - 1, 1), (eks.LASTS, 2), (2 * eks.LASTS - 1, 2), (2 * eks.LASTS, 3)):  # noqa: B007  (the clock reads it)
        assert list(caller.pages("core/v1:namespaces", {}, region=GLOBAL))
        assert len(world.signed) == signed


def test_a_cluster_that_is_not_there_is_told_with_the_permission_that_was_used(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["scan", "kubernetes", "--eks", "gone", "--region", REGION]) == 2
    told = capsys.readouterr().err
    assert "AWS does not tell where the cluster gone of eu-central-1 is: ResourceNotFoundException" in told
    world.account.deny("eks:DescribeCluster")
    assert main(["scan", "kubernetes", *SHOP, "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err
    assert "AccessDeniedException" in told
    assert "Allow eks:DescribeCluster" in told


def test_an_address_that_aws_tells_is_judged_like_any_other(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AUDITOR_EGRESS_ALLOW", "")
    world.api.reset_counts()
    assert main(["scan", "kubernetes", *SHOP]) == 2
    assert "127.0.0.1 is not a public address" in capsys.readouterr().err
    assert not world.api.counts()


def test_the_printed_policy_holds_all_that_reaching_a_cluster_takes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["permissions", "aws"]) == 0
    assert "eks:DescribeCluster" in capsys.readouterr().out, "whom STS tells who it is needs no permission"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--eks", "shop"), "--eks needs --region"),
        (("--region", REGION), "--region goes with --eks"),
        (("--role-arn", "arn"), "--role-arn goes with --eks"),
        ((*SHOP, "--context", "c"), "--context is one of a kubeconfig"),
    ],
)
def test_options_that_do_not_belong_together_are_a_usage_error(
    options: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["scan", "kubernetes", *options])
    assert left.value.code == 3
    assert said in capsys.readouterr().err


def test_a_connected_cluster_is_known_by_its_arn_and_no_token_of_it_is_kept(
    world: World,
    provisioned: Provisioned,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    slug = tmp_path.name.replace("_", "-")
    for name, value in (
        ("AUDITOR_HOME", str(tmp_path)),
        ("AUDITOR_DATABASE_URL", provisioned.app_url),
        ("AUDITOR_CLAIM_DATABASE_URL", provisioned.claims_url),
    ):
        monkeypatch.setenv(name, value)
    settings = Settings(
        home=tmp_path,
        database_url=provisioned.app_url,
        claim_database_url=provisioned.claims_url,
        egress_allow="127.0.0.0/8",
    )
    with Installation.open(settings) as here:
        tenant = uuid4()
        here.identities.add_tenant(tenant, slug=slug, name="Tests", demo=False, now=here.clock())
    add = ["source", "add", "kubernetes", "--tenant", slug, "--name", "shop", *SHOP]
    assert main(add) == 0
    assert f"shop: cluster {ARN}, asked as auditor" in capsys.readouterr().out
    with Installation.open(settings) as here:
        with here.open_tenant(tenant) as books:
            (source,) = books.sources()
        assert (source.account, source.secret_sealed) == (ARN, None)
        assert source.endpoint_url == world.account.url, "an emulator is told as no real provider"
        assert source.access is not None
        assert source.access.words() == f"tokens made with AWS credentials, as EKS cluster shop of {REGION}"
        caller = here.caller(source, threads=1)
        assert caller.identity == "auditor"
        assert caller.account == ARN
