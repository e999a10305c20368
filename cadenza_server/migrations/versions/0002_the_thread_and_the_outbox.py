"""The thread, markers, the outbox, webhooks, notifications and derivatives.

Revision: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TABLES = (
    "events",
    "notifications",
    "webhooks",
    "derivatives",
    "webhook_deliveries",
    "messages",
    "submission_views",
    "message_reads",
    "video_markers",
)


def upgrade() -> None:
    """The new tables, and when an asset's MP4 was made."""
    op.create_table(
        "events",
        sa.Column(
            "seq",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_id", sa.Integer(), nullable=True),
        sa.Column("audience", sa.JSON(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_events")),
        sa.UniqueConstraint("id", name=op.f("uq_events_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_events_at"), "events", ["at"], unique=False)
    op.create_table(
        "notifications",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("submission_id", sa.Uuid(), nullable=True),
        sa.Column("actor_id", sa.Integer(), nullable=True),
        sa.Column("event_count", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_notifications_user_id_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
    )
    op.create_index(
        "ix_notifications_unread",
        "notifications",
        ["user_id"],
        unique=False,
        sqlite_where=sa.text("read_at IS NULL"),
        postgresql_where=sa.text("read_at IS NULL"),
    )
    op.create_index(
        "ix_notifications_user_id_created_at",
        "notifications",
        ["user_id", "created_at"],
        unique=False,
    )
    op.create_table(
        "webhooks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("event_types", sa.JSON(), nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("disabled_reason", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name=op.f("fk_webhooks_owner_id_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
    )
    op.create_index(
        "ix_webhooks_active",
        "webhooks",
        ["owner_id"],
        unique=False,
        sqlite_where=sa.text("active"),
        postgresql_where=sa.text("active"),
    )
    op.create_index(op.f("ix_webhooks_owner_id"), "webhooks", ["owner_id"], unique=False)
    op.create_table(
        "derivatives",
        sa.Column("asset_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error_code", sa.String(), nullable=True),
        sa.Column("key", sa.String(), nullable=True),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind IN ('storyboard', 'waveform', 'loudness', 'normalise')",
            name=op.f("ck_derivatives_kind"),
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'running', 'ready', 'failed')", name=op.f("ck_derivatives_state")
        ),
        sa.CheckConstraint("attempts >= 0", name=op.f("ck_derivatives_attempts")),
        sa.ForeignKeyConstraint(
            ["asset_id"], ["media_assets.id"], name=op.f("fk_derivatives_asset_id_media_assets")
        ),
        sa.PrimaryKeyConstraint("asset_id", "kind", name=op.f("pk_derivatives")),
    )
    op.create_index(
        "ix_derivatives_unfinished",
        "derivatives",
        ["created_at"],
        unique=False,
        sqlite_where=sa.text("state IN ('pending', 'running')"),
        postgresql_where=sa.text("state IN ('pending', 'running')"),
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("webhook_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("response_code", sa.Integer(), nullable=True),
        sa.Column("error_code", sa.String(), nullable=True),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('pending', 'delivered', 'failed')",
            name=op.f("ck_webhook_deliveries_status"),
        ),
        sa.CheckConstraint("attempt >= 0", name=op.f("ck_webhook_deliveries_attempt")),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["events.id"],
            name=op.f("fk_webhook_deliveries_event_id_events"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["webhook_id"],
            ["webhooks.id"],
            name=op.f("fk_webhook_deliveries_webhook_id_webhooks"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
    )
    op.create_index(
        "ix_webhook_deliveries_due",
        "webhook_deliveries",
        ["next_at"],
        unique=False,
        sqlite_where=sa.text("status = 'pending'"),
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index(
        op.f("ix_webhook_deliveries_event_id"), "webhook_deliveries", ["event_id"], unique=False
    )
    op.create_index(
        "ix_webhook_deliveries_webhook_id_created_at",
        "webhook_deliveries",
        ["webhook_id", "created_at"],
        unique=False,
    )
    op.create_table(
        "messages",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("submission_id", sa.Uuid(), nullable=False),
        sa.Column("sender_id", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("asset_id", sa.Uuid(), nullable=True),
        sa.Column("video_duration_seconds", sa.Integer(), nullable=True),
        sa.Column("page_number", sa.Integer(), nullable=True),
        sa.Column("measure_number", sa.Integer(), nullable=True),
        sa.Column("marker_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("edited_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("create_fingerprint", sa.String(), nullable=False),
        sa.CheckConstraint(
            "asset_id IS NULL OR id = asset_id", name=op.f("ck_messages_id_is_asset_id")
        ),
        sa.CheckConstraint(
            "asset_id IS NULL OR video_duration_seconds IS NOT NULL",
            name=op.f("ck_messages_video_has_duration"),
        ),
        sa.CheckConstraint(
            "text IS NOT NULL OR asset_id IS NOT NULL OR deleted_at IS NOT NULL",
            name=op.f("ck_messages_content"),
        ),
        sa.CheckConstraint(
            "video_duration_seconds BETWEEN 1 AND 180", name=op.f("ck_messages_video_duration")
        ),
        sa.ForeignKeyConstraint(
            ["asset_id"], ["media_assets.id"], name=op.f("fk_messages_asset_id_media_assets")
        ),
        sa.ForeignKeyConstraint(
            ["marker_id"], ["video_markers.id"], name="fk_messages_marker_id", use_alter=True
        ),
        sa.ForeignKeyConstraint(
            ["sender_id"], ["users.id"], name=op.f("fk_messages_sender_id_users")
        ),
        sa.ForeignKeyConstraint(
            ["submission_id"],
            ["video_submissions.id"],
            name=op.f("fk_messages_submission_id_video_submissions"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
        sa.UniqueConstraint("asset_id", name=op.f("uq_messages_asset_id")),
    )
    op.create_index(op.f("ix_messages_sender_id"), "messages", ["sender_id"], unique=False)
    op.create_index(
        "ix_messages_submission_id_created_at",
        "messages",
        ["submission_id", "created_at"],
        unique=False,
    )
    op.create_table(
        "submission_views",
        sa.Column("submission_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("max_position_ms", sa.Integer(), nullable=False),
        sa.Column("watched_ms", sa.Integer(), nullable=False),
        sa.CheckConstraint("max_position_ms >= 0", name=op.f("ck_submission_views_max_position")),
        sa.CheckConstraint("watched_ms >= 0", name=op.f("ck_submission_views_watched")),
        sa.ForeignKeyConstraint(
            ["submission_id"],
            ["video_submissions.id"],
            name=op.f("fk_submission_views_submission_id_video_submissions"),
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_submission_views_user_id_users")
        ),
        sa.PrimaryKeyConstraint("submission_id", "user_id", name=op.f("pk_submission_views")),
    )
    op.create_table(
        "message_reads",
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name=op.f("fk_message_reads_message_id_messages")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_message_reads_user_id_users")
        ),
        sa.PrimaryKeyConstraint("message_id", "user_id", name=op.f("pk_message_reads")),
    )
    op.create_table(
        "video_markers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("submission_id", sa.Uuid(), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=True),
        sa.Column("author_id", sa.Integer(), nullable=False),
        sa.Column("timestamp_ms", sa.Integer(), nullable=False),
        sa.Column("end_ms", sa.Integer(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("marker_type", sa.String(), nullable=False),
        sa.Column("page_number", sa.Integer(), nullable=True),
        sa.Column("measure_number", sa.Integer(), nullable=True),
        sa.Column("measure_end", sa.Integer(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("settled_by_submission_id", sa.Uuid(), nullable=True),
        sa.Column("carried_from_id", sa.Uuid(), nullable=True),
        sa.Column("client_id", sa.Uuid(), nullable=True),
        sa.Column("create_fingerprint", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("edited_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "marker_type IN ('feedback', 'question', 'praise')", name=op.f("ck_video_markers_type")
        ),
        sa.CheckConstraint(
            "status IN ('open', 'tried', 'settled')", name=op.f("ck_video_markers_status")
        ),
        sa.CheckConstraint("end_ms > timestamp_ms", name=op.f("ck_video_markers_range")),
        sa.CheckConstraint("measure_end >= measure_number", name=op.f("ck_video_markers_measures")),
        sa.CheckConstraint("timestamp_ms >= 0", name=op.f("ck_video_markers_timestamp")),
        sa.ForeignKeyConstraint(
            ["author_id"], ["users.id"], name=op.f("fk_video_markers_author_id_users")
        ),
        sa.ForeignKeyConstraint(
            ["carried_from_id"],
            ["video_markers.id"],
            name=op.f("fk_video_markers_carried_from_id_video_markers"),
        ),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name=op.f("fk_video_markers_message_id_messages")
        ),
        sa.ForeignKeyConstraint(
            ["settled_by_submission_id"],
            ["video_submissions.id"],
            name=op.f("fk_video_markers_settled_by_submission_id_video_submissions"),
        ),
        sa.ForeignKeyConstraint(
            ["submission_id"],
            ["video_submissions.id"],
            name=op.f("fk_video_markers_submission_id_video_submissions"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_video_markers")),
        sa.UniqueConstraint(
            "author_id", "client_id", name=op.f("uq_video_markers_author_id_client_id")
        ),
    )
    op.create_index(
        "ix_video_markers_message_id",
        "video_markers",
        ["message_id"],
        unique=False,
        sqlite_where=sa.text("message_id IS NOT NULL"),
        postgresql_where=sa.text("message_id IS NOT NULL"),
    )
    op.create_index(
        "ix_video_markers_open_questions",
        "video_markers",
        ["submission_id"],
        unique=False,
        sqlite_where=sa.text("marker_type = 'question' AND status = 'open' AND deleted_at IS NULL"),
        postgresql_where=sa.text(
            "marker_type = 'question' AND status = 'open' AND deleted_at IS NULL"
        ),
    )
    op.create_index(
        "ix_video_markers_submission_id_timestamp_ms",
        "video_markers",
        ["submission_id", "timestamp_ms"],
        unique=False,
    )
    op.add_column(
        "media_assets", sa.Column("normalised_at", sa.DateTime(timezone=True), nullable=True)
    )

    # Messages and markers point at each other. SQLite took the reference above, before the table
    # it points at was there; PostgreSQL takes it now.
    if op.get_bind().dialect.name == "postgresql":
        op.create_foreign_key(
            "fk_messages_marker_id", "messages", "video_markers", ["marker_id"], ["id"]
        )


def downgrade() -> None:
    """Drop them, children first."""
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint("fk_messages_marker_id", "messages", type_="foreignkey")
    op.drop_column("media_assets", "normalised_at")
    for table in reversed(_TABLES):
        op.drop_table(table)
