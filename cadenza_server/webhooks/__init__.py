"""Webhooks: a user's events, posted to an address of theirs and signed (Standard Webhooks)."""
