"""What a request passes before its handler: room, credentials, limits, and what it demands of its change as a whole."""
