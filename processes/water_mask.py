"""Water mask: the water bodies of a satellite image, by NDWI and Otsu's threshold on two bands of a STAC item."""

import math
from collections.abc import Iterator
from heapq import nlargest
from operator import itemgetter
from pathlib import Path
from typing import Annotated, Any, TypedDict

import numpy as np
import rasterio
from numpy.typing import NDArray
from PIL import Image
from pyproj import Geod
from rasterio.crs import CRS
from rasterio.features import shapes
from rasterio.warp import transform_geom
from shapely import segmentize
from shapely.geometry import Polygon, mapping, shape
from shapely.geometry.polygon import orient
from skimage.filters import threshold_otsu

from geomill.processes import About, BadInput, BBox, Fetch, File, Progress, process
from geomill.processes._raster import Floats, Grid, Mask, common_grid, crop, opened, reflectance
from geomill.processes._stac import Band, find_band

LONLAT = CRS.from_string("OGC:CRS84")
ELLIPSOID = Geod(ellps="WGS84")
MAX_POLYGONS = 10_000
PREVIEW_SIDE = 1024
NOT_VALID = 255
BLUE = (28, 110, 220)
KINDS = {0: ("land", (222, 222, 214, 255)), 1: ("water", (*BLUE, 255)), NOT_VALID: ("no_data", (0, 0, 0, 0))}


class WaterMask(TypedDict):
    """What `water_mask` gives."""

    mask: Annotated[
        Path,
        File(
            "Water mask",
            "image/tiff; application=geotiff; profile=cloud-optimized",
            "1 is water, 0 is land, 255 is no data; the grid of the bands.",
        ),
    ]
    polygons: Annotated[
        dict[str, Any],
        About(
            "Water bodies",
            "GeoJSON, longitude and latitude; the largest first, at most 10000; each has `pixels` and `area_m2`.",
            format="geojson-feature-collection",
        ),
    ]
    statistics: Annotated[dict[str, Any], About("Statistics", "Otsu's threshold, pixel counts, water area, the grid.")]
    preview: Annotated[Path, File("Preview", "image/png", "The green band in grey, water in blue.")]


@process(version="1.0.0", keywords=["water", "NDWI", "STAC", "Sentinel-2"], memory="3 GB")
def water_mask(
    item: Annotated[
        dict[str, Any],
        About("STAC item", "STAC 1.0 or 1.1. Given inline, its assets need absolute hrefs.", format="stac-item"),
    ],
    progress: Progress,
    fetch: Fetch,
    aoi: Annotated[BBox | None, About("Area of interest", "Without it, the whole item.")] = None,
    green: Annotated[str, About("Green band", "Common name, band name or asset key.")] = "green",
    nir: Annotated[str, About("Near infrared band", "Common name, band name or asset key.")] = "nir",
    min_pixels: Annotated[
        int, About("Smallest water body", "In pixels. Smaller ones are left out of the polygons only.", minimum=1)
    ] = 1,
) -> WaterMask:
    """Map water bodies.

    Water is where the NDWI, (green - nir) / (green + nir), is above Otsu's threshold over the valid pixels.
    """
    bands = find_band(item, green, "green"), find_band(item, nir, "nir")
    grid, brightness, index = read_index(bands, aoi, progress, fetch)
    progress(60, "finding the threshold")
    valid = np.isfinite(index)
    threshold = otsu(index[valid])
    water = index > threshold  # not a number is never above
    del index  # half a gigabyte of a whole tile
    progress(70, "outlining the water bodies")
    polygons, bodies, area = outlines(water, grid, min_pixels)
    progress(90, "writing the mask and the preview")
    statistics = {
        "item": bands[0].item,
        "datetime": (item.get("properties") or {}).get("datetime"),
        "threshold": threshold,
        "valid_pixels": int(valid.sum()),
        "water_pixels": int(water.sum()),
        "share": float(water.sum() / valid.sum()),
        "water_area_m2": round(area, 1),
        "water_bodies": bodies,
        "polygons": len(polygons["features"]),
        "width": grid.width,
        "height": grid.height,
        "crs": grid.crs.to_string(),
    }
    return {
        "mask": write_mask(Path("mask.tif"), water, valid, grid),
        "polygons": polygons,
        "statistics": statistics,
        "preview": write_preview(Path("preview.png"), brightness, water, valid),
    }


