"""Every change of what is asked and of what is looked at, by time: definitions, parameters, mappings, scopes, sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from auditor.proof.canonical import stamp
from auditor.store.facts import plain

_ACTS = """
SELECT at, actor, action, subject, data FROM user_action
WHERE at >= :begins AND at < :known_to AND split_part(action, '.', 1) IN ('source', 'scope', 'inventory', 'control')
"""
_DEFINITIONS = """
SELECT check_id, judged_digest, published_digest, body, first_seen_at FROM definition
WHERE first_seen_at < :known_to ORDER BY check_id, first_seen_at, published_digest
"""
_DECIDES = ("applies_when", "pass_when", "document_version", "resource")


def changes(connection: Connection, begins: datetime, known_to: datetime) -> Iterator[Mapping[str, Any]]:
    """``changes.jsonl``: ``at``, ``kind``, ``subject``, ``by``, ``reason``, ``detail``; what was there before counts as no change."""
    window = {"begins": begins, "known_to": known_to}
    told = [
        {
            "at": stamp(row.at),
            "kind": row.action,
            "subject": row.subject,
            "by": row.actor,
            "reason": str(row.data.get("reason", "")),
            "detail": plain(row.data),
        }
        for row in connection.execute(text(_ACTS), window)
    ]
    before: dict[str, Mapping[str, Any]] = {}
    for row in connection.execute(text(_DEFINITIONS), {"known_to": known_to}):
        old, new = before.get(row.check_id), row.body
        before[row.check_id] = new
        if row.first_seen_at < begins:
            continue
        for kind, detail in _differences(old, new):
            digests = {"judged_digest": row.judged_digest, "published_digest": row.published_digest}
            told.append(
                {
                    "at": stamp(row.first_seen_at),
                    "kind": kind,
                    "subject": row.check_id,
                    "by": "release",
                    "reason": "",
                    "detail": {**detail, **digests},
                }
            )
    return iter(sorted(told, key=lambda one: (one["at"], one["kind"], one["subject"])))


def _differences(old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What became of a definition, by what it means to an auditor."""
    if old is None:
        yield "definition.first", {}
        return
    if any(old.get(name) != new.get(name) for name in _DECIDES):
        yield "definition.condition", _both(old, new, _DECIDES)
    if old.get("params") != new.get("params"):
        yield "definition.parameter", _both(old, new, ("params",))
    if old.get("requirements") != new.get("requirements"):
        yield "definition.mapping", _both(old, new, ("requirements",))
    rest = sorted((old.keys() | new.keys()) - {*_DECIDES, "params", "requirements"})
    if any(old.get(name) != new.get(name) for name in rest):
        yield "definition.text", _both(old, new, tuple(name for name in rest if old.get(name) != new.get(name)))


def _both(old: Mapping[str, Any], new: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {"before": {name: old.get(name) for name in names}, "after": {name: new.get(name) for name in names}}
