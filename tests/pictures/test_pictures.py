"""Pictures of rasters, and the values in them, held against what rasterio reads of the same files."""

from __future__ import annotations

import io
import json
import math
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from PIL import Image
from rasterio.crs import CRS
from rasterio.warp import transform

from geomill.app.pictures.colours import ramp
from geomill.app.pictures.drawing import draw
from geomill.app.pictures.meaning import of_asset
from geomill.app.pictures.pixels import value
from geomill.app.pictures.reading import Undrawable

ROTATED = Affine(20, 8, 440000, 8, -20, 4174000)
GRIDS = {
    "UTM": ("EPSG:32618", Affine(30, 0, 440000, 0, -30, 4174000)),
    "degrees": ("EPSG:4326", Affine(0.01, 0, 11, 0, -0.02, 48)),
    "web": ("EPSG:3857", Affine(50, 0, -8_420_000, 0, -50, 4_540_000)),
    "rotated": ("EPSG:32618", ROTATED),
    "south up": ("EPSG:32756", Affine(100, 0, 300000, 0, 100, 6_200_000)),
    "polar": ("EPSG:3413", Affine(1000, 0, -900_000, 0, -1000, -1_200_000)),
    "0 to 360": ("EPSG:4326", Affine(0.5, 0, 200, 0, -0.5, 10)),
    "across 180": ("EPSG:32701", Affine(1000, 0, 120_000, 0, -1000, 8_100_000)),
    "own": ("+proj=laea +lat_0=52 +lon_0=10 +ellps=GRS80 +units=m", Affine(500, 0, -10_000, 0, -500, 9000)),
}


def write(path: Path, data: NDArray[Any], crs: str | None, affine: Affine | None, **more: Any) -> Path:
    """A GeoTIFF of (band, row, column)."""
    count, height, width = data.shape
    palette, tags, names, units = (more.pop(name, None) for name in ("palette", "tags", "names", "units"))
    where = {"crs": CRS.from_user_input(crs), "transform": affine} if crs else {}
    options = {"driver": "GTiff", "dtype": data.dtype, "count": count, "height": height, "width": width}
    with rasterio.open(path, "w", **options, **where, **more) as dataset:
        dataset.write(data)
        if palette:
            dataset.write_colormap(1, palette)
        dataset.update_tags(1, **tags or {})
        dataset.descriptions, dataset.units = names or dataset.descriptions, units or dataset.units
    return path


@contextmanager
def open_file(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def drawn(path: Path, *how: Any) -> tuple[dict[str, Any], NDArray[np.uint8]]:
    """What is said of a file, and its picture as (row, column, RGBA)."""
    with open_file(path) as descriptor:
        facts, png = draw(descriptor, *how)
    picture = np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))
    assert facts["picture"] == [picture.shape[1], picture.shape[0]] and max(picture.shape) <= 1024
    return facts, picture


def lonlat(crs: str, affine: Affine, column: float, row: float) -> tuple[float, float]:
    x, y = rasterio.transform.xy(affine, row, column, offset="ul")
    (lon,), (lat,) = transform(CRS.from_user_input(crs), "EPSG:4326", [float(x)], [float(y)])
    return lon, lat


def colour_at(facts: dict[str, Any], picture: NDArray[np.uint8], lon: float, lat: float) -> NDArray[np.uint8]:
    """What a map shows at a place, where the picture lies as it is said to."""
    (south, west), (north, east) = facts["bounds"]

    def up(degrees: float) -> float:
        return math.asinh(math.tan(math.radians(degrees)))

    lon += 360 * math.ceil((west - lon) / 360)
    column = (lon - west) / (east - west) * picture.shape[1]
    row = (up(north) - up(lat)) / (up(north) - up(south)) * picture.shape[0]
    return picture[int(row), int(column)]


def numbered(rows: int = 20, columns: int = 30, dtype: str = "float32") -> NDArray[Any]:
    return np.arange(rows * columns, dtype=dtype).reshape(1, rows, columns)


