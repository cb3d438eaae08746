"""Benchmarks: how fast texts get in and out, each figure beside the raw limit measured in the same run.

Beside the text's path: everything is driven from outside, by the commands and calls that users have. Only `raw` looks
inside, to measure the limits. See docs/explanation/performance.md.
"""
