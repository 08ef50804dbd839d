"""A function's variables over four days: a value that changes is new evidence, no drift, and never the value."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from auditor.collectors.aws._client import connect
from auditor.collectors.declared import resource_types
from auditor.domain.bundle import Asked
from auditor.pipeline.observe import observe
from auditor.pipeline.reperform import reperform
from auditor.simulators.aws import AwsEmulator
from tests.fixtures.database import Provisioned
from tests.fixtures.spine import REGIONS, Spine, spine
from tests.integration.test_bundle import create, notarise, unpack

AT = datetime(2026, 10, 1, 6, tzinfo=UTC)
TOKEN, BEFORE, AFTER = "correct-horse-battery", "eu-central", "eu-northern"
CHECK = "lambda.function.no_secrets_in_env"


@pytest.fixture(scope="module")
def world(provisioned: Provisioned, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spine]:
    """Two days in which nothing changes, one on which a plain value does, and one more."""
    with AwsEmulator() as emulator:
        os.environ.update({k: v for k, v in emulator.environment().items() if k != "AWS_ENDPOINT_URL"})
        with spine(provisioned, emulator, tmp_path_factory.mktemp("home"), AT, ("lambda",)) as made:
            make_function(emulator)
            for day in range(4):
                if day == 2:
                    emulator.client("lambda", REGIONS[0]).update_function_configuration(
                        FunctionName="intake", Environment={"Variables": {"API_TOKEN": TOKEN, "PLACE": AFTER}}
                    )
                made.work.plan_due()
                made.drive()
                notarise(made)
                made.next_day()
            yield made
        for name in emulator.environment():
            os.environ.pop(name, None)


def make_function(emulator: AwsEmulator) -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    emulator.client("iam").create_role(
        RoleName="run", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("main.py", "")
    emulator.client("lambda", REGIONS[0]).create_function(
        FunctionName="intake",
        Runtime="python3.13",
        Role="arn:aws:iam::123456789012:role/run",
        Handler="main.handler",
        Code={"ZipFile": packed.getvalue()},
        Environment={"Variables": {"API_TOKEN": TOKEN, "PLACE": BEFORE}},
    )


def kept(world: Spine) -> list[dict[str, Any]]:
    """The contents of the function's evidence, in the order in which they came to stand."""
    rows = world.rows(
        "SELECT e.digest FROM evidence e JOIN evidence_span s USING (tenant_id, evidence_id) "
        "WHERE e.resource_type = 'aws.lambda.function' ORDER BY s.valid_from"
    )
    told = world.here.objects.get_many(world.tenant, [row.digest for row in rows])
    return [json.loads(told[row.digest])["content"] for row in rows]


def fingerprint(world: Spine, value: str) -> str:
    return world.here.fingerprint(world.tenant)(hashlib.sha256(value.encode()).digest())


def test_a_changed_value_is_new_evidence_with_another_fingerprint_and_the_same_value_is_none(world: Spine) -> None:
    first, second = (one["ScannedVariables"] for one in kept(world))
    assert [one["value"]["fp"] for one in first["values"]] == [fingerprint(world, BEFORE)]
    assert [one["value"]["fp"] for one in second["values"]] == [fingerprint(world, AFTER)]
    assert first["hits"] == second["hits"]
    assert first["hits"][0]["value"]["fp"] == fingerprint(world, TOKEN)


def test_a_changed_value_is_no_drift_of_a_verdict(world: Spine) -> None:
    (resource,) = [one for one, state in world.findings(CHECK).items() if state == "fail"]
    assert [(span.seq, span.state) for span in world.spans(CHECK, resource)] == [(1, "fail")]


def test_the_same_value_of_another_tenant_has_another_fingerprint(world: Spine) -> None:
    other = uuid4()
    world.here.identities.add_tenant(other, slug=f"t{other.hex}", name="Others", now=world.clock())
    theirs = world.here.fingerprint(other)(hashlib.sha256(TOKEN.encode()).digest())
    assert theirs != fingerprint(world, TOKEN)


def test_a_bundle_lists_redactions_and_an_auditor_without_the_key_derives_and_compares_all_the_same(
    world: Spine, tmp_path: Path
) -> None:
    asked = Asked(("soc2",), datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 10, 5, tzinfo=UTC))
    root = unpack(world, create(world, asked), tmp_path)
    lines = [json.loads(line) for line in (root / "data/evidence/index.jsonl").read_bytes().splitlines()]
    told = [line for line in lines if line["type"] == "aws.lambda.function"]
    assert [(one["place"], one["kind"]) for line in told for one in line["redactions"]] == [
        ("API_TOKEN", "token"),
        ("PLACE", "value"),
    ] * len(told)
    found = {one["fingerprint"] for line in told for one in line["redactions"]}
    assert found >= {fingerprint(world, TOKEN), fingerprint(world, AFTER)}
    assert reperform(root, resource_types()).exit_code == 0

    def call(_account: str) -> Any:
        return connect(endpoint_url=world.emulator.url, threads=4)

    with ThreadPoolExecutor(4) as pool:
        live = list(observe(root, [told[0]["resource"]], resource_types(), call, pool=pool, clock=world.clock))
    assert [(one.sampled.resource_type, one.said) for one in live if one.said != "same"] == []
    assert "aws.lambda.function" in {one.sampled.resource_type for one in live}
