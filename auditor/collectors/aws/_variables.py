"""Variables of functions, tasks and builds: withheld while they are projected, so that no value is ever kept."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from auditor.domain.reading import Reading
from auditor.domain.redaction import variable, withhold


def scan_variables(variables: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """The names with marks for values, and which patterns these show; a name that stands twice is scanned twice."""
    return withhold(variable(str(name), str(value or "")) for name, value in variables)


def told_secrets(scanned: Reading[Any]) -> Reading[tuple[str, ...]]:
    """The hits in words for a message: pattern and name."""
    return scanned.map(
        lambda found: tuple(f"{hit['pattern']} in {hit['place']}" for hit in (found or {}).get("hits", ()))
    )
