"""Submissions on the wire, with what their threads add, as the one who asks may see it."""

from __future__ import annotations

from collections.abc import Sequence

from cadenza_server.context import Context
from cadenza_server.schemas import SubmissionOut
from cadenza_server.submissions import Shown, to_wire
from cadenza_server.threads import NOTHING, Extras, load_extras


def present(ctx: Context, views: Sequence[Shown]) -> list[SubmissionOut]:
    """Any number of submissions, in a constant number of statements."""
    with ctx.db.reading() as session:
        extras = load_extras(session, ctx.actor.id, [view.submission.id for view in views])
    return [present_alone(ctx, view, extras[view.submission.id]) for view in views]


def present_one(ctx: Context, view: Shown) -> SubmissionOut:
    """One submission."""
    return present(ctx, [view])[0]


def present_alone(ctx: Context, view: Shown, extras: Extras = NOTHING) -> SubmissionOut:
    """One submission whose thread is known, or known to be empty: no statement at all."""
    expires_in = ctx.settings.upload_url_expires_seconds
    return SubmissionOut(**to_wire(view, extras, ctx.storage, expires_in=expires_in))
