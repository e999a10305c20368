"""The web page: what teachers and students see in a browser, served by this server alone.

`session` is imported by the API's own requests, so this file imports nothing.
"""
