"""What seals secrets in tests."""

from typing import Final

from opengage.sealing import Sealer

SEALER: Final = Sealer([b"k" * 32])


def seals() -> Sealer:
    """The sealer, as stores ask for it."""
    return SEALER
