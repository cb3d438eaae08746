"""The drill: real processes are killed, frozen, ended and starved in the middle of a blast, and the network is asked.

`make drill` runs it. It stands on the tests' own helpers (tests/processes.py, tests/blasts.py), and prints one row for
each scene: what was submitted and delivered, what is in doubt, lost and duplicated. The last two must be 0.
"""
