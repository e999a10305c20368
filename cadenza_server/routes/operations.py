"""For those who run the server: is it up, and can it work."""

from __future__ import annotations

from anyio import move_on_after
from anyio.to_thread import run_sync
from fastapi import APIRouter, Request

from cadenza_server.context import OpenRoute, ServicesDep, base_url
from cadenza_server.documentation import refusals
from cadenza_server.errors import ApiError
from cadenza_server.readiness import find_reasons
from cadenza_server.schemas import Ready

router = APIRouter(tags=["operations"], route_class=OpenRoute)
_PATIENCE_SECONDS = 5.0


@router.get("/ready", responses=refusals("storage_unavailable", signed_in=False))
async def ready(services: ServicesDep, request: Request) -> Ready:
    """Database, migrations and storage are as they should be; 503 with the reasons otherwise.

    `/health` says that the process lives; this says that it can do its work.
    """
    reasons = {"server": "The checks took too long."}
    with move_on_after(_PATIENCE_SECONDS):
        reasons = await run_sync(find_reasons, services, base_url(request), abandon_on_cancel=True)
    if reasons:
        raise ApiError("storage_unavailable", " ".join(reasons.values()), fields=reasons)
    return Ready()
