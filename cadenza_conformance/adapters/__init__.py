"""Adapters that are part of the project: the reference client's own."""
