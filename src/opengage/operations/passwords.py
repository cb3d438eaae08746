"""Passwords: Argon2id with OWASP's least parameters, renewed at login when these grow, and the same time for nobody.

Beside the text's path: people log in with them, programs have API tokens.
"""

import asyncio
import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from opengage.domain.errors import Code, Problem

_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
"""19 MiB, two passes, one lane."""

NOBODY: Final = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
"""Matches no password, and costs as much to try as any other."""

SHORTEST: Final = 12
LONGEST: Final = 1024
_AT_ONCE: Final = 2
"""Passwords that are tried at the same time in this process: each takes 19 MiB and a core for a moment."""
_EMAIL: Final = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]{1,255}\Z")


class Passwords:
    """Hashes and tries passwords beside the event loop, a few at a time."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def hash(self, password: str) -> str:
        """What is stored of a password."""
        async with self._turns:
            return await asyncio.to_thread(_HASHER.hash, _prepared(password))

    async def matching(self, password: str, hashes: Sequence[str]) -> list[bool]:
        """Which of the hashes the password fits. Without any, one is tried all the same, for the time it takes."""
        async with self._turns:
            return await asyncio.to_thread(_try_all, password, hashes)


def is_outdated(password_hash: str) -> bool:
    """Whether a hash was made with other parameters than today's."""
    return _HASHER.check_needs_rehash(password_hash)


def email_of(text: str, problems: list[Problem], pointer: str | None = None) -> str:
    """An e-mail address as it is compared; what is wrong with it is added to `problems`."""
    if not _EMAIL.match(text):
        detail = f"“{text[:80]}” is no e-mail address. Write it as in ann@example.org."
        problems.append(Problem(Code.NOT_ALLOWED_VALUE, detail, pointer))
    return unicodedata.normalize("NFC", text).strip().lower()


def check(password: str, problems: list[Problem], pointer: str | None = None) -> None:
    """Length is what makes a password hard to guess; what is wrong with it is added to `problems`."""
    if not SHORTEST <= len(password) <= LONGEST:
        detail = f"The password must have {SHORTEST} to {LONGEST} characters. Choose one, a few words for example."
        problems.append(Problem(Code.NOT_ALLOWED_VALUE, detail, pointer))


def _prepared(password: str) -> bytes:
    """The same bytes for what looks the same, whatever keyboard it came from (RFC 8265)."""
    return unicodedata.normalize("NFC", password).encode(errors="surrogatepass")


def _try_all(password: str, hashes: Sequence[str]) -> list[bool]:
    prepared = _prepared(password[: LONGEST + 1])
    found = [_fits(prepared, each) for each in hashes or (NOBODY,)]
    return found if hashes else []


def _fits(password: bytes, password_hash: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
