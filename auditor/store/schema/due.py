"""What is due: ids and times only, crossed by the claims role."""

from __future__ import annotations

import sqlalchemy as sa

from auditor.store.columns import (
    at,
    id_,
    key,
    number,
    refers,
    tenants,
    words,
)

work = tenants(
    "work",
    words("queue"),
    id_("id"),
    at("due_at"),
    at("lease_until", null=True),
    number("fence", default="0", big=True),
    number("attempts", default="0"),
    sa.PrimaryKeyConstraint("queue", "id"),
    sa.Index("work_due", "queue", "due_at"),
)
schedule = tenants(
    "schedule",
    id_("source_id"),
    at("due_at"),
    number("every_seconds"),
    at("lease_until", null=True),
    key("source_id"),
    refers("source", "source_id"),
    sa.Index("schedule_due", "due_at"),
)
