"""Directories that are small on their way and large when they are unpacked: refused soon, with little on the disk."""

from __future__ import annotations

import gzip
import io
import lzma
import struct
import tarfile
import time
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from support.variants import first
from support.web import pages

from geomill.app.cwl.directories import Directories
from geomill.app.guard import Guard, Refused

MB = 1024 * 1024
SOON = 20  # seconds
CENTRAL = b"PK\x01\x02"


def zipped(size: int) -> bytes:
    """A zip of one member of zeros."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(size))
    return buffer.getvalue()


def overlapping(members: int, claimed: int) -> bytes:
    """A zip whose members are all the same bytes, as large as it claims."""
    content = zipped(MB)
    begin, end = content.index(CENTRAL), content.index(b"PK\x05\x06")
    one = bytearray(content[begin:end])
    one[24:28] = struct.pack("<I", claimed)
    tail = bytearray(content[end:])
    tail[8:20] = struct.pack("<HHII", members, members, len(one) * members, begin)
    return content[:begin] + bytes(one) * members + bytes(tail)


def lying(claimed: int) -> bytes:
    """A zip whose member is larger than it claims."""
    content = bytearray(zipped(50 * MB))
    at = content.index(CENTRAL)
    content[at + 24 : at + 28] = content[22:26] = struct.pack("<I", claimed)
    return bytes(content)


def tarred(*members: tarfile.TarInfo) -> bytes:
    """A tar of the heads of members, whatever they claim to hold."""
    return b"".join(member.tobuf(tarfile.GNU_FORMAT) for member in members) + bytes(1024)


def head(size: int, name: str = "a") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = size
    return member


BOMBS: dict[str, Callable[[], bytes]] = {  # made when they are wanted: that takes seconds
    "a zip of the same bytes, 60 000 times": lambda: overlapping(60_000, 2**32 - 2),
    "a zip that is larger than it says": lambda: lying(5),
    "a tar that claims a petabyte": lambda: tarred(head(2**50)),
    "a tar that claims less than nothing": lambda: tarred(head(0)).replace(b"0" * 11, b"\xff" * 11, 1),
    "a packed tar of packed zeros": lambda: gzip.compress(gzip.compress(bytes(100 * MB), 1)),
    "zeros, packed by xz": lambda: lzma.compress(bytes(100 * MB), preset=0),
    "brackets": lambda: b'{"type": "Catalog", "links": ' + b"[" * 500_000 + b"]" * 500_000 + b"}",
    "braces": lambda: b'{"type": "Catalog", "a": ' + b'{"a": ' * 100_000 + b"1" + b"}" * 100_001,
    "many numbers": lambda: b'{"type": "Catalog", "a": [' + b"1," * 20_000_000 + b"1]}",
}


def page(body: bytes, **headers: str) -> AbstractContextManager[str]:
    """A server of one of them, at /bomb below its address."""
    return pages({"/bomb": (200, {name.replace("_", "-"): value for name, value in headers.items()}, body)})


def directories(folder: Path, most: int) -> Directories:
    guard = Guard(allow=("127.0.0.1",), max_bytes=most)
    (folder / "fetched").mkdir()
    (folder / "placed").mkdir()
    return Directories(lambda href: guard.fetch(href, folder / "fetched"), lambda name: folder / "placed" / name)


@pytest.mark.parametrize("case", first(BOMBS, 5))
def test_what_explodes_is_a_bad_input_soon(tmp_path: Path, case: str) -> None:
    with page(BOMBS[case]()) as address, pytest.raises(ValueError):
        begun = time.monotonic()
        directories(tmp_path, 100 * MB).fetch(f"{address}/bomb")
    assert time.monotonic() - begun < SOON
    assert sum(path.stat().st_blocks * 512 for path in (tmp_path / "placed").rglob("*") if path.is_file()) < 60 * MB


def test_a_document_that_is_sent_packed_is_as_large_as_it_is(tmp_path: Path) -> None:
    packed = gzip.compress(b'{"type": "Catalog", "title": "' + b"x" * 200 * MB + b'"}', 1)
    with page(packed, Content_Encoding="gzip", Content_Type="application/json") as address:
        with pytest.raises(Refused, match="larger than"):
            directories(tmp_path, 10 * MB).fetch(f"{address}/bomb")
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) <= 10 * MB
