"""Satellite images for the water-bodies package, on disk and served: made ones, whose water is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from affine import Affine
from rasterio.crs import CRS
from rasterio.warp import transform_bounds
from support.water import raster

GRID = {"crs": "EPSG:32610", "transform": Affine(100, 0, 630000, 0, -100, 4490000)}
SHAPE = (900, 700)  # rows, columns


def scene(folder: Path, name: str, shore: float, when: str) -> None:
    """An image with water west of an easting, in metres, below folder/name/."""
    place = folder / name
    place.mkdir(parents=True)
    eastings = 630000 + 100 * (np.arange(SHAPE[1]) + 0.5)
    water = np.broadcast_to(eastings < shore, SHAPE)
    raster(place / "green.tif", np.where(water, 1200, 800), **GRID)
    raster(place / "nir.tif", np.where(water, 300, 2500), **GRID)
    bounds = transform_bounds(CRS.from_epsg(32610), CRS.from_epsg(4326), 630000, 4400000, 700000, 4490000)
    west, south, east, north = bounds
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    item = {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "bbox": bounds,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {"datetime": when},
        "links": [],
        "assets": {
            band: {"href": f"{band}.tif", "roles": ["data"], "eo:bands": [{"name": band, "common_name": band}]}
            for band in ("green", "nir")
        },
    }
    (place / "item.json").write_text(json.dumps(item))
