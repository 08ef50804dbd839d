"""What watches tell: hints that something may have changed, and how far each watch has come. Nothing here is evidence."""

from __future__ import annotations

from auditor.store.columns import at, id_, key, refers, tenants, words

dirty = tenants(
    "dirty",
    id_("source_id"),
    words("resource_type"),
    words("native_id"),
    at("first_at"),
    at("due_at"),
    key("source_id", "resource_type", "native_id"),
    refers("source", "source_id"),
)
watched = tenants(
    "watched",
    id_("source_id"),
    words("stream"),
    words("version"),
    words("state", default="waiting"),
    words("detail", default=""),
    at("since"),
    key("source_id", "stream"),
    refers("source", "source_id"),
)
