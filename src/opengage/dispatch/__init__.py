"""What moves: one loop per file, from a scheduled engagement to the last receipt."""
