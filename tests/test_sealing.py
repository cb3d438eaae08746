"""Secrets at rest: what seals, what opens, and where the key lies."""

import base64
import secrets
import stat
from pathlib import Path

import pytest

from opengage.sealing import Sealer, Unsealable, UnusableKey, is_sealed, key_file, parse_keys

OLD, NEW = secrets.token_bytes(32), secrets.token_bytes(32)


def text(key: bytes) -> str:
    """A key as it is written down."""
    return base64.b64encode(key).decode()


def test_a_secret_opens_for_its_purpose_alone() -> None:
    """Sealed twice it looks different; it shows nothing; moved to another row it does not open."""
    sealer = Sealer([NEW])
    one, two = sealer.seal("whsec_x", "endpoint:1"), sealer.seal("whsec_x", "endpoint:1")
    assert one != two
    assert "whsec" not in one
    assert is_sealed(one)
    assert not is_sealed("whsec_x")
    assert sealer.open(one, "endpoint:1") == sealer.open(two, "endpoint:1") == "whsec_x"
    with pytest.raises(Unsealable, match="Set it anew"):
        sealer.open(one, "endpoint:2")


@pytest.mark.parametrize(
    "spoil", [lambda s: s[:-8] + "AAAAAAA=", lambda s: s[:20], lambda s: "x" + s, lambda s: "clear"]
)
def test_what_was_changed_does_not_open(spoil: object) -> None:
    """Not even in part."""
    sealer = Sealer([NEW])
    with pytest.raises(Unsealable):
        sealer.open(spoil(sealer.seal("secret", "p")), "p")  # type: ignore[operator]


def test_a_rotation_keeps_what_the_old_key_sealed() -> None:
    """The first key seals, all open; once the old one is gone, what it sealed stays shut."""
    sealed = Sealer([OLD]).seal("secret", "p")
    both = Sealer([NEW, OLD])
    assert both.open(sealed, "p") == "secret"
    assert not both.is_current(sealed)
    again = both.seal(both.open(sealed, "p"), "p")
    assert both.is_current(again)
    assert Sealer([NEW]).open(again, "p") == "secret"
    with pytest.raises(Unsealable, match="Restore"):
        Sealer([NEW]).open(sealed, "p")


def test_keys_are_read_from_text() -> None:
    """A line each or parted by commas, with remarks; the first seals."""
    assert parse_keys(f"# remark\n{text(NEW)}\n\n{text(OLD)},{text(OLD)}\n") == [NEW, OLD, OLD]


@pytest.mark.parametrize(
    "words",
    ["", "# nothing", "short", text(b"x" * 16), text(NEW) + "," + "no key"],
    ids=["empty", "a comment", "short", "half a key", "a key and none"],
)
def test_what_is_no_key_is_refused(words: str) -> None:
    """With the way to make one, and without a word of what was given."""
    with pytest.raises(UnusableKey, match="openssl rand") as refused:
        parse_keys(words)
    assert "short" not in str(refused.value)


def test_a_key_file_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    """0600 from the first moment; a second start reads the same key, and nothing else is left in the folder."""
    path = tmp_path / "secret.key"
    first = key_file(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert key_file(path) == first
    assert len(first[0]) == 32
    assert list(tmp_path.iterdir()) == [path]


def test_a_key_file_that_others_read_is_refused(tmp_path: Path) -> None:
    """With the command that mends it."""
    path = tmp_path / "secret.key"
    key_file(path)
    path.chmod(0o640)
    with pytest.raises(UnusableKey, match="chmod 600"):
        key_file(path)


def test_a_key_file_that_cannot_be_is_told(tmp_path: Path) -> None:
    """No folder, or no key inside: the message names the file."""
    no_folder = tmp_path / "file"
    no_folder.touch()
    with pytest.raises(UnusableKey, match="cannot be used"):
        key_file(no_folder / "secret.key")
    path = tmp_path / "secret.key"
    path.write_text("nonsense", "ascii")
    path.chmod(0o600)
    with pytest.raises(UnusableKey, match=r"secret\.key"):
        key_file(path)
