"""What keys are derived for and sealed values bound to: one made for one purpose is no good for another."""

from __future__ import annotations

WEBHOOK_SECRET = "webhook secret"  # noqa: S105  (the purpose, not the value)
CLUSTER_TOKEN = "cluster token"  # noqa: S105  (likewise)
REDACTED_VALUE = "redacted value"
