"""The records behind `cadenza_client.models`, by what they are about."""
