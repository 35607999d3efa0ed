"""What lies on maps, as jobs write it: rasters in several grids, features, items, and files that only say so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, TypedDict

import numpy as np
import rasterio
from affine import Affine

from geomill.processes import About, File, process

GRIDS = {
    "UTM": ("EPSG:32618", Affine(30, 0, 440000, 0, -30, 4174000)),
    "degrees": ("EPSG:4326", Affine(0.01, 0, 11, 0, -0.02, 48)),
    "web": ("EPSG:3857", Affine(50, 0, -8_420_000, 0, -50, 4_540_000)),
    "rotated": ("EPSG:32618", Affine(20, 8, 440000, 8, -20, 4174000)),
}
TIFF = "image/tiff; application=geotiff"
SHAPE = (40, 60)
HOSTILE = "<img src=x onerror=alert(1)>\"'{{7*7}}"


class Rasters(TypedDict):
    """One of each grid."""

    utm: Annotated[Path, File("UTM", TIFF)]
    degrees: Annotated[Path, File("Degrees", TIFF)]
    web: Annotated[Path, File("Web", TIFF)]
    rotated: Annotated[Path, File("Rotated", TIFF)]


@process
def rasters() -> Rasters:
    """Numbers from the north-west on, with no data in row 10 and column 20."""
    written = {name: write(Path(f"{name}.tif"), name) for name in GRIDS}
    return Rasters(utm=written["UTM"], degrees=written["degrees"], web=written["web"], rotated=written["rotated"])


@process
def raster(grid: str = "UTM") -> Annotated[Path, File("Raster", TIFF)]:
    """One of them."""
    return write(Path(f"{grid}.tif"), grid)


def write(path: Path, grid: str) -> Path:
    crs, affine = GRIDS[grid]
    data = np.arange(SHAPE[0] * SHAPE[1], dtype="float32").reshape(SHAPE) / 8
    data[8:12, 18:24] = -1
    options = {"driver": "GTiff", "height": SHAPE[0], "width": SHAPE[1], "count": 1, "dtype": "float32", "nodata": -1}
    with rasterio.open(path, "w", crs=crs, transform=affine, **options) as dataset:
        dataset.write(data, 1)
    return path


@process
def no_raster(text: str = "hello") -> Annotated[Path, File("Raster", TIFF)]:
    """A text that says it is a GeoTIFF."""
    path = Path("damaged.tif")
    path.write_text(text)
    return path


class Classified(TypedDict):
    """A raster, and the item that says what is in it."""

    kinds: Annotated[Path, File("Kinds", TIFF)]
    item: Annotated[dict, About("Item", format="stac-item")]


@process
def classified() -> Classified:
    """Kinds of things, whose words stand in a STAC item beside the raster; and an amount."""
    path, data = Path("kinds.tif"), np.ones((2, *SHAPE), "float32")
    data[0, :, 30:], data[0, 1, 0], data[1] = 2, 99, np.arange(SHAPE[1]) / 8 + 0.125
    options = {"driver": "GTiff", "height": SHAPE[0], "width": SHAPE[1], "count": 2, "dtype": "float32"}
    crs, affine = GRIDS["degrees"]
    with rasterio.open(path, "w", crs=crs, transform=affine, **options) as dataset:
        dataset.write(data)
    classes = [{"value": 1, "name": "forest", "color_hint": "1B7039"}, {"value": 2, "title": "meadow"},
               {"value": 99, "name": "unseen", "nodata": True}]  # fmt: skip
    bands = [{"name": "cover", "classification:classes": classes}, {"name": "certainty", "unit": "%"}]
    assets = {"kinds": {"href": "./kinds.tif", "type": TIFF, "bands": bands, "roles": ["data"]},
              "look": {"href": "https://example.org/a.png", "type": "image/png", "roles": ["thumbnail"]}}  # fmt: skip
    item = {"type": "Feature", "stac_version": "1.1.0", "id": "a-scene", "geometry": square(11),
            "bbox": [11, 0, 12, 1], "links": [], "assets": assets,
            "properties": {"datetime": "2026-01-31T00:00:00Z"}}  # fmt: skip
    return Classified(kinds=path, item=item)


class Features(TypedDict):
    """Features, as a value and as a file; items."""

    squares: Annotated[dict, About("Squares", format="geojson-feature-collection")]
    points: Annotated[Path, File("Points", "application/geo+json")]
    items: Annotated[dict, About("Items")]


@process
def hostile() -> Features:
    """Features and items whose every text is hostile."""
    properties = {HOSTILE: HOSTILE, "name": HOSTILE, "number": 1, "__proto__": HOSTILE}
    squares = [{"type": "Feature", "id": HOSTILE, "properties": properties, "geometry": square(i)} for i in range(3)]
    points = [
        {"type": "Feature", "properties": properties, "geometry": {"type": "Point", "coordinates": [i, 5]}}
        for i in range(120)
    ]
    assets = {HOSTILE: {"href": "javascript:alert(1)", "title": HOSTILE, "type": HOSTILE},
              "data": {"href": "https://example.org/data.tif", "title": HOSTILE}}  # fmt: skip
    item = {"type": "Feature", "stac_version": "1.0.0", "id": HOSTILE, "geometry": square(0), "bbox": [0, 0, 1, 1],
            "properties": {"datetime": HOSTILE}, "links": [], "assets": assets}  # fmt: skip
    path = Path("<b>x'.geojson")
    path.write_text(json.dumps({"type": "FeatureCollection", "features": points}))
    return Features(
        squares={"type": "FeatureCollection", "features": squares},
        points=path,
        items={"type": "FeatureCollection", "features": [item]},
    )


@process
def odd() -> Annotated[dict, About("Places", format="geojson-feature-collection")]:
    """Features of which one can be drawn."""
    shapes = [square(1), {"type": "Point", "coordinates": [1e308, 0]}, {"type": "Point", "coordinates": [1, 1e308]}]
    features = [{"type": "Feature", "properties": {"number": i}, "geometry": each} for i, each in enumerate(shapes)]
    return {"type": "FeatureCollection", "features": features}


@process
def squares(count: int = 10) -> Annotated[Path, File("Squares", "application/geo+json")]:
    """Squares in rows of a hundred, each with its number and the third of it."""
    found = []
    for number in range(count):
        x, y = 10 + number % 100 / 100, 40 + number // 100 / 100
        ring = [[x, y], [x + 0.008, y], [x + 0.008, y + 0.008], [x, y + 0.008], [x, y]]
        geometry = {"type": "Polygon", "coordinates": [ring]}
        properties = {"number": number, "third": number / 3}
        found.append({"type": "Feature", "id": number, "properties": properties, "geometry": geometry})
    path = Path("squares.geojson")
    path.write_text(json.dumps({"type": "FeatureCollection", "features": found}))
    return path


def square(x: int) -> dict:
    return {"type": "Polygon", "coordinates": [[[x, 0], [x + 1, 0], [x + 1, 1], [x, 1], [x, 0]]]}
