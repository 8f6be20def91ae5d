"""Bluesky's public posts by Jetstream, version 1 of its protocol: JSON over a WebSocket, no account."""
