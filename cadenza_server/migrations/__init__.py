"""Alembic migrations; start-up runs `upgrade head` (B-31)."""
