"""Bundles over a log whose key was changed by the command, twice, and whose source was silent for a while."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from auditor.cli import main
from auditor.collectors.declared import resource_types
from auditor.domain.bundle import Asked, Bundle
from auditor.pipeline.reperform import reperform
from auditor.proof.bundle import verify
from auditor.proof.note import VerifierKey, parse_note
from auditor.proof.report import REFUSED, VERIFIED
from auditor.simulators.aws import AwsEmulator
from tests.fixtures.bundles import FOREIGN
from tests.fixtures.database import Provisioned
from tests.fixtures.spine import Spine, spine
from tests.integration.test_bundle import create, notarise, unpack

AT = datetime(2026, 10, 1, 6, tzinfo=UTC)
SERVICES = ("s3", "cloudtrail")


def day(number: int) -> datetime:
    return (AT + timedelta(days=number)).replace(hour=0)


OLD, OVER, BOTH = (Asked((), day(one), day(other)) for one, other in ((2, 10), (11, 12), (13, 14)))
"""Before the first rotation; over it; begun while both keys signed."""


@dataclass
class Rotated:
    world: Spine
    once: Bundle
    """Over the first rotation, issued under the second key."""


@pytest.fixture(scope="module")
def rotated(provisioned: Provisioned, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rotated]:
    with (
        AwsEmulator() as emulator,
        pytest.MonkeyPatch.context() as patch,
        spine(provisioned, emulator, tmp_path_factory.mktemp("home"), AT, SERVICES) as world,
    ):
        told = {name: value for name, value in emulator.environment().items() if name != "AWS_ENDPOINT_URL"}
        installed = {
            "AUDITOR_HOME": str(world.here.settings.home),
            "AUDITOR_DATABASE_URL": provisioned.app_url,
            "AUDITOR_CLAIM_DATABASE_URL": provisioned.claims_url,
            "AUDITOR_LEDGER_DATABASE_URL": provisioned.ledger_url,
        }
        for name, value in (told | installed).items():
            patch.setenv(name, value)
        emulator.client("s3").create_bucket(Bucket="charts")
        emulator.client("cloudtrail").create_trail(Name="all", S3BucketName="charts", IsMultiRegionTrail=True)
        a_day(world)
        for _ in range(9):
            world.next_day()
        a_day(world)  # the tenth
        a_day(world)
        assert main(["ledger", "rotate"]) == 0
        a_day(world)
        assert main(["ledger", "rotate", "--retire"]) == 0
        a_day(world)
        a_day(world)
        once = create(world, OVER)
        assert main(["ledger", "rotate"]) == 0
        a_day(world)
        assert main(["ledger", "rotate", "--retire"]) == 0
        a_day(world)
        yield Rotated(world, once)


def a_day(world: Spine) -> None:
    world.work.plan_due()
    world.drive()
    notarise(world)
    world.next_day()


def keys_of(rotated: Rotated, capsys: pytest.CaptureFixture[str]) -> list[VerifierKey]:
    (slug,) = (row.slug for row in rotated.world.rows("SELECT slug FROM tenant_here()"))
    assert main(["ledger", "key", "--tenant", slug]) == 0
    return [VerifierKey.parse(line) for line in capsys.readouterr().out.splitlines()]


def signers(root: Path, name: str) -> set[bytes]:
    return {one.key_hash for one in parse_note((root / f"data/ledger/checkpoint.{name}").read_text()).signatures}


def test_a_bundle_over_a_rotation_is_verified_with_the_old_key_and_with_the_new_one(
    rotated: Rotated, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, third = keys_of(rotated, capsys)
    root = unpack(rotated.world, rotated.once, tmp_path)
    assert (signers(root, "start"), signers(root, "end")) == ({first.hash}, {second.hash})
    assert VerifierKey.parse((root / "keys/log.vkey").read_text()) == second
    for pinned in (first, second, None):
        said = verify(root, pinned)
        assert (said.outcome, said.where, said.what) == (VERIFIED, "", "")
        assert f"{second.hash.hex()}, which followed {first.hash.hex()} on the log" in said.as_text()
    for stranger in (third, FOREIGN.verifier):
        assert verify(root, stranger).outcome == REFUSED


@pytest.mark.parametrize("asked", [OLD, OVER, BOTH])
def test_after_two_rotations_each_key_that_ever_signed_leads_to_the_one_that_seals(
    rotated: Rotated, tmp_path: Path, capsys: pytest.CaptureFixture[str], asked: Asked
) -> None:
    chain = keys_of(rotated, capsys)
    assert len(chain) == 3
    root = unpack(rotated.world, create(rotated.world, asked), tmp_path)
    for pinned in chain:
        said = verify(root, pinned)
        assert (said.outcome, said.where, said.what) == (VERIFIED, "", "")
    assert verify(root, FOREIGN.verifier).outcome == REFUSED


def test_a_join_from_before_the_source_was_silent_is_derived_again_by_how_far_was_seen_then(
    rotated: Rotated, tmp_path: Path
) -> None:
    root = unpack(rotated.world, rotated.once, tmp_path)
    assert (root / "data/coverage_joins.jsonl").read_bytes()
    told = reperform(root, resource_types())
    assert (told.differences, told.not_done, told.exit_code) == ([], {}, 0)
