"""What the server does besides answering requests."""

from __future__ import annotations

from cadenza_server.background import Background, Job
from cadenza_server.context import Services
from cadenza_server.derivatives.worker import DerivativeWorker
from cadenza_server.outbox import prune
from cadenza_server.webhooks.delivering import Deliverer

_LOOK_SECONDS = 1.0
_PRUNE_SECONDS = 6 * 3600.0


def background_of(services: Services) -> Background:
    """Deliver webhooks, make derivatives, forget old events."""
    db, clock = services.db, services.clock
    deliverer = Deliverer(db, services.keyring, clock)
    jobs = [
        Job("webhooks", deliverer.run_once, _LOOK_SECONDS),
        Job("prune", lambda: prune(db, clock()), _PRUNE_SECONDS),
    ]
    if services.settings.derivatives == "off":
        return Background(jobs)
    worker = DerivativeWorker(db, services.storage_at(services.settings.public_url), clock)
    return Background(
        [*jobs, Job("derivatives", worker.run_once, _LOOK_SECONDS)], on_stop=worker.stop
    )
