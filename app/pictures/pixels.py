"""The value at a place, as rasterio reads it there."""

from __future__ import annotations

from math import floor
from typing import Any

import numpy as np
from rasterio.windows import Window

from .reading import LONLAT, TROUBLE, Undrawable, applied, is_placed, moved, opened

MOST_BANDS = 32


def value(descriptor: int, lon: float, lat: float) -> dict[str, Any]:
    """The values of the pixel at a longitude and latitude, in degrees (WGS 84); descriptor: of the open file.

    {"row", "column", "values"}: None in them is no data; {} outside of the raster. Raises Undrawable.
    """
    with opened(descriptor) as dataset:
        if not is_placed(dataset):
            raise Undrawable("It does not say where on earth it lies.")
        try:
            row, column = _pixel(dataset, lon, lat)
            if not (0 <= row < dataset.height and 0 <= column < dataset.width):
                return {}
            bands = list(range(1, min(dataset.count, MOST_BANDS) + 1))
            found = dataset.read(bands, window=Window(column, row, 1, 1), masked=True)
        except TROUBLE as error:
            raise Undrawable("It is damaged there: that pixel cannot be read.") from error
    values = [None if hidden else _plain(each) for each, hidden in zip(found.data.flat, _hidden(found), strict=True)]
    return {"row": row, "column": column, "values": values}


def _hidden(found: Any) -> list[bool]:
    return list(np.ma.getmaskarray(found).flat)


def _pixel(dataset: Any, lon: float, lat: float) -> tuple[int, int]:
    """Row and column. A raster of degrees may have its longitudes from 0 to 360."""
    (x,), (y,) = moved(LONLAT, dataset.crs, lon, lat)
    if not (np.isfinite(x) and np.isfinite(y)):
        return -1, -1
    turns = (0, 360, -360) if dataset.crs.is_geographic else (0,)
    for turn in turns:
        column, row = (floor(each) for each in applied(~dataset.transform, x + turn, y))
        if 0 <= column < dataset.width:
            break
    return row, column


def _plain(each: Any) -> Any:
    """A number as JSON, with as many digits as tell it from its neighbours in its own type."""
    if isinstance(each, np.complexfloating):
        return str(each)
    if isinstance(each, np.floating):
        return float(str(each)) if np.isfinite(each) else str(each)
    return int(each)
