"""Beside each signature over a bundle, the keys that signed before the one that gave it: who has an old key can follow them.

Only adds a column: the release before runs on it unchanged.
"""

from __future__ import annotations

from alembic import context, op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, and let whoever holds the key fill it with its answer."""
    roles = context.config.attributes["roles"]
    op.execute("ALTER TABLE sign_request ADD COLUMN retired text[] DEFAULT '{}'::text[] NOT NULL")
    op.execute(f"GRANT UPDATE (retired) ON sign_request TO {roles.ledger}")
