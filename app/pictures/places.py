"""Where a raster lies on a map: in the projection of web maps, which ends at 85 degrees and has the world once.

Source of the projection: EPSG:3857. The middle of the raster is the middle of the map, so that none is torn at 180.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from affine import Affine
from rasterio.crs import CRS
from rasterio.warp import Resampling, reproject

from .reading import LONLAT, Floats, Undrawable, applied, moved

RADIUS = 6378137.0  # metres
NORTH = 85.0511287798066  # degrees: where web maps end
SIDE = 1024  # pixels of the longer side of a picture
SMALL = 512  # and of a small raster's
SAMPLES = 33  # points along each side that say where it lies


@dataclass(frozen=True)
class Frame:
    """The grid of a picture: north up. west, east: degrees, west < east, perhaps beyond 180; width, height: pixels."""

    west: float
    south: float
    east: float
    north: float
    width: int
    height: int

    @property
    def middle(self) -> float:
        """The longitude that its projection has in its middle."""
        return (self.west + self.east) / 2

    @property
    def crs(self) -> CRS:
        """Its projection."""
        return CRS.from_string(
            f"+proj=merc +a={RADIUS} +b={RADIUS} +lat_ts=0 +lon_0={self.middle!r} +units=m +nadgrids=@null +no_defs"
        )

    @property
    def transform(self) -> Affine:
        """From its pixels to metres."""
        half = RADIUS * math.radians(self.east - self.west) / 2
        top, bottom = _up(self.north), _up(self.south)
        return Affine(2 * half / self.width, 0, -half, 0, (bottom - top) / self.height, top)

    @property
    def corners(self) -> list[list[float]]:
        """Southwest and northeast: latitude and longitude, in degrees, as Leaflet takes them."""
        return [[self.south, self.west], [self.north, self.east]]


def frame(dataset: Any) -> Frame:
    """Where the picture of a raster lies. Raises Undrawable where web maps have no place for it."""
    west, south, east, north = _bounds(dataset)
    if south >= north or west >= east:
        raise Undrawable("It lies where web maps end, beyond 85 degrees, or nowhere.")
    wide, high = RADIUS * math.radians(east - west), _up(north) - _up(south)
    longer = min(SIDE, max(SMALL, 2 * max(dataset.width, dataset.height)))
    scale = longer / max(wide, high)
    return Frame(west, south, east, north, max(1, round(wide * scale)), max(1, round(high * scale)))


def _up(latitude: float) -> float:
    return RADIUS * math.log(math.tan(math.pi / 4 + math.radians(latitude) / 2))


def _bounds(dataset: Any) -> tuple[float, float, float, float]:
    share = np.linspace(0, 1, SAMPLES)
    columns, rows = np.meshgrid(share * dataset.width, share * dataset.height)
    x, y = applied(dataset.transform, columns.ravel(), rows.ravel())
    lon, lat = moved(dataset.crs, LONLAT, x, y)
    there = np.isfinite(lon) & np.isfinite(lat)
    x, lon, lat = x[there], lon[there], lat[there]
    if not lon.size:
        raise Undrawable("Its projection has no place on earth for its coordinates.")
    if dataset.crs.is_geographic:  # as it counts itself: 190 stays 190
        lon = lon + 360 * np.round((x - lon) / 360)
    else:  # it may go across 180: count from its middle
        middle = lon[lon.size // 2]
        lon = middle + (lon - middle + 180) % 360 - 180
    south, north = (float(np.clip(each, -NORTH, NORTH)) for each in (lat.min(), lat.max()))
    if any(_holds(dataset, pole) for pole in (-90.0, 90.0)):  # every longitude, however few points tell of it
        return -180.0, south, 180.0, north
    west, east = float(lon.min()), float(lon.max())
    return west, south, min(east, west + 360), north


def _holds(dataset: Any, pole: float) -> bool:
    """Whether a pole, which is a place of its own in this projection, lies inside of the raster."""
    x, y = moved(LONLAT, dataset.crs, [0.0, 90.0], [pole, pole])
    if not np.isfinite([x, y]).all():
        return False
    columns, rows = applied(~dataset.transform, x, y)
    if np.ptp(columns) > 0.5 or np.ptp(rows) > 0.5:
        return False
    return bool(0 < columns[0] < dataset.width and 0 < rows[0] < dataset.height)


def warped(bands: Floats, dataset: Any, into: Frame, resampling: Resampling) -> Floats:
    """Bands of the whole raster, perhaps with fewer pixels than it has, as the frame has them; NaN is nothing."""
    a, b, c, d, e, f = dataset.transform[:6]
    wide, high = dataset.width / bands.shape[2], dataset.height / bands.shape[1]
    found = np.full((bands.shape[0], into.height, into.width), np.nan)
    reproject(
        bands, found, src_transform=Affine(a * wide, b * high, c, d * wide, e * high, f), src_crs=dataset.crs,
        src_nodata=np.nan, dst_transform=into.transform, dst_crs=into.crs, dst_nodata=np.nan,
        resampling=resampling, num_threads=1, warp_mem_limit=64,
    )  # fmt: skip
    return found
