"""Tables of dates: each says when and where it was looked up, and what it does not hold is unknown."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from auditor.collectors.aws._tables import FOLDER, supported_until, table
from auditor.domain.reading import Seen, Unseen

ROWS = {"lambda_runtimes": "ends", "eks_versions": "ends", "rds_tls_defaults": "first"}


def test_every_table_is_known_here() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(ROWS)


@pytest.mark.parametrize("name", ROWS)
def test_every_table_names_its_date_and_its_sources(name: str) -> None:
    known = table(name, ROWS[name])
    assert known.as_of >= date(2026, 1, 1)
    assert all(isinstance(source, str) and source for source in known.sources)
    assert known.rows
    assert all(isinstance(key, str) for key in known.rows)


@pytest.mark.parametrize("name", [name for name, rows in ROWS.items() if rows == "ends"])
def test_every_end_is_a_day(name: str) -> None:
    assert {type(ends) for ends in table(name, "ends").rows.values()} == {date}


@pytest.mark.parametrize(
    ("name", "key", "ends"),
    [
        ("eks_versions", "1.36", datetime(2027, 8, 2, tzinfo=UTC)),
        ("lambda_runtimes", "provided.al2", datetime(2026, 7, 31, tzinfo=UTC)),
        ("lambda_runtimes", "java17.al2023", datetime(2029, 6, 30, tzinfo=UTC)),
    ],
)
def test_support_ends_as_the_day_begins(name: str, key: str, ends: datetime) -> None:
    assert supported_until(name, Seen(key), "it") == Seen(ends)


def test_what_is_not_in_a_table_is_unknown_and_says_of_when_the_table_is() -> None:
    told = supported_until("eks_versions", Seen("9.9"), "Kubernetes")
    assert told == Unseen(f"Kubernetes 9.9 is not in the table of {table('eks_versions', 'ends').as_of}")
