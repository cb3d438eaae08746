"""Erasures: a person's number is forgotten at once, in all of an account, however far its texts have come."""

from enum import StrEnum


class ErasureStatus(StrEnum):
    """How far an erasure has come."""

    PENDING = "pending"
    """A worker will take it up within seconds."""
    WAITING = "waiting"
    """All is erased but texts that are with the network at this moment, or in doubt: they are erased once they end."""
    COMPLETED = "completed"
