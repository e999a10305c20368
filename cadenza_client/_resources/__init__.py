"""What a client offers, by subject.

Each subject has two classes side by side with the same methods, signatures and docstrings, each
method one line over a flow or an endpoint; a test holds them together.
"""
