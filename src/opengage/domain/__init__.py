"""What is decided, without input or output: states, templates, segments, numbers, pacing, the ledger."""
