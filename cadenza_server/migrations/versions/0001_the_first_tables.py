"""The first tables.

Revision: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


_REFUSAL = "upload_events is append-only"
_APPEND_ONLY: dict[str, tuple[str, ...]] = {
    "sqlite": tuple(
        f"CREATE TRIGGER upload_events_no_{verb.lower()} BEFORE {verb} ON upload_events "
        f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
        for verb in ("UPDATE", "DELETE")
    ),
    "postgresql": (
        "CREATE FUNCTION upload_events_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$",
        "CREATE TRIGGER upload_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE "
        "ON upload_events FOR EACH STATEMENT EXECUTE FUNCTION upload_events_append_only()",
    ),
}


def upgrade() -> None:
    """The first tables."""
    op.create_table(
        "studios",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("features", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_studios")),
    )
    op.create_table(
        "upload_events",
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_id", sa.Integer(), nullable=True),
        sa.Column("asset_id", sa.Uuid(), nullable=True),
        sa.Column("submission_id", sa.Uuid(), nullable=True),
        sa.Column("take_id", sa.Uuid(), nullable=True),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("prev_hash", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_upload_events")),
    )
    op.create_index(
        op.f("ix_upload_events_submission_id"), "upload_events", ["submission_id"], unique=False
    )

    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("full_name", sa.String(), nullable=True),
        sa.Column("user_type", sa.String(), nullable=True),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("teacher_id", sa.Integer(), nullable=True),
        sa.Column("teacher_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("share_history", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("studio_id", sa.Integer(), nullable=True),
        sa.Column("is_studio_admin", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("features", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("user_type IN ('student', 'teacher')", name=op.f("ck_users_user_type")),
        sa.ForeignKeyConstraint(
            ["studio_id"], ["studios.id"], name=op.f("fk_users_studio_id_studios")
        ),
        sa.ForeignKeyConstraint(
            ["teacher_id"], ["users.id"], name=op.f("fk_users_teacher_id_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
    )
    op.create_index(op.f("ix_users_studio_id"), "users", ["studio_id"], unique=False)
    op.create_index(op.f("ix_users_teacher_id"), "users", ["teacher_id"], unique=False)

    op.create_table(
        "media_assets",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("s3_key", sa.String(), nullable=False),
        sa.Column("thumbnail_s3_key", sa.String(), nullable=True),
        sa.Column("storyboard_key", sa.String(), nullable=True),
        sa.Column("waveform_key", sa.String(), nullable=True),
        sa.Column("content_type", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("state_reason", sa.String(), nullable=True),
        sa.Column("declared_size", sa.BigInteger(), nullable=True),
        sa.Column("declared_sha256", sa.String(), nullable=True),
        sa.Column("declared_thumbnail_size", sa.Integer(), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("etag", sa.String(), nullable=True),
        sa.Column("sha256", sa.String(), nullable=True),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("rotation", sa.Integer(), nullable=True),
        sa.Column("fps", sa.Float(), nullable=True),
        sa.Column("video_codec", sa.String(), nullable=True),
        sa.Column("audio_codec", sa.String(), nullable=True),
        sa.Column("duration_ms", sa.Integer(), nullable=True),
        sa.Column("source", sa.String(), nullable=True),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("confirmed_by", sa.String(), nullable=True),
        sa.Column("retain_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("hold", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind IN ('take', 'message', 'lesson')", name=op.f("ck_media_assets_kind")
        ),
        sa.CheckConstraint(
            "state IN ('awaiting_upload', 'uploaded', 'ready', 'invalid', 'expired', 'deleted')",
            name=op.f("ck_media_assets_state"),
        ),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name=op.f("fk_media_assets_owner_id_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_media_assets")),
        sa.UniqueConstraint("s3_key", name=op.f("uq_media_assets_s3_key")),
    )
    op.create_index(
        "ix_media_assets_state_created_at", "media_assets", ["state", "created_at"], unique=False
    )

    op.create_table(
        "pieces",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("pdf_filename", sa.String(), nullable=True),
        sa.Column("s3_key", sa.String(), nullable=True),
        sa.Column("page_count", sa.Integer(), nullable=True),
        sa.Column("shared_from_piece_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_pieces_owner_id_users")),
        sa.ForeignKeyConstraint(
            ["shared_from_piece_id"],
            ["pieces.id"],
            name=op.f("fk_pieces_shared_from_piece_id_pieces"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pieces")),
    )
    op.create_index(op.f("ix_pieces_owner_id"), "pieces", ["owner_id"], unique=False)

    op.create_table(
        "routines",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name=op.f("fk_routines_owner_id_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_routines")),
    )
    op.create_index(op.f("ix_routines_owner_id"), "routines", ["owner_id"], unique=False)

    op.create_table(
        "exercises",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("routine_id", sa.Uuid(), nullable=False),
        sa.Column("piece_id", sa.Uuid(), nullable=True),
        sa.Column("title", sa.String(), nullable=True),
        sa.Column("order_index", sa.Integer(), nullable=False),
        sa.Column("recommended_time_seconds", sa.Integer(), nullable=True),
        sa.Column("intentions", sa.Text(), nullable=True),
        sa.Column("start_page", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["piece_id"], ["pieces.id"], name=op.f("fk_exercises_piece_id_pieces")
        ),
        sa.ForeignKeyConstraint(
            ["routine_id"], ["routines.id"], name=op.f("fk_exercises_routine_id_routines")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exercises")),
    )
    op.create_index(op.f("ix_exercises_piece_id"), "exercises", ["piece_id"], unique=False)
    op.create_index(op.f("ix_exercises_routine_id"), "exercises", ["routine_id"], unique=False)

    op.create_table(
        "piece_pages",
        sa.Column("piece_id", sa.Uuid(), nullable=False),
        sa.Column("page_number", sa.Integer(), nullable=False),
        sa.Column("image_key", sa.String(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("measure_start", sa.Integer(), nullable=True),
        sa.Column("measure_end", sa.Integer(), nullable=True),
        sa.CheckConstraint("page_number >= 1", name=op.f("ck_piece_pages_page_number")),
        sa.ForeignKeyConstraint(
            ["piece_id"], ["pieces.id"], name=op.f("fk_piece_pages_piece_id_pieces")
        ),
        sa.PrimaryKeyConstraint("piece_id", "page_number", name=op.f("pk_piece_pages")),
    )
    op.create_table(
        "practice_sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("routine_id", sa.Uuid(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("duration_seconds", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["routine_id"], ["routines.id"], name=op.f("fk_practice_sessions_routine_id_routines")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_practice_sessions_user_id_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_practice_sessions")),
    )
    op.create_index(
        op.f("ix_practice_sessions_user_id"), "practice_sessions", ["user_id"], unique=False
    )

    op.create_table(
        "routine_assignments",
        sa.Column("student_id", sa.Integer(), nullable=False),
        sa.Column("routine_id", sa.Uuid(), nullable=False),
        sa.Column("assigned_by_id", sa.Integer(), nullable=False),
        sa.Column("assigned_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["assigned_by_id"],
            ["users.id"],
            name=op.f("fk_routine_assignments_assigned_by_id_users"),
        ),
        sa.ForeignKeyConstraint(
            ["routine_id"], ["routines.id"], name=op.f("fk_routine_assignments_routine_id_routines")
        ),
        sa.ForeignKeyConstraint(
            ["student_id"], ["users.id"], name=op.f("fk_routine_assignments_student_id_users")
        ),
        sa.PrimaryKeyConstraint("student_id", name=op.f("pk_routine_assignments")),
    )
    op.create_index(
        op.f("ix_routine_assignments_routine_id"),
        "routine_assignments",
        ["routine_id"],
        unique=False,
    )

    op.create_table(
        "video_submissions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("exercise_id", sa.Uuid(), nullable=True),
        sa.Column("piece_id", sa.Uuid(), nullable=True),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("asset_id", sa.Uuid(), nullable=False),
        sa.Column("duration_seconds", sa.Integer(), nullable=False),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("page_number", sa.Integer(), nullable=True),
        sa.Column("measure_number", sa.Integer(), nullable=True),
        sa.Column("measure_end", sa.Integer(), nullable=True),
        sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reviewed_by_id", sa.Integer(), nullable=True),
        sa.Column("is_mastered", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("mastered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("mastered_by_id", sa.Integer(), nullable=True),
        sa.Column("captured_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("create_fingerprint", sa.String(), nullable=False),
        sa.CheckConstraint(
            "(reviewed_at IS NULL) = (reviewed_by_id IS NULL)",
            name=op.f("ck_video_submissions_reviewed"),
        ),
        sa.CheckConstraint(
            "duration_seconds BETWEEN 1 AND 180", name=op.f("ck_video_submissions_duration")
        ),
        sa.CheckConstraint(
            "exercise_id IS NOT NULL OR piece_id IS NOT NULL OR session_id IS NOT NULL",
            name=op.f("ck_video_submissions_context"),
        ),
        sa.CheckConstraint("id = asset_id", name=op.f("ck_video_submissions_id_is_asset_id")),
        sa.ForeignKeyConstraint(
            ["asset_id"],
            ["media_assets.id"],
            name=op.f("fk_video_submissions_asset_id_media_assets"),
        ),
        sa.ForeignKeyConstraint(
            ["exercise_id"],
            ["exercises.id"],
            name=op.f("fk_video_submissions_exercise_id_exercises"),
        ),
        sa.ForeignKeyConstraint(
            ["mastered_by_id"], ["users.id"], name=op.f("fk_video_submissions_mastered_by_id_users")
        ),
        sa.ForeignKeyConstraint(
            ["piece_id"], ["pieces.id"], name=op.f("fk_video_submissions_piece_id_pieces")
        ),
        sa.ForeignKeyConstraint(
            ["reviewed_by_id"], ["users.id"], name=op.f("fk_video_submissions_reviewed_by_id_users")
        ),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["practice_sessions.id"],
            name=op.f("fk_video_submissions_session_id_practice_sessions"),
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_video_submissions_user_id_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_video_submissions")),
    )
    op.create_index(
        "ix_video_submissions_piece_id_page_number",
        "video_submissions",
        ["piece_id", "page_number"],
        unique=False,
    )
    op.create_index(
        "ix_video_submissions_exercise_id",
        "video_submissions",
        ["exercise_id"],
        unique=False,
        sqlite_where=sa.text("exercise_id IS NOT NULL"),
        postgresql_where=sa.text("exercise_id IS NOT NULL"),
    )
    op.create_index(
        "ix_video_submissions_to_review",
        "video_submissions",
        ["user_id"],
        unique=False,
        sqlite_where=sa.text("reviewed_at IS NULL"),
        postgresql_where=sa.text("reviewed_at IS NULL"),
    )
    op.create_index(
        "ix_video_submissions_user_id_captured_at",
        "video_submissions",
        ["user_id", "captured_at"],
        unique=False,
    )

    # The audit trail is append-only, and the database is what says so (F002-31): no code path,
    # and no person with a query tool, changes a line without first dropping a trigger.
    for statement in _APPEND_ONLY[op.get_bind().dialect.name]:
        op.execute(statement)


def downgrade() -> None:
    """Drop everything; the triggers go with their table."""
    op.drop_table("video_submissions")

    op.drop_table("routine_assignments")

    op.drop_table("practice_sessions")
    op.drop_table("piece_pages")

    op.drop_table("exercises")

    op.drop_table("routines")

    op.drop_table("pieces")

    op.drop_table("media_assets")

    op.drop_table("users")

    op.drop_table("upload_events")
    op.drop_table("studios")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION upload_events_append_only()")
