"""The Python client of the API, used by the command line."""
