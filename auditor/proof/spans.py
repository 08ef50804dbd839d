"""What the ledger commits to: the facts of a span as it opened, of a run as it ended, and of a place as it then stood.

Enters: findings, spans and runs as JSON, in the words of the bundle. Leaves: the digests that go into ledger entries.
Guards the rule that writer and verifier commit to the same facts: both call these functions. What comes later (the end of a
span) is no fact of its opening; it is the fact of the next one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

FOREVER = "9999-12-31T00:00:00Z"

FINDING_FACTS = ("finding", "source", "check", "resource", "resource_type")
SPAN_FACTS = (
    "seq", "state", "prev_state", "cause", "reason", "because", "observed", "severity", "evidence_digest",
    "document_digest", "document_version", "judged_digest", "published_digest", "evaluator", "run", "judged_as_of",
    "valid_from", "recorded_at", "opened_event", "about_place",
)  # fmt: skip
RUN_FACTS = ("run", "source", "slot", "state", "scope_version", "started_at", "finished_at", "counts", "places")

_write = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def span_digest(finding: Mapping[str, Any], span: Mapping[str, Any]) -> str:
    """The digest that the entry of a span's opening commits to; both mappings may hold more than the facts.

    Raises:
        KeyError: A fact is missing.
    """
    return _digest({**{key: finding[key] for key in FINDING_FACTS}, **{key: span[key] for key in SPAN_FACTS}})


def run_digest(run: Mapping[str, Any]) -> str:
    """The digest that a ``run.manifest`` entry commits to.

    Raises:
        KeyError: A fact is missing.
    """
    return _digest({key: run[key] for key in RUN_FACTS})


def event_type(prev_state: str | None, state: str) -> str:
    """The type of the ledger entry with which a span opens: the thread begins, changes, or ends with its resource."""
    if state == "absent":
        return "finding.close"
    return "finding.open" if prev_state in {None, "absent"} else "finding.change"


class Standing(NamedTuple):
    """One finding as it stands at a place. Sorted by resource and check, these tell everything judged there."""

    resource: str
    check: str
    seq: int
    state: str


class PlaceDigest:
    """One digest over all that stands at a place; findings whose resource is gone are left out.

    Feed it in order of (resource, check); the digest of nothing is that of no bytes.
    """

    def __init__(self) -> None:
        self.findings = 0
        self._hashing = hashlib.sha256()

    def add(self, standing: Standing) -> None:
        """Take in the next finding."""
        if standing.state != "absent":
            self.findings += 1
            self._hashing.update(_write(list(standing)).encode() + b"\n")

    def hexdigest(self) -> str:
        """The digest so far, as 64 hexadecimal digits."""
        return self._hashing.hexdigest()


def _digest(facts: Mapping[str, Any]) -> str:
    return hashlib.sha256(_write(facts).encode()).hexdigest()
