"""Rasters as a job writes them, one for each kind of grid, and files that say they are such."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import rasterio
from affine import Affine

from geomill.processes import File, process

GRIDS = {
    "UTM": ("EPSG:32618", Affine(30, 0, 440000, 0, -30, 4174000)),
    "degrees": ("EPSG:4326", Affine(0.01, 0, 11, 0, -0.02, 48)),
    "web": ("EPSG:3857", Affine(50, 0, -8_420_000, 0, -50, 4_540_000)),
    "rotated": ("EPSG:32618", Affine(20, 8, 440000, 8, -20, 4174000)),
}
TIFF = "image/tiff; application=geotiff"


@process
def raster(grid: str = "UTM", shape: tuple[int, int] = (40, 60)) -> Annotated[Path, File("Raster", TIFF)]:
    """Numbers from the north-west on, with no data in row 10 and column 20."""
    crs, affine = GRIDS[grid]
    data = np.arange(shape[0] * shape[1], dtype="float32").reshape(shape) / 8
    data[10, 20] = -1
    path = Path(f"{grid}.tif")
    options = {"driver": "GTiff", "width": shape[1], "height": shape[0], "count": 1, "dtype": "float32", "nodata": -1}
    with rasterio.open(path, "w", crs=crs, transform=affine, **options) as dataset:
        dataset.write(data, 1)
    return path


@process
def no_raster(text: str = "hello") -> Annotated[Path, File("Raster", TIFF)]:
    """A text that says it is a GeoTIFF."""
    path = Path("damaged.tif")
    path.write_text(text)
    return path
