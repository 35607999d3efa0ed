"""A GeoTIFF that is nothing but an open file: GDAL reads that, and can open no other file and no address for it."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.ma  # noqa: F401  here, in the template, and not in each reader
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio._err import CPLE_AppDefinedError, CPLE_BaseError
from rasterio.abc import FileContainer
from rasterio.errors import CRSError, NotGeoreferencedWarning, RasterioError
from rasterio.warp import transform

from .meaning import Meaning, of_tags

LONLAT = "EPSG:4326"  # by name: a template that makes it would hold the files of PROJ open
OPTIONS = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",  # no sidecar files
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_GEOREF_SOURCES": "INTERNAL",
    "GDAL_NUM_THREADS": "1",
    "GDAL_CACHEMAX": 128 << 20,  # bytes
    "GDAL_TIFF_INTERNAL_MASK": "YES",
    "PROJ_NETWORK": "OFF",
}
NAME = "file.tif"
TROUBLE = (RasterioError, CRSError, CPLE_BaseError, MemoryError, ValueError)  # what a hostile file may bring about
Floats = NDArray[np.float64]

with rasterio.Env():  # all drivers are known once, in the template: that takes longer than to read a value
    pass


class Undrawable(Exception):
    """There can be no picture of this file; the text says why, to people."""


def meaning(dataset: Any, band: int, described: Sequence[Meaning] = ()) -> Meaning:
    """What the numbers of a band mean, counted from 1. described: what others say of each band, in order."""
    said = {"long_name": dataset.descriptions[band - 1] or "", "units": dataset.units[band - 1] or ""}
    own = of_tags(said).over(of_tags(dataset.tags(band)))
    if dataset.count == 1:
        own = own.over(of_tags(dataset.tags()))
    found = described[band - 1].over(own) if band <= len(described) else own
    nodata = dataset.nodatavals[band - 1]
    return found if nodata is None else replace(found, nodata=nodata)  # what is masked is what the file says


def check_band(dataset: Any, band: int) -> None:
    """Raises Undrawable where there is no such band, counted from 1."""
    if band > dataset.count:
        raise Undrawable(f"It has no band {band}: the last one is {dataset.count}.")


@contextmanager
def opened(descriptor: int) -> Iterator[Any]:
    """The dataset in an open file. Raises Undrawable."""
    import warnings

    with rasterio.Env(**OPTIONS), warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            dataset = rasterio.open(NAME, driver="GTiff", opener=_Only(descriptor))
        except TROUBLE as error:
            raise Undrawable("It is damaged, or no GeoTIFF.") from error
        with dataset:
            yield dataset


def is_placed(dataset: Any) -> bool:
    """Whether it says where on earth it lies, in a way that can be computed with."""
    if dataset.crs is None or dataset.transform.is_degenerate or dataset.transform == Affine.identity():
        return False
    try:
        x, y = applied(dataset.transform, dataset.width / 2, dataset.height / 2)
        moved(dataset.crs, LONLAT, x, y)
    except TROUBLE:
        return False
    return bool(np.isfinite(x) and np.isfinite(y))


def moved(source: Any, target: Any, x: Any, y: Any) -> tuple[Floats, Floats]:
    """Points in another CRS; infinite where it has no place for one: GDAL would refuse all of them for its sake.

    Raises what `transform` raises where no point is to blame.
    """
    x, y = np.atleast_1d(x), np.atleast_1d(y)
    try:
        found_x, found_y = transform(source, target, x, y)
        return np.array(found_x), np.array(found_y)
    except CPLE_AppDefinedError:
        if len(x) == 1:
            return np.array([np.inf]), np.array([np.inf])
    half = len(x) // 2
    parts = moved(source, target, x[:half], y[:half]), moved(source, target, x[half:], y[half:])
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def applied(affine: Affine, x: Any, y: Any) -> tuple[Any, Any]:
    """Where an affine transformation leads; numbers or arrays."""
    a, b, c, d, e, f = affine[:6]
    return a * x + b * y + c, d * x + e * y + f


@dataclass
class _Only(FileContainer):  # type: ignore[misc]
    """A file system with one file in it."""

    descriptor: int

    def open(self, path: str, mode: str = "r", **_: Any) -> io.RawIOBase:
        if path != NAME or mode not in ("r", "rb"):
            raise FileNotFoundError(path)
        return _Window(self.descriptor)

    def isfile(self, path: str) -> bool:
        return path == NAME

    def isdir(self, path: str) -> bool:
        return False

    def ls(self, path: str) -> list[str]:
        return []

    def mtime(self, path: str) -> int:
        return 0

    def rm(self, path: str) -> None:
        raise PermissionError(path)

    def size(self, path: str) -> int:
        return os.fstat(self.descriptor).st_size


class _Window(io.RawIOBase):
    """The file with a position of its own: GDAL may open it more than once."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor, self.position = descriptor, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self.position}.get(whence)
        self.position = (os.fstat(self.descriptor).st_size if start is None else start) + offset
        return self.position

    def read(self, size: int | None = -1) -> bytes:
        whole = os.fstat(self.descriptor).st_size - self.position
        data = os.pread(self.descriptor, max(0, whole if size is None or size < 0 else min(size, whole)), self.position)
        self.position += len(data)
        return data

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
