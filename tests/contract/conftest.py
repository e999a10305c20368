"""The real client against the real server, over a real socket."""

from tests.client.clients import open_client as open_client
