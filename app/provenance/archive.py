"""A zip as it is written: made while it is sent, never whole in memory or on the disk."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from .crate import Entry
from .secrets import cut

BLOCK = 2**18  # bytes
QUICK, NOT = 1, 0  # levels of compression
# what is compressed already, as GeoTIFFs, archives and pictures mostly are, is not compressed again
PACKED = ("image/", "video/", "audio/", "application/zip", "application/gzip", "application/x-netcdf")


class _Sink:
    """Where zipfile writes to: it cannot seek, so sizes follow the files."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.position = 0

    def write(self, data: bytes) -> int:
        self.written.append(bytes(data))
        self.position += len(data)
        return len(data)

    def tell(self) -> int:
        return self.position

    def flush(self) -> None: ...

    def seekable(self) -> bool:
        return False

    def take(self) -> bytes:
        """What was written since the last time."""
        data = b"".join(self.written)
        self.written.clear()
        return data


def stream(entries: Iterable[Entry], moment: datetime, home: str) -> Iterator[bytes]:
    """The bytes of a zip of these files, the same each time. moment: which all are of; home: as in Run."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[call-overload]
        for entry in entries:
            with archive.open(_info(entry, moment), "w", force_zip64=True) as file:
                for block in _blocks(entry, home):
                    file.write(block)
                    yield sink.take()
    yield sink.take()


def _info(entry: Entry, moment: datetime) -> zipfile.ZipInfo:
    utc = moment.astimezone(UTC)
    info = zipfile.ZipInfo(entry.name, (utc.year, utc.month, utc.day, utc.hour, utc.minute, utc.second))
    info.compress_type = zipfile.ZIP_DEFLATED  # readers of streams know only here where a file ends
    packed = entry.media_type.startswith(PACKED)
    info._compresslevel = NOT if packed else QUICK  # type: ignore[attr-defined]  # compress_level since Python 3.13
    info.external_attr = 0o644 << 16
    return info


def _blocks(entry: Entry, home: str) -> Iterator[bytes]:
    if isinstance(entry.content, bytes):
        yield entry.content
        return
    # a log lies where a job wrote: nothing there leads elsewhere
    with open(os.open(entry.content, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if entry.log:
            for line in file:
                yield cut(line.decode(errors="surrogateescape"), home).encode(errors="surrogateescape")
            return
        while block := file.read(BLOCK):
            yield block
