"""Bands as rasters: the window of an area of interest, and the reflectance in it."""

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.errors import RasterioIOError
from rasterio.warp import transform, transform_bounds
from rasterio.windows import Window

from geomill.processes import BadInput, BBox
from geomill.processes._stac import Band
from geomill.processes.buffer import read_crs

Bounds = tuple[float, float, float, float]
Mask = NDArray[np.bool_]
Floats = NDArray[np.float32]

TIFF = {b"II", b"MM"}  # how such a file begins
MAX_PIXELS = 11_000 * 11_000  # a whole Sentinel-2 tile; about 2.5 GB of memory


@dataclass(frozen=True)
class Grid:
    """Where pixels are: a window of a raster."""

    crs: CRS
    transform: Affine  # of the window; north up
    column: int
    row: int
    width: int
    height: int

    @property
    def bounds(self) -> Bounds:
        """Left, bottom, right, top."""
        left, top, x, y = self.transform.c, self.transform.f, self.transform.a, self.transform.e
        return left, top + self.height * y, left + self.width * x, top


@contextmanager
def opened(path: Path, band: Band) -> Iterator[Any]:
    """The dataset of a band. GDAL reads this one file, below the working directory, and none it refers to."""
    if not path.resolve().is_relative_to(Path.cwd().resolve()):
        raise ValueError(f"{path} is not below the working directory")
    with path.open("rb") as file:
        driver = "GTiff" if file.read(2) in TIFF else "JP2OpenJPEG"  # and no other: they refer to no other file
    with rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR", GDAL_PAM_ENABLED=False):
        try:
            dataset = rasterio.open(path, driver=driver)
        except RasterioIOError as error:
            raise BadInput("item", f"{band} is not a GeoTIFF or JPEG 2000 file") from error
        with dataset:
            if band.number > dataset.count:
                raise BadInput("item", f"{band} is said to have {band.number} bands, and its file has {dataset.count}")
            yield dataset


def common_grid(first: Any, second: Any, item: str) -> Grid:
    """The grid both datasets share. Raises BadInput where they differ."""
    a, b, c, d, e, _ = first.transform[:6]
    if first.crs is None or b or d or a <= 0 or e >= 0:
        raise BadInput("item", f"the bands of {item} have no CRS, or a grid that is not north up: neither is supported")
    same = first.crs == second.crs and first.shape == second.shape
    if not same or not first.transform.almost_equals(second.transform, precision=1e-3 * a):
        one, other = (
            f"{s.width} x {s.height} pixels of {s.res[0]:g} from {s.bounds[0]:g} {s.bounds[3]:g} in {s.crs}"
            for s in (first, second)
        )
        raise BadInput("item", f"the bands of {item} have different grids: {one}, and {other}")
    # the CRS as a file spells it makes transform_geom 20 times slower than the same one made from its code
    code = first.crs.to_epsg(confidence_threshold=100)
    return Grid(CRS.from_epsg(code) if code else first.crs, first.transform, 0, 0, first.width, first.height)


def crop(full: Grid, aoi: BBox | None, item: str) -> tuple[Grid, Mask, Mask]:
    """The smallest window over the area of interest, and which of its rows and columns have their centre in it."""
    left, bottom, right, top = box_on_grid(aoi, full, item) if aoi else full.bounds
    a, b, c, d, e, f = full.transform[:6]
    ends = ((left - c) / a, (right - c) / a, full.width), ((top - f) / e, (bottom - f) / e, full.height)
    spans = []
    for low, high, size in ends:
        low, high = round(low, 6), round(high, 6)  # an edge of the box on an edge of the grid stays there
        start, stop = max(0, math.floor(low)), min(size, math.ceil(high))
        centres = np.arange(start, stop) + 0.5
        spans.append((start, (low <= centres) & (centres <= high)))
    (column, columns), (row, rows) = spans
    if not rows.any() or not columns.any():
        raise BadInput("aoi", f"it holds the centre of no pixel of item {item}")
    if len(rows) * len(columns) > MAX_PIXELS:
        raise BadInput("aoi", f"{len(columns)} x {len(rows)} pixels are more than {MAX_PIXELS}: ask for a smaller area")
    corner = Affine(a, b, c + column * a, d, e, f + row * e)
    return Grid(full.crs, corner, column, row, len(columns), len(rows)), rows, columns


def box_on_grid(aoi: BBox, grid: Grid, item: str) -> Bounds:
    """The area of interest in the CRS of the grid.

    It is the box between its two corners, moved to the grid, while that is within 5 % of the bounds of its outline;
    these bounds otherwise: on a grid that is much turned against it. Raises BadInput for a box outside the grid.
    """
    crs = read_crs(aoi.crs, "aoi")
    half = len(aoi.bbox) // 2  # six numbers have heights
    lower, upper = aoi.bbox[:2], aoi.bbox[half : half + 2]
    if re.search("north|latitude", crs.axis_info[0].name.lower()):
        lower, upper = lower[::-1], upper[::-1]
    (west, south), (east, north) = lower, upper
    asked = f"{west:.9g} {south:.9g} {east:.9g} {north:.9g}"
    if west > east and crs.is_geographic:
        east += 360  # it crosses the antimeridian
    if west >= east or south >= north:
        raise BadInput("aoi", f"west south east north are {asked}: the box is empty")

    theirs = CRS.from_user_input(crs)
    w, s, e, n = transform_bounds(grid.crs, theirs, *grid.bounds)
    e += 360 if e < w else 0
    for turn in (0, 360, -360) if crs.is_geographic else (0,):
        if west + turn < e and east + turn > w and south < n and north > s:
            # no farther than a width beyond the item, where the projection may have no coordinates
            left, right = max(west + turn, w - (e - w)), min(east + turn, e + (e - w))
            low, high = max(south, s - (n - s)), min(north, n + (n - s))
            break
    else:
        covered = f"{w:.9g} {s:.9g} {e:.9g} {n:.9g}"
        raise BadInput("aoi", f"{asked} lies outside item {item}, which covers {covered} (west south east north)")

    (x, xx), (y, yy) = transform(theirs, grid.crs, [left, right], [low, high])
    outline: Bounds = transform_bounds(theirs, grid.crs, left, low, right, high)
    sides = (outline[2] - outline[0], outline[3] - outline[1]) * 2
    near = all(abs(a - b) <= 0.05 * side for a, b, side in zip((x, y, xx, yy), outline, sides, strict=True))
    return (x, y, xx, yy) if near else outline


def reflectance(dataset: Any, band: Band, grid: Grid) -> Floats:
    """Read the window of a band: scaled, never negative, not a number where there is no data."""
    window = Window(grid.column, grid.row, grid.width, grid.height)
    try:
        values: Floats = dataset.read(band.number, window=window, out_dtype="float32")
        gaps = dataset.read_masks(band.number, window=window) == 0
    except RasterioIOError as error:
        raise BadInput("item", f"{band} cannot be read: its file is damaged") from error
    gaps |= values == np.float32(band.fact("nodata", math.nan))
    values *= np.float32(band.fact("scale", dataset.scales[band.number - 1]))
    if not band.facts.get("earthsearch:boa_offset_applied"):  # that catalogue's items state an offset already taken off
        values += np.float32(band.fact("offset", dataset.offsets[band.number - 1]))
    np.maximum(values, 0, out=values)
    values[gaps] = np.nan
    return values
