"""The normalized difference of two rasters: norm_diff.tif in the working directory.

It is (first - second) / (first + second). Where one of them has no data, or both are 0, it is not a number.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from rasterio.errors import RasterioError
from rasterio.windows import Window

STRIP = 256  # rows held in memory at a time
CACHE = 64  # MB; without it, GDAL takes a share of the memory of the machine
RESULT = "norm_diff.tif"


def main() -> None:
    """Read the command line and write the file."""
    parser = argparse.ArgumentParser(prog="norm_diff", description=__doc__)
    parser.add_argument("first", help="path of a GeoTIFF")
    parser.add_argument("second", help="path of a GeoTIFF on the same grid")
    given = parser.parse_args()
    try:
        with rasterio.Env(GDAL_CACHEMAX=CACHE), opened(given.first) as first, opened(given.second) as second:
            check(first, second)
            write(first, second)
    except RasterioError as error:
        raise SystemExit(f"norm_diff: {error}") from error


def say(sentence: str) -> None:
    """A line of the log."""
    print(f"norm_diff: {sentence}", file=sys.stderr, flush=True)


def opened(path: str) -> Any:
    """The dataset of a GeoTIFF."""
    say(f"reads {path}")
    return rasterio.open(path, driver="GTiff")


def check(first: Any, second: Any) -> None:
    """Both have to be on one grid."""
    same = first.crs == second.crs and first.shape == second.shape
    if not same or not first.transform.almost_equals(second.transform, precision=1e-3 * abs(first.transform.a)):
        one, other = (
            f"{each.width} x {each.height} pixels of {each.res[0]:g} from {each.bounds.left:.9g},{each.bounds.top:.9g} "
            f"in {each.crs}"
            for each in (first, second)
        )
        raise SystemExit(f"norm_diff: the rasters have different grids: {one}, and {other}")


def write(first: Any, second: Any) -> None:
    """Write the normalized difference, strip by strip."""
    grid = {"width": first.width, "height": first.height, "crs": first.crs, "transform": first.transform}
    valid = 0
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / RESULT  # the driver for COG would hold all of it in memory
        profile = {"driver": "GTiff", "count": 1, "dtype": "float32", "nodata": np.nan, "bigtiff": "if_safer"}
        with rasterio.open(draft, "w", **grid, **profile) as target:
            for start in range(0, first.height, STRIP):
                window = Window(0, start, first.width, min(STRIP, first.height - start))
                values = normalized_difference(read(first, window), read(second, window))
                target.write(values, 1, window=window)
                valid += int(np.isfinite(values).sum())
        rasterio.shutil.copy(draft, RESULT, driver="COG", compress="lzw", blocksize=256)
    say(f"{valid} of {first.width * first.height} pixels have a value")
    say(f"wrote {RESULT}")


def read(dataset: Any, window: Window) -> np.ndarray:
    """The first band in a window; not a number where there is no data."""
    values = dataset.read(1, window=window, out_dtype="float32")
    values[dataset.read_masks(1, window=window) == 0] = np.nan
    return values


def normalized_difference(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(first - second) / (first + second); not a number where the sum is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        values = (first - second) / (first + second)
    values[~np.isfinite(values)] = np.nan
    return values


if __name__ == "__main__":
    main()
