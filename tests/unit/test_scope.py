"""What a scope holds, what a change of it would move, and which rules cannot be meant."""

from __future__ import annotations

import json
from uuid import UUID, uuid4

import pytest

from auditor.cli import USAGE, parser
from auditor.cli.scope import lines, typed
from auditor.domain.scope import EKS_CLUSTER, INVENTORY, ORGANISATION_ACCOUNT, Rule, Scope
from auditor.domain.scope_change import Candidate, faults, out_of, preview
from auditor.pipeline.plan import select
from tests.fixtures.library import check, control, library, requirement

FULL = Scope(
    version=7,
    regions=("eu-central-1",),
    services=("s3", "iam"),
    frameworks=("hipaa",),
    tags=("env=prod*",),
    resources=("arn:*",),
    without=Rule(("eu-west-1",), ("rds",), ("temporary=yes",), ("*scratch*",)),
)
BUCKET = "arn:aws:s3:::intake"


def finding(
    resource: str = BUCKET,
    *,
    check: str = "s3.bucket.encrypted",
    place: str = "global",
    state: str = "pass",
    about_place: bool = False,
    kept_out: str | None = None,
    resource_id: UUID | None = None,
) -> Candidate:
    return Candidate(
        uuid4(), check, place, state, resource, resource_id or uuid4(), about_place, state == "fail", kept_out
    )


def test_a_rule_comes_back_from_json_as_it_went() -> None:
    assert Scope.of_rule(7, json.loads(json.dumps(FULL.as_rule()))) == FULL
    assert Scope().as_rule() == {}


def test_a_rule_of_the_release_before_is_read() -> None:
    old = {"regions": ["eu-central-1"], "services": [], "frameworks": []}
    assert Scope.of_rule(1, old) == Scope(regions=("eu-central-1",))


def test_a_rule_is_said_in_words() -> None:
    assert Scope().words() == ("everything",)
    assert "without regions eu-west-1" in FULL.words()
    assert "only services s3, iam" in FULL.words()


@pytest.mark.parametrize("region", ["eu-central-1", "us-gov-west-1", "cn-north-1"])
def test_a_region_of_any_partition_can_be_left_out(region: str) -> None:
    scope = Scope(without=Rule(regions=(region,)))
    assert scope.leaves_out("ec2.volume.encrypted", region) == f"region {region} is out of scope"
    assert scope.leaves_out("ec2.volume.encrypted", "eu-west-3") is None


def test_what_stands_over_all_regions_stays_in_whatever_regions_are_named() -> None:
    scope = Scope(regions=("eu-central-1",))
    assert scope.leaves_out("iam.user.mfa_enabled", "global") is None
    assert scope.leaves_out("cloudtrail.account.recording", "join") is None


def test_a_service_is_the_first_word_of_a_check() -> None:
    scope = Scope(without=Rule(services=("s3",)))
    assert scope.leaves_out("s3.bucket.encrypted", "global") == "service s3 is out of scope"
    assert scope.leaves_out("s3control.account.blocked", "global") is None


def test_a_preview_counts_findings_resources_and_what_fails_among_them() -> None:
    one = uuid4()
    found = preview(
        Scope(),
        Scope(without=Rule(resources=("*scratch*",))),
        [
            finding("scratch-1", resource_id=one, state="fail"),
            finding("scratch-1", resource_id=one, check="s3.bucket.versioned"),
            finding("intake", state="fail"),
        ],
        ["eu-central-1"],
    )
    assert (found.findings_leaving, found.resources_leaving, found.failing_leaving) == (2, 1, 1)
    assert [(moved.check, moved.findings, moved.failing) for moved in found.leaving] == [
        ("s3.bucket.encrypted", 1, 1),
        ("s3.bucket.versioned", 1, 0),
    ]
    assert not found.tags_later


def test_a_preview_says_which_regions_end_and_which_begin() -> None:
    found = preview(
        Scope(without=Rule(regions=("eu-west-1",))),
        Scope(without=Rule(regions=("eu-north-1",))),
        [
            finding("v", check="ec2.volume.encrypted", place="eu-north-1"),
            finding("w", check="ec2.volume.encrypted", place="eu-west-1", state="excluded"),
        ],
        ["eu-central-1", "eu-north-1", "eu-west-1"],
    )
    assert (found.regions_ending, found.regions_beginning) == (("eu-north-1",), ("eu-west-1",))
    assert (found.findings_leaving, found.findings_returning, found.resources_returning) == (1, 1, 1)


def test_a_line_about_a_place_leaves_with_its_region_but_never_by_an_id() -> None:
    line = finding("123456789012/eu-west-1", place="eu-west-1", about_place=True)
    assert out_of(Scope(without=Rule(resources=("*",))), Scope(), line) is None
    assert out_of(Scope(without=Rule(regions=("eu-west-1",))), Scope(), line) is not None


def test_what_the_last_run_left_out_by_tag_stays_out_as_long_as_that_rule_does() -> None:
    tagged = Scope(without=Rule(tags=("env=sandbox",)))
    kept = finding(state="excluded", kept_out="excluded by tag: env=sandbox")
    assert out_of(tagged, tagged, kept) == "excluded by tag: env=sandbox"
    assert out_of(Scope(), tagged, kept) is None
    untagged = finding(state="excluded", kept_out="not among the tags in scope: env=prod")
    only = Scope(tags=("env=prod",))
    assert out_of(only, only, untagged) is not None
    assert out_of(Scope(tags=("env=*",)), only, untagged) is None


