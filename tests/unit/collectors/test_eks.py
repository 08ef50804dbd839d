"""EKS clusters as their evidence shows them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from auditor.collectors.aws.eks import Cluster, cluster, clusters
from auditor.domain.reading import Seen, Unseen

KEY = "arn:aws:kms:eu-west-1:111122223333:key/k-1"


def described(**settings: Any) -> Cluster:
    known = {"version": "1.34", "resourcesVpcConfig": {"endpointPublicAccess": False}, **settings}
    document: Cluster = cluster.describe({"name": "clinic", "described": {"cluster": known}})
    return document


def reached_from(*ranges: str) -> Cluster:
    return described(resourcesVpcConfig={"endpointPublicAccess": True, "publicAccessCidrs": list(ranges)})


def test_listed_names_become_clusters() -> None:
    assert list(clusters({"clusters": ["clinic", "lab"]})) == [{"name": "clinic"}, {"name": "lab"}]


@pytest.mark.parametrize(
    ("ranges", "prefix"),
    [
        (("0.0.0.0/0",), 0),
        (("0.0.0.0/1", "128.0.0.0/1"), 0),
        (("48.0.0.0/4", "203.0.113.0/24"), 4),
        (("203.0.113.0/24",), 24),
        (("10.0.0.0/8",), None),
        ((), 0),
    ],
)
def test_ranges_count_as_the_addresses_they_add_up_to(ranges: tuple[str, ...], prefix: int | None) -> None:
    assert reached_from(*ranges).public_prefix == Seen(prefix)


def test_a_private_endpoint_is_reached_from_nowhere_whatever_its_ranges_say() -> None:
    seen = described(resourcesVpcConfig={"endpointPublicAccess": False, "publicAccessCidrs": ["0.0.0.0/0"]})
    assert (seen.public_ranges, seen.public_prefix) == (Seen(()), Seen(None))


def test_an_endpoint_that_is_not_told_to_be_private_was_not_seen() -> None:
    seen = described(resourcesVpcConfig={})
    assert seen.public_prefix == Unseen("endpointPublicAccess is not in the answer")


def test_a_range_that_is_none_was_not_seen() -> None:
    assert reached_from("everybody").public_prefix == Unseen("publicAccessCidrs hold something that is no range")


def test_only_logs_that_are_on_count() -> None:
    setups = [{"types": ["audit", "api"], "enabled": True}, {"types": ["authenticator"], "enabled": False}]
    assert described(logging={"clusterLogging": setups}).logs == Seen(("api", "audit"))
    assert described().logs == Seen(())


def test_only_a_key_for_secrets_is_a_key_for_secrets() -> None:
    assert described(encryptionConfig=[{"resources": ["secrets"], "provider": {"keyArn": KEY}}]).secrets_key == Seen(
        KEY
    )
    assert described(encryptionConfig=[{"resources": ["secrets"]}]).secrets_key == Seen(None)
    assert described(encryptionConfig=[{"resources": [], "provider": {"keyArn": KEY}}]).secrets_key == Seen(None)
    assert described().secrets_key == Seen(None)


def test_a_version_has_the_end_that_the_table_gives_it() -> None:
    assert described(version="1.31").supported_until == Seen(datetime(2025, 11, 26, tzinfo=UTC))


def test_a_version_that_the_table_does_not_know_is_unknown() -> None:
    until = described(version="1.99").supported_until
    assert isinstance(until, Unseen)
    assert "1.99 is not in the table" in until.reason


def test_a_cluster_that_may_not_be_described_is_unseen_in_everything() -> None:
    hidden = cluster.describe({"name": "clinic", "described": {"$unseen": "AccessDenied eks:DescribeCluster"}})
    reason = Unseen("AccessDenied eks:DescribeCluster")
    assert (hidden.version, hidden.supported_until, hidden.public_prefix, hidden.logs, hidden.secrets_key) == (
        (reason,) * 5
    )
