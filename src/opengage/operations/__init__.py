"""One function per user intent: load, decide, save, in one transaction."""
