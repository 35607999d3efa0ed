"""The steps of the water-bodies example that make a mask, each as a real program: crop, norm_diff, otsu."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from backstage import serving
from skimage.filters import threshold_otsu
from support.water import CHECKOUT, INLET, VIRGINIA, crop, detect, fails, pixels, raster, works

SAMPLES = CHECKOUT.parent / "shared" / "data" / "water-bodies"
EXPECTED = json.loads((SAMPLES / "expected.json").read_text()) if SAMPLES.exists() else {"cases": []}
REFERENCES = sorted(SAMPLES.glob("reference/*/*/*.json"))
needs_samples = pytest.mark.skipif(not SAMPLES.exists(), reason=f"the reference samples are not in {SAMPLES}")


def changed(folder: Path, **assets: Any) -> Path:
    """The Virginia item with other assets, beside links to its files."""
    for name in ("green.tif", "nir.tif"):
        (folder / name).symlink_to(VIRGINIA / name)
    item = json.loads((VIRGINIA / "item.json").read_text())
    item["assets"] = assets
    (folder / "item.json").write_text(json.dumps(item))
    return folder / "item.json"


# --- answers that are known


@needs_samples
@pytest.mark.parametrize("case", EXPECTED["cases"], ids=lambda case: case["name"])
def test_the_tools_give_the_reference_answers(case):
    mask = detect(SAMPLES / case["item"] / "item.json", aoi=case["aoi"], epsg=case["epsg"])
    index = pixels("norm_diff.tif")
    finite = index[np.isfinite(index)]
    assert (mask.shape, mask.sum()) == ((case["height"], case["width"]), case["water_pixels"])
    assert (finite.size, (~np.isfinite(index)).sum()) == (case["valid_pixels"], case["not_finite_pixels"])
    assert (finite.min(), finite.max()) == (case["ndwi"]["min"], case["ndwi"]["max"])
    assert pixels("crop_green.tif").sum(dtype="int64") == case["green_sum"]
    assert pixels("crop_nir.tif").sum(dtype="int64") == case["nir_sum"]
    with rasterio.open("otsu.tif") as dataset:
        assert dataset.crs.to_string() == case["crs"] and list(dataset.transform)[:6] == pytest.approx(
            case["transform"]
        )


@needs_samples
@pytest.mark.parametrize("reference", REFERENCES, ids=lambda path: f"{path.parts[-3]}-{path.parts[-2]}")
def test_mask_and_item_are_those_of_the_original_tools(reference, work):
    aoi = INLET if "virginia" in str(reference) else "10.03,46.06,10.06,46.07"
    source = SAMPLES / reference.stem / "item.json"
    mask = detect(source, aoi=aoi)
    assert np.array_equal(mask, pixels(reference.parent / "otsu.tif"))
    works("stac", "--input-item", source, "--water-body", "otsu.tif")
    ours, theirs = (json.loads(path.read_text()) for path in (work / reference.stem / reference.name, reference))
    for name in ("type", "id", "links"):
        assert ours[name] == theirs[name]
    assert np.array(ours["geometry"]["coordinates"]) == pytest.approx(np.array(theirs["geometry"]["coordinates"]))
    assert ours["bbox"] == pytest.approx(theirs["bbox"])
    assert {name: ours["properties"][name] for name in theirs["properties"]} == theirs["properties"]
    for name in ("href", "type", "roles"):
        assert ours["assets"]["data"][name] == theirs["assets"]["data"][name]


def test_the_tools_map_the_inlet():
    assert (detect(VIRGINIA / "item.json").sum(), pixels("otsu.tif").shape) == (129_534, (443, 357))
    with rasterio.open("otsu.tif") as mask:
        assert mask.tags(1) == {"flag_values": "0, 1", "flag_meanings": "not_above above"}
        assert mask.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG" and mask.colormap(1)[1] == (28, 110, 220, 255)


def test_swapped_bands_find_land():
    assert detect(VIRGINIA / "item.json", bands=("nir", "green")).sum() == 27_599


def test_an_area_partly_outside_is_cut_at_the_edge():
    mask = detect(VIRGINIA / "item.json", aoi="-75.80,37.65,-75.60,37.69")
    with rasterio.open("otsu.tif") as dataset:
        assert dataset.bounds.left == 440730
    assert mask.shape[1] == (447110 - 440730) / 10


def test_the_whole_world_is_the_whole_image():
    assert detect(VIRGINIA / "item.json", aoi="-180,-90,180,90").shape == (900, 900)


def test_an_area_may_be_written_in_the_coordinates_of_the_grid():
    works("crop", *crop(VIRGINIA / "item.json", aoi="440730,4174950,440750,4174960", epsg="EPSG:32618"))
    assert pixels("crop_green.tif").shape == (1, 2)


def test_a_step_leaves_one_raster_and_says_what_it_did(work):
    log = works("crop", *crop(VIRGINIA / "item.json"))
    assert "window of 357 x 443 pixels at column 281, row 336 of 900 x 900 in EPSG:32618" in log
    assert [path.name for path in work.iterdir()] == ["crop_green.tif"]
    with rasterio.open("crop_green.tif") as dataset:
        assert (dataset.profile["compress"], dataset.block_shapes, dataset.nodata) == ("lzw", [(256, 256)], 0)
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"


# --- items


@pytest.mark.parametrize(
    "described",
    [
        {"roles": ["data"], "eo:bands": [{"name": "B03", "common_name": "green"}]},
        {"eo:bands": [{"name": "B03", "common_name": "green"}]},
        {"bands": [{"name": "B03", "eo:common_name": "green"}]},
        {"bands": [{"name": "B03"}], "eo:common_name": "green"},
        {"roles": ["reflectance"], "eo:common_name": "green"},
    ],
    ids=["1.0", "1.0 without roles", "1.1", "1.1, of the asset", "1.1, no bands"],
)
def test_a_band_is_found_however_the_item_names_it(described, work):
    picture = {"href": "./nir.tif", "roles": ["visual"], "eo:bands": [{"common_name": "green"}]}
    works("crop", *crop(changed(work, picture=picture, band={"href": "green.tif"} | described)))
    assert pixels("crop_green.tif").sum(dtype="int64") == 126_481_272


def test_the_band_of_an_asset_with_several_is_read(work):
    values = np.stack([np.zeros((900, 900), "uint16"), pixels(VIRGINIA / "green.tif")])
    with rasterio.open(VIRGINIA / "green.tif") as green:
        profile = green.profile | {"driver": "GTiff", "count": 2}
    with rasterio.open(work / "both.tif", "w", **profile) as dataset:
        dataset.write(values)
    both = {"href": "both.tif", "eo:bands": [{"common_name": "blue"}, {"common_name": "green"}]}
    works("crop", *crop(changed(work, both=both)))
    assert pixels("crop_green.tif").sum(dtype="int64") == 126_481_272


def test_a_folder_with_a_catalogue_is_an_item(work):
    folder = work / "a folder"
    shutil.copytree(VIRGINIA, folder / "one")
    (folder / "catalog.json").write_text(json.dumps({"links": [{"rel": "item", "href": "./one/item.json"}]}))
    assert detect(folder).sum() == 129_534
    works("stac", "--input-item", folder, "--water-body", "otsu.tif")
    assert (work / "virginia" / "virginia.json").is_file()


def test_an_item_over_http_gives_the_same_bytes_as_from_disk(work):
    works("crop", *crop(VIRGINIA / "item.json"))
    from_disk = Path("crop_green.tif").read_bytes()
    with serving(VIRGINIA) as url:
        works("crop", *crop(f"{url}/item.json"))
    assert Path("crop_green.tif").read_bytes() == from_disk


@contextmanager
def bare(folder: Path, length: str = "") -> Iterator[str]:
    """Python's own server of files, which gives no part of one: its host and port. length: that it pretends."""

    class Handler(SimpleHTTPRequestHandler):
        def send_header(self, keyword: str, value: str) -> None:
            super().send_header(keyword, length if length and keyword == "Content-Length" else value)

        def log_message(self, format: str, *args: Any) -> None:
            """Called for each request."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_server_that_gives_no_parts_is_asked_once_for_the_whole_file(work):
    works("crop", *crop(VIRGINIA / "item.json"))
    from_disk = Path("crop_green.tif").read_bytes()
    with bare(VIRGINIA) as host:
        log = works("crop", *crop(f"http://{host}/item.json"))
    assert f"crop: {host} does not answer Range requests: the whole file is fetched, 1290805 bytes\n" in log
    assert [(path.name, path.read_bytes()) for path in work.iterdir()] == [("crop_green.tif", from_disk)]


@pytest.mark.parametrize(
    "length, says",
    [
        (2**31 + 1, "{} does not answer Range requests, and the file has more than 2147483648 bytes: put it on a "),
        (1_300_000, "{} broke off after 1290805 of 1300000 bytes"),
    ],
)
def test_a_whole_file_that_cannot_be_had_is_not_the_fault_of_the_inputs(length, says, work):
    assets = {"green": {"href": "green.tif", "eo:common_name": "green"}}
    item = changed(work, **assets).read_bytes()
    with bare(work) as items, bare(VIRGINIA, str(length)) as host:
        (work / "item.json").write_bytes(item.replace(b'"green.tif"', f'"http://{host}/green.tif"'.encode()))
        assert says.format(host) in fails("crop", *crop(f"http://{items}/item.json"))


def test_an_item_from_elsewhere_is_not_let_at_the_files_here(work):
    item = changed(work, green={"href": (VIRGINIA / "green.tif").as_uri(), "eo:common_name": "green"})
    with serving(item.parent) as url:
        assert "green.tif in item http://" in fails("crop", *crop(f"{url}/item.json"))


def test_a_file_that_refers_to_others_is_not_opened(work):
    (work / "trap.tif").write_text(
        '<VRTDataset rasterXSize="3" rasterYSize="3"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
        "<SourceFilename>green.tif</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"
    )
    item = changed(work, green={"href": "trap.tif", "eo:common_name": "green"})
    assert "trap.tif cannot be read: " in fails("crop", *crop(item))


# --- what is wrong is said


@pytest.mark.parametrize(
    "change, says",
    [
        ({"band": "swir16"}, "--band: item virginia has no band 'swir16': it has green, nir"),
        (
            {"aoi": "10,46,11,47"},
            "the area of interest 10,46,11,47 does not overlap asset 'green', "
            "which covers -75.6725244,37.638867,-75.5697876,37.7205203 in EPSG:4326",
        ),
        ({"aoi": "-75.600001,37.66,-75.6,37.660001"}, "holds the centre of no pixel of asset 'green'"),
        ({"aoi": "1,2,3"}, "--aoi: expected four numbers \"minx,miny,maxx,maxy\", got '1,2,3'"),
        ({"aoi": "west,2,3,4"}, "--aoi: expected four numbers"),
        ({"aoi": "-75.6,37.65,-75.64,37.69"}, "is no box: it needs minx < maxx and miny < maxy"),
        ({"aoi": "nan,1,2,3"}, "is no box"),
        ({"epsg": "EPSG:1"}, "--epsg: 'EPSG:1' is no coordinate reference system"),
        ({"item": "missing.json"}, "missing.json cannot be read: "),
        ({"item": "ftp://example.org/item.json"}, "only http, https and files are"),
        ({"item": VIRGINIA / "ATTRIBUTION.md"}, "ATTRIBUTION.md cannot be read: "),
        ({"item": VIRGINIA}, "virginia/catalog.json cannot be read: "),
    ],
    ids=str,
)
def test_crop_says_what_is_wrong(change, says):
    assert says in fails("crop", *crop(**({"item": VIRGINIA / "item.json"} | change)))


def test_what_a_server_refuses_is_said():
    with serving(VIRGINIA) as url:
        assert f"{url}/none.json cannot be read: HTTP 404 File not found" in fails("crop", *crop(f"{url}/none.json"))


def test_a_catalogue_is_no_item(work):
    (work / "catalog.json").write_text('{"type": "Catalog", "links": []}')
    assert "catalog.json is no STAC item, but of type 'Catalog'" in fails("crop", *crop("catalog.json"))
    assert "catalog.json has no link to an item" in fails("crop", *crop(work))


def test_rasters_on_different_grids_have_no_difference(work):
    one, other = raster(work / "a.tif", np.ones((3, 3))), raster(work / "b.tif", np.ones((3, 4)))
    says = "different grids: 3 x 3 pixels of 10 from 440730,4174960 in EPSG:32618, and 4 x 3 pixels of 10"
    assert says in fails("norm_diff", one, other)
    moved = raster(work / "c.tif", np.ones((3, 3)), transform=Affine(10, 0, 440740, 0, -10, 4174960))
    assert "different grids" in fails("norm_diff", one, moved)


# --- the index and the threshold


def test_pixels_without_data_in_one_band_have_no_index(work):
    green = raster(work / "a.tif", [[65535, 300, 0, 100]], nodata=65535)
    works("norm_diff", green, raster(work / "b.tif", [[100, 100, 0, 65535]], nodata=65535))
    assert pixels("norm_diff.tif") == pytest.approx(np.array([[np.nan, 0.5, np.nan, np.nan]]), nan_ok=True)


@pytest.mark.parametrize("seed", range(4))
def test_the_threshold_is_that_of_scikit_image(seed, work):
    generator = np.random.default_rng(seed)
    shape = 700, 40  # several strips
    values = np.where(
        generator.random(shape) < 0.3, generator.normal(0.4, 0.1, shape), generator.normal(-0.3, 0.2, shape)
    )
    values = values.astype("float32")
    holes = values.copy()
    holes[::7] = np.nan
    works("otsu", raster(work / "index.tif", holes, dtype="float32"))
    level = threshold_otsu(holes[np.isfinite(holes)])
    assert np.array_equal(pixels("otsu.tif"), holes > level)


def test_an_image_of_one_value_has_no_water(work):
    log = works("otsu", raster(work / "index.tif", np.full((3, 3), 0.25), dtype="float32"))
    assert "every value is 0.25: no threshold tells high from low, so none is high" in log
    assert not pixels("otsu.tif").any()


def test_an_image_without_data_has_no_threshold(work):
    index = raster(work / "index.tif", np.full((3, 3), np.nan), dtype="float32")
    assert fails("otsu", index) == "otsu: no pixel has a value: there are no data in the area of interest"
