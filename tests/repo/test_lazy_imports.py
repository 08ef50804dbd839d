"""What a command does not use it does not import: seconds and memory of every start depend on it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOT_FOR_SCANS = {"flask", "celery", "kombu", "redis", "sqlalchemy", "psycopg", "alembic", "httpx", "werkzeug"}
NOT_FOR_HELP = NOT_FOR_SCANS | {"boto3", "botocore", "kubernetes", "pydantic", "yaml", "cryptography", "jinja2"}


def imported(code: str) -> set[str]:
    shown = "import sys; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{shown}"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    return set(done.stdout.splitlines()[-1].split())


def test_help_imports_no_heavy_library() -> None:
    asked = """
from auditor.cli import main
try:
    main(["--help"])
except SystemExit:
    pass
"""
    assert not imported(asked) & NOT_FOR_HELP


@pytest.mark.parametrize("heavy", sorted(NOT_FOR_SCANS))
def test_a_scan_imports_nothing_of_pages_workers_or_databases(heavy: str, scanned: set[str]) -> None:
    assert "botocore" in scanned
    assert heavy not in scanned


@pytest.fixture(scope="module")
def scanned() -> set[str]:
    return imported(
        "import auditor.bootstrap, auditor.cli.scan, auditor.cli.scan_output, auditor.collectors.aws._client, controls\n"
        "controls.shipped()"
    )