@pytest.mark.parametrize("grid", GRIDS)
def test_a_picture_shows_each_pixel_where_it_is(tmp_path: Path, grid: str) -> None:
    crs, affine = GRIDS[grid]
    data = numbered()
    data[0, 4, 5] = -9999
    facts, picture = drawn(write(tmp_path / "a.tif", data, crs, affine, nodata=-9999))
    assert facts["size"] == [30, 20] and facts["nodata"] == -9999
    assert facts["legend"]["nodata"] == {"value": -9999, "word": "no data", "share": 0.17}
    low, high = facts["legend"]["low"], facts["legend"]["high"]
    colours = ramp()
    for row, column in ((10, 15), (3, 25), (16, 4), (12, 28), (1, 1)):
        found = colour_at(facts, picture, *lonlat(crs, affine, column + 0.5, row + 0.5))
        share = min(1, max(0, (data[0, row, column] - low) / (high - low)))
        assert found[3] == 255
        assert np.abs(found[:3].astype(int) - colours[round(255 * share)]).max() <= 2, (row, column)
    assert colour_at(facts, picture, *lonlat(crs, affine, 5.5, 4.5))[3] == 0  # no data is not there


@pytest.mark.parametrize("grid", GRIDS)
def test_a_value_is_what_rasterio_reads_there(tmp_path: Path, grid: str) -> None:
    crs, affine = GRIDS[grid]
    data = np.concatenate([numbered() / 7, numbered()])
    data[1, 4, 5] = -9999
    path = write(tmp_path / "a.tif", data.astype("float32"), crs, affine, nodata=-9999)
    rng = np.random.default_rng(7)
    with open_file(path) as descriptor, rasterio.open(path) as dataset:
        for column, row in [(5.5, 4.5), *zip(rng.uniform(0, 30, 8), rng.uniform(0, 20, 8), strict=True)]:
            lon, lat = lonlat(crs, affine, column, row)
            place = [[each] for each in (lon, lat)]
            (x,), (y,) = transform("EPSG:4326", dataset.crs, *place)
            x += 360 if grid == "0 to 360" and x < 0 else 0
            (read,) = dataset.sample([(x, y)], masked=True)
            found = value(descriptor, lon, lat)
            assert (found["row"], found["column"]) == (int(row), int(column))
            assert found["values"] == [
                None if np.ma.is_masked(each) else pytest.approx(float(each), rel=1e-7) for each in read
            ]
        lon, lat = lonlat(crs, affine, 31, 4)
        assert value(descriptor, lon, lat) == {}


@pytest.mark.parametrize(
    "dtype, stored, told",
    [("uint8", 7, 7), ("int16", -3, -3), ("float32", 0.1, 0.1), ("float64", 1 / 3, 1 / 3), ("float32", np.nan, "nan"),
     ("uint32", 4_000_000_000, 4_000_000_000), ("complex64", 1 + 2j, "(1+2j)")],
)  # fmt: skip
def test_a_value_is_told_with_the_digits_that_it_has(tmp_path: Path, dtype: str, stored: Any, told: Any) -> None:
    data = np.full((1, 2, 2), stored, dtype)
    with open_file(write(tmp_path / "a.tif", data, *GRIDS["degrees"])) as descriptor:
        assert value(descriptor, 11.005, 47.99)["values"] == [told]


def test_few_values_have_a_colour_each(tmp_path: Path) -> None:
    mask = np.zeros((1, 10, 10), "uint8")
    mask[0, :5], mask[0, 9] = 1, 255
    facts, picture = drawn(write(tmp_path / "a.tif", mask, *GRIDS["UTM"], nodata=255))
    legend = facts["legend"]
    assert legend["kind"] == "values" and [entry["value"] for entry in legend["entries"]] == [0, 1]
    assert [entry["share"] for entry in legend["entries"]] == [44.44, 55.56]
    assert legend["nodata"] == {"value": 255, "word": "no data", "share": 10}
    one = bytes.fromhex(legend["entries"][1]["colour"][1:])
    assert bytes(colour_at(facts, picture, *lonlat(*GRIDS["UTM"], 5, 2)))[:3] == one
    assert facts["statistics"] == {"valid": 90, "min": 0, "max": 1, "mean": 0.555556, "std": 0.496904, "whole": True}


@pytest.mark.parametrize("stored", [None, {1: (9, 9, 9, 255), 2: (0, 200, 0, 255)}])
def test_shares_are_of_the_pixels_of_the_raster_and_not_of_the_map(tmp_path: Path, stored: Any) -> None:
    data = np.full((1, 180, 360), 2, "uint8")
    data[0, :30] = 1  # the far north, which a web map makes large, and of which it shows a part
    world = ("EPSG:4326", Affine(1, 0, -180, 0, -1, 90))
    facts, _ = drawn(write(tmp_path / "a.tif", data, *world, palette=stored))
    assert [(entry["value"], entry["share"]) for entry in facts["legend"]["entries"]] == [(1, 16.67), (2, 83.33)]