def test_new_tag_rules_are_said_to_be_told_by_the_next_run() -> None:
    asked = Scope(without=Rule(tags=("env=sandbox",)))
    assert preview(Scope(), asked, [finding()], []).tags_later
    assert not preview(asked, asked, [finding()], []).tags_later


@pytest.mark.parametrize(
    ("scope", "said"),
    [
        (Scope(regions=("eu-cental-1",)), "no region eu-cental-1"),
        (Scope(without=Rule(services=("s33",))), "about a service s33"),
        (Scope(tags=("env",)), "KEY=PATTERN"),
        (Scope(without=Rule(tags=("=x",))), "KEY=PATTERN"),
        (Scope(without=Rule(regions=("eu-central-1", "us-east-1"))), "no region would be left"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_named(scope: Scope, said: str) -> None:
    assert any(said in fault for fault in faults(scope, regions=["eu-central-1", "us-east-1"], services=["s3"]))


def test_a_rule_that_can_be_meant_has_no_fault() -> None:
    scope = Scope(services=("s3",), without=Rule(regions=("us-east-1",), tags=("env=",)))
    assert faults(scope, regions=["eu-central-1", "us-east-1"], services=["s3"]) == ()


def test_a_rule_is_typed_as_options_and_frameworks_stay_as_they_were() -> None:
    words = ["scope", "set", "production", "--service", "s3", "--without-region", "eu-west-1"]
    words += ["--without-tag", "env=sandbox*", "--without-resource", "arn:*:s3:::scratch-*", "--why", "policy NET-4"]
    told = typed(parser().parse_args(words), Scope(version=4, frameworks=("hipaa",), tags=("gone=yes",)))
    assert told == Scope(
        version=4,
        services=("s3",),
        frameworks=("hipaa",),
        without=Rule(regions=("eu-west-1",), tags=("env=sandbox*",), resources=("arn:*:s3:::scratch-*",)),
    )


def test_a_change_of_scope_cannot_be_typed_without_a_reason() -> None:
    with pytest.raises(SystemExit) as left:
        parser().parse_args(["scope", "set", "production", "--service", "s3"])
    assert left.value.code == USAGE


def test_a_preview_is_printed_with_what_fails_among_what_leaves() -> None:
    found = preview(
        Scope(),
        Scope(without=Rule(resources=("*scratch*",), tags=("env=x",))),
        [finding("scratch-1", state="fail")],
        ["eu-central-1"],
    )
    told = "\n".join(lines(found))
    assert "leaving: 1 findings of 1 resources, 1 of them failing" in told
    assert "tag rules are applied by the next run" in told


def test_the_inventory_is_listed_though_no_check_asks_for_it_unless_its_service_is_out() -> None:
    from auditor.collectors.aws import resource_types

    asked = library(control("c", check("a", "c", ("law", "1", "primary"))), clauses=(requirement("law", "1"),))
    chosen = select(asked, resource_types(), Scope(), inventory=INVENTORY)
    assert {kind.name for kind in chosen.collected} == {"aws.s3.bucket", EKS_CLUSTER, ORGANISATION_ACCOUNT}
    assert {kind.name for kind in select(asked, resource_types(), Scope()).collected} == {"aws.s3.bucket"}
    narrowed = select(asked, resource_types(), Scope(without=Rule(services=("eks",))), inventory=INVENTORY)
    assert {kind.name for kind in narrowed.collected} == {"aws.s3.bucket", ORGANISATION_ACCOUNT}


def test_a_namespace_goes_with_what_stands_in_it_and_cluster_wide_things_stay() -> None:
    scope = Scope(without=Rule(namespaces=("test-*",)))
    told = "excluded by namespace: test-*"
    ids = (
        "test-a/Pod/web",
        "/Namespace/test-a",
        "shop/Pod/web",
        "/Namespace/shop",
        "/ClusterRole/test-a",
        "/Cluster/x",
    )
    assert [scope.excludes(one, None) for one in ids] == [told, told, None, None, None, None]
    only = Scope(namespaces=("shop",))
    out = "not among the namespaces in scope: shop"
    assert [only.excludes(one, None) for one in ids] == [out, out, None, None, None, None]
    assert scope.narrows
    assert only.narrows
    assert only.words() == ("only namespaces shop",)
    assert Scope.of_rule(1, only.as_rule()) == only


def test_namespaces_are_asked_one_by_one_only_where_a_rule_names_each() -> None:
    assert Scope(namespaces=("shop", "web"), without=Rule(namespaces=("web",))).named_namespaces == ("shop",)
    assert Scope(namespaces=("shop", "test-*")).named_namespaces == ()
    assert Scope(without=Rule(namespaces=("web",))).named_namespaces == ()


@pytest.mark.parametrize(
    ("there", "said"),
    [
        (None, ("an account has no namespaces",)),
        (("shop", "web"), ("the cluster has no namespace shopp; it has shop, web",)),
        ((), ()),  # nothing was seen yet, so nobody can tell
    ],
)
def test_a_namespace_that_nobody_saw_is_named(there: tuple[str, ...] | None, said: tuple[str, ...]) -> None:
    assert faults(Scope(namespaces=("shopp",)), regions=(), services=(), namespaces=there) == said
