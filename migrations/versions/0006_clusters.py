"""Clusters as sources: how one is reached, and the sealed token where there is one.

Only adds columns: the release before runs on it unchanged.
"""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add both columns; accounts that are connected already have nothing in them."""
    op.execute("ALTER TABLE source ADD COLUMN access jsonb DEFAULT '{}'::jsonb NOT NULL")
    op.execute("ALTER TABLE source ADD COLUMN secret_sealed bytea")
