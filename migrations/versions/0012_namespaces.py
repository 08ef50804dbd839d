"""What a look at a cluster left out, and who last changed what was seen.

Only adds columns: the release before runs on it unchanged.
"""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; what was seen before was listed whole, and tells nobody's name."""
    op.execute("ALTER TABLE coverage_span ADD COLUMN within text[] DEFAULT '{}' NOT NULL")
