"""Times that a service promises with each of its findings."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from auditor.domain.reading import Reading, Seen, Unseen


def dated(value: Any) -> Reading[datetime]:
    """The time as kept (RFC 3339 text); a finding without one was not seen whole, its age is anybody's guess."""
    return Seen(value) if value else Unseen("the answer carries no time")
