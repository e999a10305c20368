"""Rate limits that all workers share.

On PostgreSQL only: SQLite's are in a file of their own beside the database, so that a request
which only reads never waits for the disk.

Revision: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One row for each caller and kind; unlogged, for nothing is lost with it."""
    if op.get_bind().dialect.name != "postgresql":
        return
    op.create_table(
        "rate_limits",
        sa.Column("caller", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("full_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("caller", "kind", name=op.f("pk_rate_limits")),
        prefixes=["UNLOGGED"],
    )


def downgrade() -> None:
    """Drop it."""
    if op.get_bind().dialect.name == "postgresql":
        op.drop_table("rate_limits")
