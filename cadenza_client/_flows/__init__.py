"""Protocols of several requests, written once as generators and driven twice. Pure."""
