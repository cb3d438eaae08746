"""What each resource is, said once: one file per noun, and what reads their descriptions.

Lists, includes, relationship addresses, the OpenAPI document and callbacks all go by these. Nothing here knows the web
framework: the worker, which renders callbacks, does not load it.
"""
