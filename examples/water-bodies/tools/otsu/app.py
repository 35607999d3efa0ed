"""Tell high values of a raster from low ones by Otsu's threshold: otsu.tif in the working directory.

It is 1 where the value is above the threshold and 0 elsewhere, also where there is no value.
Source: N. Otsu, A threshold selection method from gray-level histograms, 1979.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import rasterio
from rasterio.errors import RasterioError
from rasterio.windows import Window

STRIP = 256  # rows held in memory at a time
CACHE = 64  # MB; without it, GDAL takes a share of the memory of the machine
BINS = 256
RESULT = "otsu.tif"
KINDS = {0: ("not_above", (222, 222, 214, 255)), 1: ("above", (28, 110, 220, 255))}


def main() -> None:
    """Read the command line and write the file."""
    parser = argparse.ArgumentParser(prog="otsu", description=__doc__)
    parser.add_argument("raster", help="path of a GeoTIFF")
    given = parser.parse_args()
    say(f"reads {given.raster}")
    try:
        with rasterio.Env(GDAL_CACHEMAX=CACHE), rasterio.open(given.raster, driver="GTiff") as dataset:
            write(dataset, threshold(dataset))
    except RasterioError as error:
        raise SystemExit(f"otsu: {error}") from error


def say(sentence: str) -> None:
    """A line of the log."""
    print(f"otsu: {sentence}", file=sys.stderr, flush=True)


def strips(dataset: Any) -> Iterator[tuple[Window, np.ndarray]]:
    """The values of the first band, a number of rows at a time; not a number where there is none."""
    for start in range(0, dataset.height, STRIP):
        window = Window(0, start, dataset.width, min(STRIP, dataset.height - start))
        values = dataset.read(1, window=window, out_dtype="float32")
        values[dataset.read_masks(1, window=window) == 0] = np.nan
        yield window, values


def finite(dataset: Any) -> Iterator[np.ndarray]:
    """The values that are numbers; at least one at a time."""
    for _, values in strips(dataset):
        if (numbers := values[np.isfinite(values)]).size:
            yield numbers


def threshold(dataset: Any) -> float:
    """Otsu's threshold over the finite values: the centre of one of 256 bins."""
    low, high = math.inf, -math.inf
    for values in finite(dataset):
        low, high = min(low, values.min()), max(high, values.max())
    if low > high:
        raise SystemExit("otsu: no pixel has a value: there are no data in the area of interest")
    if low == high:
        say(f"every value is {low:g}: no threshold tells high from low, so none is high")
        return float(low)
    counts = sum(np.histogram(values, BINS, (low, high))[0] for values in finite(dataset))
    edges = np.linspace(low, high, BINS + 1, dtype="float32")
    return split(counts, (edges[:-1] + edges[1:]) / 2)


def split(counts: np.ndarray, centres: np.ndarray) -> float:
    """The centre of the last bin of the lower class: where the variance between the two classes is largest."""
    below = np.cumsum(counts)[:-1]
    above = counts.sum() - below
    moments = np.cumsum(counts * centres)
    means = moments[:-1] / below, (moments[-1] - moments[:-1]) / above  # the outer bins are never empty
    return float(centres[np.argmax(below * above * (means[0] - means[1]) ** 2)])


def write(dataset: Any, level: float) -> None:
    """Write where the values are above the level."""
    profile = {
        "driver": "COG",
        "width": dataset.width,
        "height": dataset.height,
        "count": 1,
        "dtype": "uint8",
        "crs": dataset.crs,
        "transform": dataset.transform,
        "compress": "lzw",
        "blocksize": 256,
        "overview_resampling": "mode",
    }
    high = 0
    with rasterio.open(RESULT, "w", **profile) as target:
        for window, values in strips(dataset):
            mask = values > level  # not a number is never above
            high += int(mask.sum())
            target.write(mask.astype("uint8"), 1, window=window)
        target.set_band_description(1, "above the threshold")
        target.write_colormap(1, {value: colour for value, (_, colour) in KINDS.items()})
        # what the values are called, as the CF conventions have it
        words = " ".join(word for word, _ in KINDS.values())
        target.update_tags(1, flag_values=", ".join(map(str, KINDS)), flag_meanings=words)
    say(f"threshold {level:.6f}: {high} of {dataset.width * dataset.height} pixels are above")
    say(f"wrote {RESULT}")


if __name__ == "__main__":
    main()
