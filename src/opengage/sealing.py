"""Secrets at rest: sealed with a key that lies outside the database, so that a copy of it gives nothing away.

Beside the text's path, at the bottom. AES-256-GCM (NIST SP 800-38D) under a random nonce; what a secret is for goes
into the seal, so that one row's secret does not open in another's place. The first key seals, every key opens: to
rotate, put a new key before the old one, seal everything anew, then take the old one away.
"""

import base64
import binascii
import contextlib
import hashlib
import os
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_MARK: Final = "sealed:1:"
"""What a sealed secret begins with; a secret in the clear must not."""
_HEADING: Final = "# Opengage: seals the secrets in the database. Without it they cannot be read. Keep a copy apart.\n"


class UnusableKey(Exception):
    """A key, or the file that holds it, cannot be used; says why and what to do."""


class Unsealable(Exception):
    """What is stored does not open: another key sealed it, it is another row's, or it was changed."""


class Sealer:
    """Seals with the first key, opens with any. The keys never show in `repr`."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise UnusableKey(
                f"A secret key has {KEY_BYTES} random bytes in base64. Make one with “openssl rand -base64 32”."
            )
        self._keys = {_name(key): AESGCM(key) for key in reversed(keys)}
        self._current = _name(keys[0])

    def seal(self, secret: str, purpose: str) -> str:
        """The secret as it may be stored; it opens for the same purpose only."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + self._keys[self._current].encrypt(nonce, secret.encode(), purpose.encode())
        return f"{_MARK}{self._current}:{base64.b64encode(sealed).decode()}"

    def open(self, sealed: str, purpose: str) -> str:
        """The secret that was sealed. Raises Unsealable."""
        name, _, text = sealed.removeprefix(_MARK).partition(":")
        key = self._keys.get(name)
        if not is_sealed(sealed) or key is None:
            raise Unsealable(
                "A stored secret was sealed with a key that is not here. Restore the secret key of its time."
            )
        try:
            raw = base64.b64decode(text, validate=True)
            return key.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], purpose.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise Unsealable("A stored secret was changed, or is another one's. Set it anew.") from error

    def is_current(self, sealed: str) -> bool:
        """Whether it was sealed with the key that seals now: what was not is to be sealed anew after a rotation."""
        return sealed.startswith(f"{_MARK}{self._current}:")


def is_sealed(text: str) -> bool:
    """Whether a stored value is sealed, and not in the clear from an earlier version."""
    return text.startswith(_MARK)


def _name(key: bytes) -> str:
    """What a key is called beside what it sealed: tells keys apart and gives nothing of them away."""
    return hashlib.sha256(b"opengage key name\0" + key).hexdigest()[:12]


def parse_keys(text: str) -> list[bytes]:
    """Keys in base64, one a line or parted by commas; lines that begin with # are remarks. Raises UnusableKey."""
    lines = [line.strip() for line in text.splitlines() if not line.lstrip().startswith("#")]
    words = [word.strip() for line in lines for word in line.split(",") if word.strip()]
    try:
        keys = [base64.b64decode(word, validate=True) for word in words]
    except binascii.Error:
        keys = []
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        raise UnusableKey(
            f"A secret key is {KEY_BYTES} random bytes in base64. Make one with “openssl rand -base64 32”."
        )
    return keys


def key_file(path: Path) -> list[bytes]:
    """The keys in a file; a file that is not there is made, with a new key, for its owner alone to read.

    Raises UnusableKey when it cannot be read or written, or when others may read it.
    """
    try:
        if not path.exists():
            _make(path)
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise UnusableKey(f"Others may read the key file {path}. Take that right away: chmod 600 {path}")
        return parse_keys(path.read_text("ascii", errors="replace"))
    except UnusableKey as error:
        raise UnusableKey(str(error) if str(path) in str(error) else f"{path}: {error}") from error
    except OSError as error:
        raise UnusableKey(f"The key file {path} cannot be used ({error.strerror}). Check that it is yours.") from error


def _make(path: Path) -> None:
    """Write a new key whole or not at all: of two processes that start at once, the second one reads the first's."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(_HEADING + base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode() + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