def test_a_palette_is_kept(tmp_path: Path) -> None:
    data = (numbered(dtype="uint16") % 40).astype("uint8")
    palette = {number: (number, 255 - number, 7, 255) for number in range(40)}
    facts, picture = drawn(write(tmp_path / "a.tif", data, *GRIDS["UTM"], palette=palette))
    colours = {entry["value"]: entry["colour"] for entry in facts["legend"]["entries"]}
    assert colours[20] == "#14eb07"
    assert tuple(colour_at(facts, picture, *lonlat(*GRIDS["UTM"], 20.5, 0.5))) == (20, 235, 7, 255)


def test_a_legend_lists_the_most_frequent_and_counts_the_rest(tmp_path: Path) -> None:
    data = np.arange(256, dtype="uint8").reshape(1, 16, 16)
    data[0, :2] = 200
    palette = {number: (number, 0, 0, 255) for number in range(256)}
    legend = drawn(write(tmp_path / "a.tif", data, *GRIDS["UTM"], palette=palette))[0]["legend"]
    shares = {entry["value"]: entry["share"] for entry in legend["entries"]}
    assert len(shares) == 30 and list(shares) == sorted(shares) and shares[200] == 12.89
    assert legend["more"] == 256 - 32 - 30


FLAGS = {"flag_values": "0b, 1b, 255b", "flag_meanings": "land open_water no_data"}
CLASSES = [
    {"value": 0, "name": "land", "color_hint": "00ff00"},
    {"value": 1, "name": "open_water", "title": "Water", "color_hint": "not one"},
    {"value": 255, "name": "unseen", "nodata": True},
]


def test_the_words_of_a_file_are_in_its_legend_and_in_its_values(tmp_path: Path) -> None:
    mask = np.zeros((1, 10, 10), "uint8")
    mask[0, :5], mask[0, 9] = 1, 255
    path = write(tmp_path / "a.tif", mask, *GRIDS["UTM"], nodata=255, tags=FLAGS, names=["mask"])
    facts, _ = drawn(path)
    assert facts["names"] == ["mask"] and facts["legend"]["nodata"]["word"] == "no data"
    assert [entry["word"] for entry in facts["legend"]["entries"]] == ["land", "open water"]
    with open_file(path) as descriptor:
        told = [value(descriptor, *lonlat(*GRIDS["UTM"], 2.5, row + 0.5))["told"] for row in (0, 7, 9)]
    assert told == ["open water (1)", "land (0)", "no data"]


def test_the_words_and_colours_of_an_item_win_and_its_nodata_counts(tmp_path: Path) -> None:
    mask = np.zeros((1, 10, 10), "uint8")
    mask[0, :5], mask[0, 9] = 1, 255
    path = write(tmp_path / "a.tif", mask, *GRIDS["UTM"], tags=FLAGS)
    described = of_asset({"raster:bands": [{"classification:classes": CLASSES, "nodata": 255}]})
    facts, picture = drawn(path, None, described)
    legend = facts["legend"]
    assert [entry["word"] for entry in legend["entries"]] == ["land", "Water"]
    assert legend["entries"][0]["colour"] == "#00ff00" and legend["nodata"]["word"] == "unseen"
    assert facts["statistics"]["valid"] == 90 and picture[..., 3].min() == 0
    with open_file(path) as descriptor:
        assert value(descriptor, *lonlat(*GRIDS["UTM"], 2.5, 9.5), None, described)["told"] == "unseen (255)"


def test_many_kinds_that_have_names_are_no_amount(tmp_path: Path) -> None:
    data = (numbered(dtype="uint16") % 40).astype("uint8")
    described = of_asset({"classification:classes": [{"value": n, "name": f"kind_{n}"} for n in range(40)]})
    path = write(tmp_path / "a.tif", data, *GRIDS["UTM"])
    assert drawn(path)[0]["legend"]["kind"] == "ramp"
    legend = drawn(path, None, described)[0]["legend"]
    assert legend["kind"] == "values" and legend["entries"][7]["word"] == "kind 7" and legend["more"] == 10


