"""One function for each endpoint: what to send and how to read the answer. Pure."""
