"""Bytes on sockets: the only modules that know httpx and httpcore."""