def test_a_band_is_chosen_and_says_what_it_is(tmp_path: Path) -> None:
    data = np.concatenate([numbered(), numbered() / 7, numbered() * 1000]).astype("float32")
    names, units = ["count", "", "height"], ["", "1", "m"]
    path = write(tmp_path / "a.tif", data, *GRIDS["UTM"], names=names, units=units)
    described = of_asset({"eo:bands": [{}, {"name": "B03", "common_name": "green"}]})
    facts, _ = drawn(path, 3, described)
    assert (facts["band"], facts["unit"], facts["names"]) == (3, "m", ["count", "B03 (green)", "height"])
    assert facts["legend"]["kind"] == "ramp" and facts["statistics"]["max"] == 599_000
    assert drawn(path)[0]["band"] == 1  # if nobody says
    with open_file(path) as descriptor:
        place = lonlat(*GRIDS["UTM"], 1.5, 0.5)
        assert value(descriptor, *place, 3)["told"] == "1000 m"
        assert value(descriptor, *place, None, described)["told"] == "count: 1, B03 (green): 0.142857, height: 1000 m"
        for look in (lambda: draw(descriptor, 4), lambda: value(descriptor, *place, 4)):
            with pytest.raises(Undrawable, match="no band 4: the last one is 3"):
                look()
    rgb = write(tmp_path / "b.tif", data.astype("uint8"), *GRIDS["UTM"])
    assert drawn(rgb)[0]["band"] is None and drawn(rgb)[0]["colours"] == [1, 2, 3]
    assert drawn(rgb, 2)[0]["band"] == 2 and drawn(rgb, 2)[0]["colours"] == [1, 2, 3]


@pytest.mark.parametrize("columns", [4, 40])
def test_statistics_that_are_no_numbers_are_left_out(tmp_path: Path, columns: int) -> None:
    data = np.linspace(-1.7, 1.7, columns) * 1e308 if columns > 12 else np.array([1e308, 1.7e308, -1.7e308, 2])
    facts, _ = drawn(write(tmp_path / "a.tif", np.tile(data, (1, 3, 1)), *GRIDS["UTM"]))
    assert (facts["statistics"]["min"], facts["statistics"]["max"]) == (-1.7e308, 1.7e308)
    assert "std" not in facts["statistics"]
    json.dumps(facts, allow_nan=False)  # or it is no answer


def test_three_bands_of_bytes_are_colours(tmp_path: Path) -> None:
    data = np.stack([np.full((8, 8), shade, "uint8") for shade in (200, 100, 50)])
    facts, picture = drawn(write(tmp_path / "a.tif", data, *GRIDS["UTM"]))
    assert facts["legend"] == {"kind": "colours", "bands": [1, 2, 3]}
    assert tuple(colour_at(facts, picture, *lonlat(*GRIDS["UTM"], 4, 4))) == (200, 100, 50, 255)


def test_a_large_raster_is_averaged(tmp_path: Path) -> None:
    checkers = np.tile(np.array([[0, 100], [100, 200]], "float32"), (1, 1536, 768))
    facts, picture = drawn(write(tmp_path / "a.tif", checkers + np.arange(1536) / 40, *GRIDS["UTM"], tiled=True))
    assert facts["size"] == [1536, 3072] and facts["picture"][1] == 1024
    assert facts["statistics"]["mean"] == pytest.approx(100 + 1536 / 80, abs=3)
    steps = np.diff(picture[300:700, 250:270, 1].astype(int), axis=1)
    assert np.abs(steps).max() < 20  # 100 and more where they are checkers


@pytest.mark.parametrize("where", [(None, None), ("EPSG:32618", Affine.identity()), ('LOCAL_CS["x"]', ROTATED)])
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_what_lies_nowhere_is_a_plain_picture(tmp_path: Path, where: tuple[Any, Any]) -> None:
    path = write(tmp_path / "a.tif", numbered(), *where)
    facts, picture = drawn(path)
    assert facts["bounds"] is None and picture.shape == (20, 30, 4)
    with open_file(path) as descriptor, pytest.raises(Undrawable, match="where on earth"):
        value(descriptor, 0, 0)


def test_a_whole_world_fits(tmp_path: Path) -> None:
    facts, picture = drawn(write(tmp_path / "a.tif", numbered(18, 36), "EPSG:4326", Affine(10, 0, -180, 0, -10, 90)))
    (south, west), (north, east) = facts["bounds"]
    assert (west, east) == (-180, 180) and -south == north == pytest.approx(85.05, abs=0.01)
    assert picture[..., 3].min() == 255 and abs(picture.shape[0] - picture.shape[1]) <= 1


