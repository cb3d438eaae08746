"""The folder of bytes: whole or not at all, and never outside of it."""

import os
from pathlib import Path

import pytest

from opengage.domain.errors import Unavailable
from opengage.store.blobs import Blobs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that is made when it is first needed."""
    return tmp_path / "deep" / "files"


def inside(folder: Path) -> list[Path]:
    """Every file of it."""
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_bytes_in_and_out(folder: Path) -> None:
    """Piece by piece, counted; readable by this user alone; gone when removed, and gone twice is no trouble."""
    blobs = Blobs(folder)
    async with blobs.arriving() as arrived:
        for piece in (b"ab", b"", b"c" * 300_000):
            await arrived.write(piece)
    assert arrived.size == 300_002
    found = [piece async for piece in blobs.pieces(await blobs.open(arrived.name))]
    assert len(found) == 2
    assert b"".join(found) == b"ab" + b"c" * 300_000
    assert os.stat(folder).st_mode & 0o077 == 0  # noqa: PTH116 - a look from outside
    await blobs.remove(arrived.name)
    await blobs.remove(arrived.name)
    assert inside(folder) == []


async def test_what_is_broken_off_leaves_nothing(folder: Path) -> None:
    """Whatever ends it."""

    async def broken_off(error: type[BaseException]) -> None:
        async with Blobs(folder).arriving() as arrived:
            await arrived.write(b"ab")
            assert len(inside(folder)) == 1
            raise error

    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error):
            await broken_off(error)
    assert inside(folder) == []


async def test_a_kill_leaves_what_the_sweep_takes(folder: Path) -> None:
    """What never finished arriving goes when it is old; what did stays."""
    blobs = Blobs(folder)
    async with blobs.arriving() as arrived:
        await arrived.write(b"ab")
    left = folder / "ab" / ("ab" + "0" * 30 + ".coming")
    left.parent.mkdir(exist_ok=True)
    left.write_bytes(b"half")
    os.utime(left, (1000, 1000))
    assert await blobs.sweep(999) == 0
    assert await blobs.sweep(1001) == 1
    assert len(inside(folder)) == 1


async def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    """Unavailable, with what to do: the request may be sent again."""
    (tmp_path / "file").write_text("no folder")
    blobs = Blobs(tmp_path / "file")
    with pytest.raises(Unavailable, match="check that it is there"):
        await blobs.arriving().__aenter__()
    with pytest.raises(Unavailable):
        await blobs.open("0" * 32)


@pytest.mark.parametrize("name", ["../x", "", "A" * 32, "0" * 31, "0" * 32 + "/"])
async def test_no_name_leads_out(folder: Path, name: str) -> None:
    """Names are made here and nowhere else."""
    with pytest.raises(AssertionError):
        await Blobs(folder).open(name)
