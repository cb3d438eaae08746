"""Where a request arrives: one file per resource, plus authentication, errors and negotiation."""
