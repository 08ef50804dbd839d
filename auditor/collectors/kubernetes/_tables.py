"""What the Kubernetes project says and no API tells: tables beside this module, each with its date and its sources."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from auditor.domain.reading import Reading, Seen, Unseen

FOLDER = Path(__file__).parent / "tables"
_MINOR = re.compile(r"v?(\d{1,3})\.(\d{1,3})(?![\d])")


@cache
def table(name: str) -> dict[str, Any]:
    """The table of that file, as written."""
    told: dict[str, Any] = yaml.safe_load((FOLDER / f"{name}.yaml").read_text("utf-8"))
    return told


def minor(version: str) -> tuple[int, int] | None:
    """The minor version of ``v1.36.2`` or a vendor's ``v1.36.2-eks-1a2b3c``; ``None`` for another text."""
    found = _MINOR.match(version)
    return (int(found[1]), int(found[2])) if found else None


def patched_until(version: str) -> Reading[datetime]:
    """The instant at which the project stops to patch a version: that day begins, UTC. What is not in the table is unseen."""
    told, parts = table("kubernetes_versions"), minor(version)
    ends: date | None = None if parts is None else told["ends"].get(f"{parts[0]}.{parts[1]}")
    if ends is None:
        return Unseen(f"Kubernetes {version or 'without a version'} is not in the table of {told['as_of']}")
    return Seen(datetime.combine(ends, time(), UTC))
