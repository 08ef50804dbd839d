"""What is told: webhooks, events, deliveries and their attempts."""

from __future__ import annotations

import sqlalchemy as sa

from auditor.store.columns import (
    at,
    id_,
    json,
    key,
    number,
    refers,
    tenants,
    unique,
    words,
)

webhook = tenants(
    "webhook",
    id_("webhook_id"),
    words("url"),
    sa.Column("secret_sealed", sa.LargeBinary, nullable=False),
    sa.Column("previous_sealed", sa.LargeBinary, nullable=True),
    at("previous_until", null=True),
    at("created_at"),
    at("disabled_at", null=True),
    words("disabled_reason", null=True),
    words("created_by"),
    key("webhook_id"),
    refers("tenant"),
)
outbox = tenants(
    "outbox",
    id_("event_id"),
    words("type"),
    at("at"),
    json("data"),
    id_("run_id", null=True),
    key("event_id"),
    sa.Index("outbox_by_time", "tenant_id", "at"),
)
delivery = tenants(
    "delivery",
    id_("delivery_id"),
    id_("webhook_id"),
    id_("event_id"),
    words("state", default="due"),
    number("attempts", default="0"),
    at("next_attempt_at", null=True),
    sa.Column("last_status", sa.Integer, nullable=True),
    words("last_error", null=True),
    at("delivered_at", null=True),
    key("delivery_id"),
    unique("webhook_id", "event_id"),
    refers("webhook", "webhook_id"),
    refers("outbox", "event_id"),
)
delivery_attempt = tenants(
    "delivery_attempt",
    id_("delivery_id"),
    number("n"),
    at("at"),
    sa.Column("status", sa.Integer, nullable=True),
    words("error", null=True),
    number("took_ms"),
    words("response_head", default=""),
    key("delivery_id", "n"),
    refers("delivery", "delivery_id"),
)
