"""Water mask: the water bodies of a satellite image, by NDWI and Otsu's threshold on two bands of a STAC item."""

import math
import re
from collections import ChainMap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from heapq import nlargest
from itertools import zip_longest
from operator import itemgetter
from pathlib import Path
from typing import Annotated, Any, TypedDict
from urllib.parse import urlsplit

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from PIL import Image
from pyproj import Geod
from rasterio.crs import CRS
from rasterio.errors import RasterioIOError
from rasterio.features import shapes
from rasterio.warp import transform, transform_bounds, transform_geom
from rasterio.windows import Window
from shapely import segmentize
from shapely.geometry import Polygon, mapping, shape
from shapely.geometry.polygon import orient
from skimage.filters import threshold_otsu

from geomill.processes import About, BadInput, BBox, Fetch, File, Progress, process
from geomill.processes.buffer import read_crs

Bounds = tuple[float, float, float, float]
Mask = NDArray[np.bool_]
Floats = NDArray[np.float32]

LONLAT = CRS.from_string("OGC:CRS84")
ELLIPSOID = Geod(ellps="WGS84")
TIFF = {b"II", b"MM"}  # how such a file begins
PICTURES = {"visual", "thumbnail", "overview"}  # roles of assets whose colours are stretched: no measurement
MAX_PIXELS = 11_000 * 11_000  # a whole Sentinel-2 tile; about 2.5 GB of memory
MAX_POLYGONS = 10_000
NO_FACTS: dict[str, Any] = {}
PREVIEW_SIDE = 1024
NOT_VALID = 255
BLUE = (28, 110, 220)


class WaterMask(TypedDict):
    """What `water_mask` gives."""

    mask: Annotated[
        Path,
        File(
            "Water mask",
            "image/tiff; application=geotiff; profile=cloud-optimized",
            "1 is water, 0 is not, 255 is not valid; the grid of the bands.",
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


@process(version="1.0.0", keywords=["water", "NDWI", "STAC", "Sentinel-2"])
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


# --- bands of a STAC item


@dataclass(frozen=True)
class Band:
    """One band of a STAC item, with everything the item says of it."""

    item: str
    asset: str
    number: int  # in its file, from 1
    facts: Mapping[str, Any]

    def __str__(self) -> str:
        """How messages name it."""
        return f"asset {self.asset!r} of item {self.item}"

    @property
    def href(self) -> str:
        """Where its file is; absolute, or BadInput."""
        href = str(self.facts.get("href"))
        if not urlsplit(href).scheme:
            raise BadInput("item", f"{self} has a relative href: give the item by reference, or absolute hrefs")
        return href

    @property
    def names(self) -> tuple[Any, Any, str]:
        """Common name, own name, asset key."""
        return self.facts.get("eo:common_name", self.facts.get("common_name")), self.facts.get("name"), self.asset

    def fact(self, name: str, default: Any = None) -> Any:
        """What the raster extension says: `raster:scale` in STAC 1.1, `scale` in `raster:bands` before."""
        said = self.facts.get(f"raster:{name}", self.facts.get(name))
        return default if said is None else said

    def rank(self) -> tuple[bool, float]:
        """Measurements first, then the finest pixels: an item may offer a band several times."""
        data = {"data", "reflectance"}.isdisjoint(self.facts.get("roles") or ())
        return data, float(self.fact("spatial_resolution") or self.fact("gsd") or math.inf)


def bands_of(item: dict[str, Any]) -> list[Band]:
    """The bands of a STAC 1.0 or 1.1 item, best first. Raises BadInput for anything else."""
    assets = item.get("assets")
    if item.get("type") != "Feature" or not isinstance(assets, dict):
        raise BadInput("item", f"a STAC item is a Feature with assets, and this is of type {item.get('type')!r}")
    bands = []
    for key, asset in assets.items():
        if not PICTURES.isdisjoint(asset.get("roles") or ()):
            continue
        named, measured = asset.get("bands") or asset.get("eo:bands") or [{}], asset.get("raster:bands") or []
        for number, described in enumerate(zip_longest(named, measured, fillvalue=NO_FACTS), start=1):
            facts = ChainMap(*described, asset, item.get("properties") or {})
            bands.append(Band(str(item.get("id")), key, number, facts))
    return sorted(bands, key=Band.rank)


def find_band(item: dict[str, Any], name: str, input_id: str) -> Band:
    """The band with this common name, else band name, else asset key. Raises BadInput naming those there are."""
    bands = bands_of(item)
    for kind in range(3):
        for band in bands:
            if band.names[kind] == name:
                return band
    offered = ", ".join(dict.fromkeys(next(filter(None, band.names)) for band in bands)) or "no bands"
    raise BadInput(input_id, f"band {name!r} is not in item {item.get('id')}: it has {offered}")


# --- rasters: the window to read, and its reflectance


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
    return Grid(first.crs, first.transform, 0, 0, first.width, first.height)


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


# --- water


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
    return path


def write_preview(path: Path, brightness: Floats, water: Mask, valid: Mask) -> Path:
    """Write a picture: brightness between its 2nd and 98th percentile, water in blue, transparent where not valid."""
    sample = brightness[valid]
    low, high = np.percentile(sample[:: 1 + sample.size // 1_000_000], (2, 98))
    grey = np.nan_to_num((brightness - low) * np.float32(255 / max(high - low, 1e-6)))
    scale = min(1.0, PREVIEW_SIDE / max(water.shape))
    size = max(1, round(water.shape[1] * scale)), max(1, round(water.shape[0] * scale))

    def layer(values: NDArray[Any]) -> Image.Image:
        return Image.fromarray(values.astype(np.uint8)).resize(size, Image.Resampling.BOX)

    land = layer(np.clip(grey, 0, 255)).convert("RGB")
    picture = Image.composite(Image.new("RGB", size, BLUE), land, layer(water * np.uint8(200)))
    picture.putalpha(layer(valid * np.uint8(255)))
    picture.save(path)
    return path