@pytest.mark.parametrize("crs, side", [
    ("+proj=geos +h=35785831 +lon_0=0 +sweep=y", 5_568_748), ("+proj=robin", 17_000_000),
    ("+proj=ortho +lat_0=40", 7_000_000), ("+proj=sinu +R=6371007.181", 20_015_109),
])  # fmt: skip
def test_corners_that_lie_off_the_earth_are_left_out(tmp_path: Path, crs: str, side: int) -> None:
    affine = Affine(side / 50, 0, -side, 0, -side / 50, side)
    path = write(tmp_path / "a.tif", numbered(100, 100) + 1, crs, affine)
    facts, picture = drawn(path)
    (south, west), (north, east) = facts["bounds"]
    assert east - west > 100 and north - south > 100
    assert colour_at(facts, picture, 1, 41)[3] == 255
    with open_file(path) as descriptor, rasterio.open(path) as dataset:
        (x,), (y,) = transform("EPSG:4326", dataset.crs, [1], [41])
        (read,) = dataset.sample([(x, y)])
        assert value(descriptor, 1, 41)["values"] == list(read)
        assert value(descriptor, 179, -41) == {} or "proj=ortho" not in crs


@pytest.mark.parametrize("crs, south", [("EPSG:3031", True), ("EPSG:3413", False)])
def test_around_a_pole_there_is_every_longitude(tmp_path: Path, crs: str, south: bool) -> None:
    path = write(tmp_path / "a.tif", numbered(50, 50) + 1, crs, Affine(120_000, 0, -3e6, 0, -120_000, 3e6))
    facts, picture = drawn(path)
    (bottom, west), (top, east) = facts["bounds"]
    assert (west, east) == (-180, 180) and (bottom if south else -top) == pytest.approx(-85.05, abs=0.01)
    assert picture[-1 if south else 0, :, 3].min() == 255


@pytest.mark.parametrize("corner", [(2_000_000, 2_000_000), (5_500_000, 5_500_000)])
def test_a_part_of_a_disk_whose_middle_lies_off_it(tmp_path: Path, corner: tuple[int, int]) -> None:
    affine = Affine(70_000, 0, corner[0], 0, -70_000, corner[1] + 3_500_000)
    path = write(tmp_path / "a.tif", numbered(50, 50), "+proj=geos +h=35785831 +lon_0=0 +sweep=y", affine)
    if corner[0] < 5_000_000:
        assert drawn(path)[0]["bounds"]
    else:
        with pytest.raises(Undrawable, match="projection"):
            drawn(path)


@pytest.mark.parametrize("value_", [np.nan, np.inf, 5.0])
def test_nothing_but_one_value_or_none_is_drawn(tmp_path: Path, value_: float) -> None:
    facts, picture = drawn(write(tmp_path / "a.tif", np.full((1, 4, 4), value_, "float32"), *GRIDS["UTM"]))
    assert (picture[256, 256, 3] > 0) == (value_ == 5)


@pytest.mark.parametrize("spoil", ["empty", "text", "half", "vrt", "zeros"])
def test_a_damaged_file_says_so(tmp_path: Path, spoil: str) -> None:
    path = write(tmp_path / "a.tif", np.random.default_rng(1).random((1, 200, 200)), *GRIDS["UTM"], compress="deflate")
    whole = path.read_bytes()
    secret = write(tmp_path / "secret.tif", numbered(), *GRIDS["UTM"])
    vrt = f'<VRTDataset rasterXSize="9" rasterYSize="9"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>' \
          f"<SourceFilename>{secret}</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"  # fmt: skip
    spoiled = {"empty": b"", "text": b"hello", "half": whole[: len(whole) // 2], "vrt": vrt.encode(),
               "zeros": struct.pack("<2sHI", b"II", 42, 8) + bytes(100)}  # fmt: skip
    path.write_bytes(spoiled[spoil])
    with open_file(path) as descriptor, pytest.raises(Undrawable, match="damaged"):
        draw(descriptor)


def test_files_beside_it_are_not_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", numbered(), *GRIDS["UTM"])
    before = drawn(path)[0]
    band = "<PAMRasterBand band='1'><NoDataValue>5</NoDataValue></PAMRasterBand>"
    (tmp_path / "a.tif.aux.xml").write_text(f"<PAMDataset><SRS>EPSG:4326</SRS>{band}</PAMDataset>")
    (tmp_path / "a.tfw").write_text("1\n0\n0\n-1\n0\n0\n")
    assert drawn(path)[0] == before
