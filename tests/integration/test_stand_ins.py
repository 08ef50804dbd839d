"""A source that nobody configured to be anything but real, and whose answers come from elsewhere all the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from auditor.domain.source import public_id
from auditor.simulators.aws import AwsEmulator
from tests.fixtures.database import Provisioned
from tests.fixtures.spine import DAY, REGIONS, spine

AT = datetime(2026, 10, 1, 6, tzinfo=UTC)


def test_a_source_is_marked_by_who_answered_and_not_by_its_configuration_alone(
    provisioned: Provisioned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with AwsEmulator() as emulator:
        for name, value in emulator.environment().items():
            monkeypatch.setenv(name, value)
        with spine(provisioned, emulator, tmp_path, AT, ("s3",)) as world:
            from auditor.domain.scope import Scope

            innocent = replace(
                world.source, id=public_id(world.tenant, "source", "plain"), account="0", endpoint_url=None
            )
            world.rows("UPDATE source SET endpoint_url = NULL, answered_by = '' RETURNING 1")
            with world.here.open_tenant(world.tenant) as books:
                books.add_source(innocent, Scope(), regions=REGIONS, every=DAY.total_seconds(), now=world.clock())
                assert [one.stand_in for one in books.sources()] == ["", ""]
            world.run()
            with world.here.open_tenant(world.tenant) as books:
                told = {one.account: one.stand_in for one in books.sources()}
            host = emulator.url.removeprefix("http://")
            assert told == {"0": "", world.source.account: host}, "the one that was looked at, and no other"
            rows = world.rows("SELECT DISTINCT endpoint FROM evidence_span WHERE place <> 'join'")
            assert [row.endpoint for row in rows] == [host]
            before = world.rows("SELECT xmin::text FROM source ORDER BY account")
            world.next_day()
            world.run()
            assert world.rows("SELECT xmin::text FROM source ORDER BY account") == before, "told once"
