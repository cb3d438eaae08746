"""What seals secrets at rest: the key that the settings name, or the one in the data folder."""

from pathlib import Path

from opengage.domain.errors import Unavailable
from opengage.sealing import Sealer, UnusableKey, key_file, parse_keys
from opengage.settings import Settings

KEY_FILE = "secret.key"
"""The key's file in the data folder. A copy of the database without it gives no secret away."""


def key_path(settings: Settings) -> Path:
    """Where the key lies when no setting holds it."""
    return settings.data / KEY_FILE


def sealer(settings: Settings) -> Sealer:
    """The sealer of this installation; its key file is made when there is none. Raises Unavailable."""
    try:
        keys = parse_keys(settings.secret_key) if settings.secret_key else key_file(key_path(settings))
    except UnusableKey as error:
        raise Unavailable(str(error)) from error
    return Sealer(keys)