def read_index(
    bands: tuple[Band, Band], aoi: BBox | None, progress: Progress, fetch: Fetch
) -> tuple[Grid, Floats, Floats]:
    """The grid of the area of interest with its green reflectance and NDWI; not a number where not valid."""
    paths: dict[str, Path] = {}
    for percent, band in zip((5, 25), bands, strict=True):
        if band.href not in paths:
            progress(percent, f"fetching {band}")
            paths[band.href] = fetch(band.href)
    progress(45, "reading the bands")
    with opened(paths[bands[0].href], bands[0]) as first, opened(paths[bands[1].href], bands[1]) as second:
        grid, rows, columns = crop(common_grid(first, second, bands[0].item), aoi, bands[0].item)
        green, nir = reflectance(first, bands[0], grid), reflectance(second, bands[1], grid)
    index = ndwi(green, nir)
    index[~rows] = np.nan
    index[:, ~columns] = np.nan
    return grid, green, index


def ndwi(green: Floats, nir: Floats) -> Floats:
    """(green - nir) / (green + nir); not a number where both are 0."""
    index = green - nir
    with np.errstate(invalid="ignore"):
        index /= green + nir
    return index


def otsu(values: Floats) -> float:
    """Otsu's threshold. Raises BadInput where there is none."""
    if not values.size:
        raise BadInput("no pixel is valid: there is no data in both bands here")
    if values.min() == values.max():
        raise BadInput(f"the NDWI is {values[0]:g} in every valid pixel: no threshold can tell water from land")
    return float(threshold_otsu(values))  # type: ignore[no-untyped-call]


def outlines(water: Mask, grid: Grid, min_pixels: int) -> tuple[dict[str, Any], int, float]:
    """Water bodies (pixels that share an edge) as features, how many there are in all, and the area of all in m2."""
    pixel = grid.transform.a * -grid.transform.e
    found: list[float] = []

    def bodies() -> Iterator[tuple[int, float, Polygon]]:
        for outline, _ in shapes(water.view(np.uint8), mask=water, transform=grid.transform):
            polygon = orient(shape(outline))
            pixels = round(polygon.area / pixel)
            if grid.crs.is_geographic:
                area = ELLIPSOID.geometry_area_perimeter(polygon)[0]
            else:
                area = pixels * pixel * grid.crs.linear_units_factor[1] ** 2
            found.append(area)
            if pixels >= min_pixels:
                yield pixels, area, polygon

    largest = nlargest(MAX_POLYGONS, bodies(), key=itemgetter(0))
    # a long edge that is straight on the grid is bent in longitude and latitude
    bent = [mapping(segmentize(polygon, 100 * math.sqrt(pixel))) for *_, polygon in largest]
    lonlat = transform_geom(grid.crs, LONLAT, bent, precision=7)
    features = [
        {"type": "Feature", "id": n, "geometry": g, "properties": {"pixels": pixels, "area_m2": round(area, 1)}}
        for n, (g, (pixels, area, _)) in enumerate(zip(lonlat, largest, strict=True), start=1)
    ]
    return {"type": "FeatureCollection", "features": features}, len(found), math.fsum(found)


def write_mask(path: Path, water: Mask, valid: Mask, grid: Grid) -> Path:
    """Write the mask as a cloud optimized GeoTIFF."""
    options = {"compress": "deflate", "overview_resampling": "mode", "nodata": NOT_VALID}
    size = {"width": grid.width, "height": grid.height, "count": 1, "dtype": "uint8"}
    with rasterio.open(path, "w", driver="COG", crs=grid.crs, transform=grid.transform, **size, **options) as dataset:
        dataset.write(np.where(valid, water, np.uint8(NOT_VALID)), 1)
        dataset.set_band_description(1, "water mask")
        dataset.write_colormap(1, {value: colour for value, (_, colour) in KINDS.items()})
        # what the values are called, as the CF conventions have it: files made of NetCDF say it so, too
        words = " ".join(word for word, _ in KINDS.values())
        dataset.update_tags(1, flag_values=", ".join(map(str, KINDS)), flag_meanings=words)
    return path


def write_preview(path: Path, brightness: Floats, water: Mask, valid: Mask) -> Path:
    """Write a picture: brightness between its 2nd and 98th percentile, water in blue, transparent where not valid."""
    low, high = np.percentile(brightness[valid][:: 1 + valid.size // 1_000_000], (2, 98))
    grey = brightness - np.float32(low)
    grey *= np.float32(255 / max(high - low, 1e-6))
    np.clip(np.nan_to_num(grey, copy=False), 0, 255, out=grey)
    scale = min(1.0, PREVIEW_SIDE / max(water.shape))
    size = max(1, round(water.shape[1] * scale)), max(1, round(water.shape[0] * scale))

    def layer(values: NDArray[Any]) -> Image.Image:
        return Image.fromarray(values.astype(np.uint8)).resize(size, Image.Resampling.BOX)

    land = layer(grey).convert("RGB")
    picture = Image.composite(Image.new("RGB", size, BLUE), land, layer(water * np.uint8(200)))
    picture.putalpha(layer(valid * np.uint8(255)))
    picture.save(path)
    return path
