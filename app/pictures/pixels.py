"""The value at a place, as rasterio reads it there."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor
from typing import Any

import numpy as np
from rasterio.windows import Window

from .meaning import Meaning
from .reading import LONLAT, TROUBLE, Undrawable, applied, check_band, is_placed, meaning, moved, opened

MOST_BANDS = 32
LONGEST = 1000  # letters


def value(
    descriptor: int, lon: float, lat: float, band: int | None = None, described: Sequence[Meaning] = ()
) -> dict[str, Any]:
    """The values of the pixel at a longitude and latitude, in degrees (WGS 84); descriptor: of the open file.

    band: the only one that is wanted, counted from 1; described: what others say of the bands, in order.
    {"row", "column", "values", "told"}: None in values is no data, told is the same in words; {} outside of the raster.
    Raises Undrawable.
    """
    with opened(descriptor) as dataset:
        if not is_placed(dataset):
            raise Undrawable("It does not say where on earth it lies.")
        bands = list(range(1, min(dataset.count, MOST_BANDS) + 1)) if band is None else [band]
        check_band(dataset, bands[0])
        try:
            row, column = _pixel(dataset, lon, lat)
            if not (0 <= row < dataset.height and 0 <= column < dataset.width):
                return {}
            found = dataset.read(bands, window=Window(column, row, 1, 1), masked=True)
        except TROUBLE as error:
            raise Undrawable("It is damaged there: that pixel cannot be read.") from error
        meant = [meaning(dataset, number, described) for number in bands]
    values = [None if hidden else _plain(each) for each, hidden in zip(found.data.flat, _hidden(found), strict=True)]
    told = [each.told(value) for each, value in zip(meant, values, strict=True)]
    if len(bands) > 1:
        names = [each.name or f"band {number}" for number, each in zip(bands, meant, strict=True)]
        told = [f"{name}: {text}" for name, text in zip(names, told, strict=True)]
    return {"row": row, "column": column, "values": values, "told": ", ".join(told)[:LONGEST]}


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
