"""A host's clock was behind while it worked: what it noted is held back, and no bundle is made that would be refused for it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from auditor.domain.bundle import Asked, Bundle
from auditor.domain.errors import ExportError
from auditor.proof.bundle import verify
from auditor.proof.report import VERIFIED
from auditor.simulators.aws import AwsEmulator
from auditor.store.reads.bundle_opening import reading
from tests.fixtures.database import Provisioned
from tests.fixtures.spine import Spine, spine
from tests.integration.test_bundle import block, create, notarise, unpack

AT = datetime(2026, 10, 1, 6, tzinfo=UTC)
DAY = timedelta(days=1)
BEHIND = timedelta(hours=2)
MIDNIGHT = AT.replace(hour=0)


@pytest.fixture(scope="module")
def world(provisioned: Provisioned, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spine]:
    """Five days; on the fourth a bucket opens while the worker's clock is two hours behind the one that signs."""
    with (
        AwsEmulator() as emulator,
        pytest.MonkeyPatch.context() as patch,
        spine(provisioned, emulator, tmp_path_factory.mktemp("home"), AT, ("s3",)) as made,
    ):
        for name, value in emulator.environment().items():
            if name != "AWS_ENDPOINT_URL":
                patch.setenv(name, value)
        for name in ("charts", "scans"):
            emulator.client("s3").create_bucket(Bucket=name)
            block(made, name, on=True)
        for number in range(6):
            if number == 3:
                notarise(made)
                made.clock.forward(-BEHIND)
                block(made, "charts", on=False)
                made.run()
                made.clock.forward(BEHIND)
            else:
                made.run()
            notarise(made)
            made.next_day()
        yield made


def asked_for(world: Spine, asked: Asked) -> Bundle:
    id_ = uuid4()
    with world.here.open_tenant(world.tenant) as books:
        books.ask_bundle(id_, asked, by="ann", now=world.clock())
    for claim in world.lease("export"):
        world.work.export(claim)
    with world.here.open_tenant(world.tenant) as books:
        return books.bundle(id_)


def test_a_bundle_over_what_is_held_back_fails_when_it_is_made_and_says_what_to_do(world: Spine) -> None:
    failed = asked_for(world, Asked((), MIDNIGHT + 3 * DAY, MIDNIGHT + 4 * DAY))
    assert failed.state == "failed"
    assert "held back from the ledger, first s3.bucket." in (failed.error or "")
    assert "on arn:aws:s3:::charts at 2026-10-04T04:00" in (failed.error or "")
    assert "NTP" in (failed.error or "")


def test_evidence_that_is_held_back_alone_fails_it_too(world: Spine) -> None:
    """As where the one who judged was on time, and the one who had collected was not."""
    asked = Asked((), MIDNIGHT + 3 * DAY, MIDNIGHT + 4 * DAY, resources=("arn:aws:s3:::charts",))
    bundle = Bundle(uuid4(), asked, world.clock(), "ann", "asked", "", 0)
    (row,) = world.rows(
        "SELECT e.digest FROM evidence_span s JOIN evidence e USING (tenant_id, evidence_id) JOIN resource r "
        "USING (tenant_id, resource_id) WHERE r.native_id = 'arn:aws:s3:::charts' AND r.type = 'aws.s3.bucket' "
        "AND s.valid_from > :at",
        at=MIDNIGHT + 3 * DAY,
    )
    here = world.here
    opened = partial(reading, here.app, here.objects, here.library, lambda *_: None, {}, "auditor")
    with (
        opened(world.tenant, bundle) as source,
        pytest.raises(ExportError, match=f"the evidence {row.digest[:12]} of arn:aws:s3:::charts is not in the ledger"),
    ):
        list(source.evidence(lambda line: line["digest"] == row.digest))


@pytest.mark.parametrize(
    "asked",
    [
        Asked((), MIDNIGHT, MIDNIGHT + DAY),
        Asked((), MIDNIGHT + 3 * DAY, MIDNIGHT + 4 * DAY, resources=("arn:aws:s3:::scans",)),
    ],
)
def test_a_bundle_that_it_does_not_touch_is_made_and_verified(world: Spine, tmp_path: Path, asked: Asked) -> None:
    said = verify(unpack(world, create(world, asked), tmp_path))
    assert (said.outcome, said.where, said.what) == (VERIFIED, "", "")
    assert said.figures["findings"] > 3
