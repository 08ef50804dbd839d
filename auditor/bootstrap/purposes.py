"""What sealed values are bound to: one sealed for one purpose does not open for another."""

from __future__ import annotations

WEBHOOK_SECRET = "webhook secret"  # noqa: S105  (the purpose, not the value)
CLUSTER_TOKEN = "cluster token"  # noqa: S105  (likewise)
