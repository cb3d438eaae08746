"""JSON:API documents, media types, paging and filters; knows no noun of ours and imports none."""
