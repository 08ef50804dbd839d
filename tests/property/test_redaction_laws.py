"""What must hold of every value that is looked at and not kept, wherever it stands."""

from __future__ import annotations

import base64
import hashlib
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.collectors.aws import codebuild, ec2_instances, ecs, lambda_functions
from auditor.collectors.kubernetes.core_configuration import config_map
from auditor.collectors.kubernetes.core_pods import pod as pod_type
from auditor.domain.evidence import Evidence
from auditor.domain.redaction import Fingerprint, Redaction, redactions
from auditor.domain.source import GLOBAL, Place
from auditor.pipeline.collect import collect
from auditor.proof.canonical import canonical
from auditor.trust.encryption import fingerprints
from tests.fixtures.cluster import NOW, FakeCluster, container, meta, pod
from tests.unit.pipeline.world import Caller

CANARY = "canary-8c1f"
names = st.sampled_from(("API_TOKEN", "DB_PASSWORD", "PLACE", "KEY"))
# A canary in it, so that a value of one letter does not seem to be kept where some name has that letter.
values = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), max_size=40).map(
    lambda drawn: f"{CANARY}{drawn}"
)
words = st.text("abc", max_size=8).map(lambda drawn: f"{CANARY}{drawn}")
"""Values that look no more like a secret than one another."""
keys = st.binary(min_size=32, max_size=32)


def looked_at(name: str, value: str, key: Fingerprint | None) -> list[Evidence]:
    """The evidence of an account and a cluster that hold this value in each place where values are only scanned."""
    variable = {"name": name, "value": value}
    script = base64.b64encode(f"#!/bin/sh\nexport {name}={value}\n".encode()).decode()
    function = {"FunctionName": "f", "FunctionArn": "arn:f", "Environment": {"Variables": {name: value}}}
    account = Caller(
        {
            "lambda:list_functions": {"Functions": [function]},
            "lambda:get_policy": {},
            "lambda:list_function_url_configs": {},
            "lambda:list_function_event_invoke_configs": {},
            "ecs:list_clusters": {"clusterArns": ["arn:c"]},
            "ecs:list_services": {"serviceArns": ["arn:s"]},
            "ecs:describe_services": {"services": [{"taskDefinition": "arn:t/app:1"}]},
            "ecs:describe_task_definition": {
                "taskDefinition": {"containerDefinitions": [{"name": "app", "environment": [variable]}]}
            },
            "codebuild:list_projects": {"projects": ["p"]},
            "codebuild:batch_get_projects": {
                "projects": [{"name": "p", "environment": {"environmentVariables": [variable]}}]
            },
            "ec2:describe_instances": {
                "Reservations": [{"Instances": [{"InstanceId": "i-1", "State": {"Name": "running"}}]}]
            },
            "ssm:describe_instance_information": {},
            "ec2:describe_instance_attribute": {"UserData": {"Value": script}},
        }
    )
    cluster = FakeCluster(
        {
            "core/v1:pods": [pod(containers=[container(env=[variable])])],
            "core/v1:configmaps": [{"metadata": meta("c"), "data": {name: value}}],
        }
    )
    there = [lambda_functions.function, ecs.task_definition, codebuild.project, ec2_instances.instance]
    with ThreadPoolExecutor(1) as pool:
        seen = [
            *collect(Place("1", "eu-west-1"), there, account, pool=pool, clock=lambda: NOW, fingerprint=key).evidence,
            *collect(
                Place("m", GLOBAL, "", "kubernetes"),
                [pod_type, config_map],
                cluster,
                pool=pool,
                clock=lambda: NOW,
                fingerprint=key,
            ).evidence,
        ]
    assert len(seen) == 6
    return seen


def marks(seen: list[Evidence]) -> list[Redaction]:
    """All marks but those of user data, where more than the value alone was taken out."""
    return [one for each in seen for one in redactions(each.content) if one.path != "user_data"]


@settings(max_examples=60)
@given(names, values, keys)
def test_no_value_nor_its_plain_digest_is_kept_anywhere(name: str, value: str, key: bytes) -> None:
    hashed = hashlib.sha256(value.encode()).digest()
    for keyed in (None, fingerprints(key)):
        kept = b"".join(canonical(one.body) for one in looked_at(name, value, keyed))
        for form in (CANARY.encode(), base64.b64encode(CANARY.encode())[:-4], hashed.hex()[:16].encode()):
            assert form not in kept


@settings(max_examples=60)
@given(names, values, keys)
def test_one_value_has_one_fingerprint_in_all_places_and_none_without_a_key(name: str, value: str, key: bytes) -> None:
    found = marks(looked_at(name, value, fingerprints(key)))
    assert len({one.fingerprint for one in found}) == 1
    assert len(found) >= 5
    assert {one.fingerprint for one in marks(looked_at(name, value, None))} == {None}


@settings(max_examples=60)
@given(names, values, values, keys, keys)
def test_fingerprints_differ_exactly_where_value_or_tenant_does(
    name: str, one: str, two: str, ours: bytes, theirs: bytes
) -> None:
    def told(value: str, key: bytes) -> set[str | None]:
        return {each.fingerprint for each in marks(looked_at(name, value, fingerprints(key)))}

    assert (told(one, ours) == told(two, ours)) == (one == two)
    assert (told(one, ours) == told(one, theirs)) == (ours == theirs)


@settings(max_examples=60)
@given(names, words, words, keys)
def test_a_changed_value_is_other_evidence_and_the_same_document(name: str, one: str, two: str, key: bytes) -> None:
    before, after = (
        {each.resource_type: each for each in looked_at(name, told, fingerprints(key))} for told in (one, two)
    )
    for kind in (lambda_functions.function, codebuild.project):
        then, now = before[kind.name], after[kind.name]
        assert (then.digest == now.digest) == (one == two)
        assert kind.describe(then.content) == kind.describe(now.content)
