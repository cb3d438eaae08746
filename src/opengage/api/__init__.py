"""Where a request arrives: one file per resource, and the only place that knows HTTP."""
