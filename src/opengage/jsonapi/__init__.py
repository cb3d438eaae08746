"""JSON:API as a format: documents, queries and media types. Imports nothing of ours."""
