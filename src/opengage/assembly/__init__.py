"""The composition root: the only place that names concrete stores and carriers, and joins them to what uses them.

One module for each kind of process, so that none loads what it does not run: `store` for all of them, `web`, `worker`.
"""
