"""Variables of functions, tasks and builds: scanned for secrets while they are projected, so that no value is ever kept."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from auditor.domain.reading import Reading
from auditor.domain.secrets import PATTERNS_VERSION, scan_named


def scan_variables(variables: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Which patterns the variables show and under which name; a name that stands twice is scanned twice."""
    hits = {hit for name, value in variables for hit in scan_named({str(name): str(value or "")})}
    found = sorted((hit.place, hit.pattern) for hit in hits)
    return {
        "patterns_version": PATTERNS_VERSION,
        "hits": [{"pattern": pattern, "place": place} for place, pattern in found],
    }


def told_secrets(scanned: Reading[Any]) -> Reading[tuple[str, ...]]:
    """The hits in words for a message: pattern and name."""
    return scanned.map(
        lambda found: tuple(f"{hit['pattern']} in {hit['place']}" for hit in (found or {}).get("hits", ()))
    )
