"""Rows as the ledger commits to them, in the words of a bundle: one function for whoever notes and for whoever tells later.

What is committed is what the row holds, so that both ends of ten years give the same digest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from auditor.proof.canonical import digest, stamp
from auditor.proof.spans import FINDING_FACTS, RUN_FACTS, SPAN_FACTS

_RENAMED = {"run": "run_id"}


def finding_facts(finding: UUID, source: UUID, check: str, resource: str, resource_type: str) -> dict[str, Any]:
    """The five facts of a finding; ``resource`` is the vendor's id."""
    return dict(zip(FINDING_FACTS, (str(finding), str(source), check, resource, resource_type), strict=True))


def span_facts(row: Mapping[Any, Any]) -> dict[str, Any]:
    """The twenty facts of a span, from its row in ``finding_span``; a column that the row does not name is null.

    A span is about its place where something was judged and nothing was seen.
    """
    told = {name: plain(row.get(_RENAMED.get(name, name))) for name in SPAN_FACTS}
    about_place = bool(row.get("judged_digest")) and not row.get("evidence_digest")
    if about_place:
        told |= {"evidence_digest": None, "document_digest": None}
    return told | {"about_place": about_place}


def run_facts(row: Mapping[Any, Any], places: list[dict[str, Any]]) -> dict[str, Any]:
    """The nine facts of a run that ended, from its row in ``run`` and what stood at each place then."""
    told = {name: plain(row.get(_RENAMED.get(name, name))) for name in RUN_FACTS if name not in {"places", "source"}}
    return told | {"source": plain(row["source_id"]), "places": places}


def action_digest(row: Mapping[str, Any]) -> str:
    """The digest of something that somebody did, from its row in ``user_action``."""
    return digest({name: plain(row[name]) for name in ("id", "at", "actor", "action", "subject", "data")})


def plain(value: Any) -> Any:
    """A column's value as JSON holds it: instants as ``stamp`` writes them, ids as text."""
    if isinstance(value, datetime):
        return stamp(value)
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Mapping | list | tuple):
        return json.loads(json.dumps(value, default=plain))
    return value
