"""The fault server: a real HTTP server whose misbehaviour is a scenario's script.

Raw sockets, because resets, cut bodies, early answers and malformed heads cannot be had from a
framework. It listens on loopback unless told otherwise (SEC-29).
"""
