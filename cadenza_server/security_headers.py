"""What every answer tells a browser not to do; a route that has set a header itself keeps it."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders

#: An API answer is data: it loads nothing, runs nothing and stands in nobody's frame.
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
# A video or picture opened by itself: the browser's own viewer shows it.
_OBJECT_POLICY = (
    "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; "
    "frame-ancestors 'none'"
)
# The API's documentation is FastAPI's page, which loads its program from this one host.
_DOCS_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' https://cdn.jsdelivr.net; "
    "style-src 'unsafe-inline' https://cdn.jsdelivr.net https://fonts.googleapis.com; "
    "font-src https://fonts.gstatic.com; img-src data: 'self' https://fastapi.tiangolo.com; "
    "worker-src blob:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_POLICIES = {"/storage/": _OBJECT_POLICY, "/docs": _DOCS_POLICY, "/redoc": _DOCS_POLICY}
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    # Signed addresses of another host never learn from where they were opened.
    "Referrer-Policy": "same-origin",
    # For the recording page; nothing else of the device is ever asked for.
    "Permissions-Policy": "camera=(self), microphone=(self), geolocation=(), payment=(), usb=()",
    "X-Frame-Options": "DENY",
}
_HSTS = "max-age=31536000"


def protect(headers: MutableHeaders, path: str, *, is_dev: bool) -> None:
    """Add what is not there yet.

    Args:
        headers: of an answer about to leave.
        path: what was asked for.
        is_dev: there plain HTTP is allowed, and stays allowed.
    """
    for name, value in _ALWAYS.items():
        headers.setdefault(name, value)
    if not is_dev:
        headers.setdefault("Strict-Transport-Security", _HSTS)
    policy = next((text for start, text in _POLICIES.items() if path.startswith(start)), None)
    headers.setdefault("Content-Security-Policy", policy or DATA_POLICY)
    if headers.get("content-type", "").startswith("application/json"):
        # Names, notes and signed addresses are for who asked, not for a cache on the way.
        headers.setdefault("Cache-Control", "no-store")
