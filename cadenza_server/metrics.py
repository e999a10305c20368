"""Prometheus metrics: how many requests, how long, how they ended. Off unless switched on.

Labels are bounded: the method, the route's template (never a path with an id in it), the status.
Nothing here names a person. With several workers each scrape adds up all of them, through files
in the folder that `PROMETHEUS_MULTIPROC_DIR` names (`cadenza server run` makes one).
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from importlib.metadata import version

from fastapi import FastAPI, Request, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.types import Scope

from cadenza_server.errors import ApiError
from cadenza_server.settings import ServerSettings

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
FOLDER = "PROMETHEUS_MULTIPROC_DIR"


class Metrics:
    """What one application counts."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "cadenza_requests", "Requests answered.", ("method", "route", "status"),
            registry=registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "cadenza_request_seconds", "Time to the end of the answer.", ("method", "route"),
            buckets=_BUCKETS, registry=registry,
        )  # fmt: skip
        Gauge(
            "cadenza_build", "1, with the version that runs.", ("version",),
            registry=registry, multiprocess_mode="max",
        ).labels(version("cadenza")).set(1)  # fmt: skip

    def observe(self, scope: Scope, status: int, seconds: float) -> None:
        """Count one request.

        Args:
            scope: of the request, after it was routed.
            status: of the answer; 0 when the client went away before there was one.
            seconds: from the first byte to the last.
        """
        method = scope["method"] if scope["method"] in _METHODS else "other"
        route = _template(scope)
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def text(self) -> bytes:
        """All of it, of all workers, in Prometheus's text format."""
        if FOLDER in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call] # the library has none
            return generate_latest(registry)
        return generate_latest(self._registry)


def _template(scope: Scope) -> str:
    """The path with the names of its parameters in place of their values: a bounded number."""
    if "endpoint" not in scope:
        return "unmatched"
    path = f"{scope['path']}/"
    for name, value in scope.get("path_params", {}).items():
        path = path.replace(f"/{value}/", f"/{{{name}}}/", 1)
    return path.rstrip("/") or "/"


def add_metrics(app: FastAPI, settings: ServerSettings) -> Metrics:
    """Count from now on, and answer `GET /metrics` to whoever has the token when one is set."""
    metrics = Metrics()
    app.add_api_route(
        "/metrics", _metrics_route(settings, metrics), include_in_schema=False, methods=["GET"]
    )
    return metrics


def _metrics_route(settings: ServerSettings, metrics: Metrics) -> Callable[[Request], Response]:
    wanted = settings.metrics_token.get_secret_value() if settings.metrics_token else None

    def read_metrics(request: Request) -> Response:
        if wanted is not None:
            given = request.headers.get("authorization", "").removeprefix("Bearer ")
            if not secrets.compare_digest(given.encode(), wanted.encode()):
                raise ApiError("unauthorized")
        return Response(metrics.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return read_metrics
