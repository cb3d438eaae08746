"""Opengage: self-hosted bulk texting that proves the fate of every recipient.

The tree reads in the order in which a text travels: `api` receives a request, `jsonapi` speaks its format,
`operations` carries out one user intent, `domain` decides, `store` remembers, `dispatch` moves what is due,
`carriers` talk to the network.
"""

__version__ = "0.1.0"
