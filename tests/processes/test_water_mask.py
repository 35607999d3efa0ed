import copy
import json
import shutil
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import numpy as np
import pytest
import rasterio
from PIL import Image
from pyproj import Geod, Transformer
from shapely import box
from shapely.geometry import shape

from geomill.processes import BadInput, BBox
from geomill.processes.water_mask import water_mask

CHECKOUT = Path(__file__).parents[2]
VIRGINIA = CHECKOUT / "examples" / "virginia" / "item.json"
SAMPLES = CHECKOUT.parent / "shared" / "data" / "water-bodies"
EXPECTED = json.loads((SAMPLES / "expected.json").read_text()) if SAMPLES.exists() else {"cases": []}
INLET = BBox((-75.64, 37.65, -75.60, 37.69))
needs_samples = pytest.mark.skipif(not SAMPLES.exists(), reason=f"the reference samples are not in {SAMPLES}")


@pytest.fixture(autouse=True)
def work(tmp_path, monkeypatch):
    """The job's directory: the process writes there and reads nothing else."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def load(path):
    """An item given by reference: its hrefs are absolute."""
    item = json.loads(path.read_text())
    for asset in item["assets"].values():
        asset["href"] = urljoin(path.as_uri(), asset["href"])
    return item


def fetch(href, media_type=None):
    source = Path(unquote(urlsplit(href).path))
    target = Path(f"{len(list(Path().iterdir()))}-{source.name}")
    shutil.copyfile(source, target)
    return target


def run(item, **inputs):
    return water_mask(item, progress=lambda percent, message=None: None, fetch=fetch, **inputs)


@pytest.fixture
def virginia():
    return load(VIRGINIA)


@pytest.fixture
def tiny(work):
    """A function that writes two small bands and gives their item."""
    return partial(made, work)


def made(folder, green, nir, crs="EPSG:32632", origin=(500_000, 5_000_000), pixel=10, nodata=None, facts=None):
    assets = {}
    for name, values in (("green", green), ("nir", nir)):
        values = np.asarray(values)
        path = folder / f"source-{name}.tif"
        transform = rasterio.Affine(pixel, 0, origin[0], 0, -pixel, origin[1])
        size = {"height": values.shape[0], "width": values.shape[1], "count": 1, "dtype": values.dtype}
        with rasterio.open(path, "w", driver="GTiff", crs=crs, transform=transform, nodata=nodata, **size) as dataset:
            dataset.write(values, 1)
        assets[name] = {"href": path.as_uri(), **(facts or {})}
    return {"type": "Feature", "stac_version": "1.1.0", "id": "tiny", "properties": {}, "assets": assets}


WET = np.array([[900, 900, 100], [900, 100, 100], [100, 100, 900]], "uint16")
DRY = np.array([[100, 100, 900], [100, 900, 900], [900, 900, 100]], "uint16")


# --- the reference answers


def aoi_of(case):
    numbers = tuple(float(number) for number in case["aoi"].split(","))
    return BBox(numbers) if case["epsg"] == "EPSG:4326" else BBox(numbers, case["epsg"])


@needs_samples
@pytest.mark.parametrize("case", EXPECTED["cases"], ids=lambda case: case["name"])
def test_the_reference_is_met(case):
    found = run(load(SAMPLES / case["item"] / "item.json"), aoi=aoi_of(case))["statistics"]
    assert found["threshold"] == pytest.approx(case["otsu_threshold"], abs=1e-4)
    assert found["water_pixels"] == pytest.approx(case["water_pixels"], rel=1e-3)
    assert found["valid_pixels"] == pytest.approx(case["valid_pixels"], rel=1e-3)
    assert (found["width"], found["height"], found["crs"]) == (case["width"], case["height"], case["crs"])


@needs_samples
def test_swapped_bands_give_the_negative_index():
    case = EXPECTED["swapped_bands_case"]
    found = run(load(SAMPLES / case["item"] / "item.json"), aoi=aoi_of(case), green="nir", nir="green")
    assert found["statistics"]["water_pixels"] == pytest.approx(case["set_pixels"], rel=1e-3)


@needs_samples
def test_stac_1_1_and_1_0_give_the_same():
    folder = SAMPLES / "S2A_18SVG_20160112_0_L1C"
    old, new = (run(load(folder / name), aoi=INLET) for name in ("item.json", "item-stac-1.1.json"))
    assert old["statistics"] == new["statistics"]


def test_the_example_has_the_water_it_is_known_for(virginia):
    found = run(virginia)["statistics"]
    assert found["threshold"] == pytest.approx(0.010077, abs=1e-4)
    assert (found["water_pixels"], found["valid_pixels"]) == pytest.approx((456_813, 810_000), rel=1e-3)
    assert found["share"] == found["water_pixels"] / found["valid_pixels"]


# --- what the outputs are


def test_the_mask_is_cloud_optimized_on_the_grid_of_the_bands(virginia):
    with rasterio.open(run(virginia)["mask"]) as mask:
        assert mask.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG" and mask.overviews(1)
        assert mask.tags(1) == {"flag_values": "0, 1, 255", "flag_meanings": "land water no_data"}
        assert (mask.nodata, mask.colormap(1)[1][:3], mask.colormap(1)[255][3]) == (255, (28, 110, 220), 0)
        assert (mask.crs, mask.dtypes, mask.nodata) == ("EPSG:32618", ("uint8",), 255)
        assert mask.bounds == (440730, 4165960, 449730, 4174960)


def test_the_mask_counts_what_the_statistics_say(virginia):
    result = run(virginia, aoi=INLET)
    with rasterio.open(result["mask"]) as dataset:
        values, counts = np.unique(dataset.read(1), return_counts=True)
    water, valid = result["statistics"]["water_pixels"], result["statistics"]["valid_pixels"]
    assert dict(zip(values.tolist(), counts.tolist(), strict=True)) == {
        0: valid - water,
        1: water,
        255: 357 * 443 - valid,
    }


def test_the_polygons_have_the_area_of_the_water_pixels(virginia):
    result = run(virginia, aoi=INLET)
    sizes = [feature["properties"]["pixels"] for feature in result["polygons"]["features"]]
    areas = [feature["properties"]["area_m2"] for feature in result["polygons"]["features"]]
    assert sizes == sorted(sizes, reverse=True) and sum(sizes) == result["statistics"]["water_pixels"]
    assert sum(areas) == sum(sizes) * 100 == result["statistics"]["water_area_m2"]


def test_the_polygons_lie_where_the_area_of_interest_is(virginia):
    outlines = [shape(feature["geometry"]) for feature in run(virginia, aoi=INLET)["polygons"]["features"]]
    assert all(outline.is_valid and box(*INLET.bbox).buffer(0.0005).contains(outline) for outline in outlines)


def test_geodesic_and_grid_areas_agree(virginia):
    for feature in run(virginia, aoi=INLET)["polygons"]["features"][:5]:
        geodesic, _ = Geod(ellps="WGS84").geometry_area_perimeter(shape(feature["geometry"]))
        assert geodesic == pytest.approx(feature["properties"]["area_m2"], rel=2e-3)  # counterclockwise: above 0


def test_a_geographic_grid_has_geodesic_areas(tiny):
    item = tiny(WET, DRY, crs="EPSG:4326", origin=(10, 60), pixel=0.001)
    areas = [feature["properties"]["area_m2"] for feature in run(item)["polygons"]["features"]]
    assert areas == pytest.approx([3 * 55.8 * 111.41, 55.8 * 111.41], rel=1e-3)


def test_small_bodies_are_left_out_of_the_polygons_only(tiny):
    result = run(tiny(WET, DRY), min_pixels=2)
    assert [feature["properties"]["pixels"] for feature in result["polygons"]["features"]] == [3]
    assert (result["statistics"]["water_pixels"], result["statistics"]["water_bodies"]) == (4, 2)


@pytest.mark.parametrize("side, aoi, size", [(3, None, (3, 3)), (0, INLET, (357, 443))])
def test_the_preview_is_a_picture_of_the_grid(side, aoi, size, tiny, virginia):
    with Image.open(run(tiny(WET, DRY) if side else virginia, aoi=aoi)["preview"]) as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "RGBA", size)


def test_the_preview_of_a_large_image_is_small(tiny):
    wide = np.tile(WET, (1, 800))
    with Image.open(run(tiny(wide, np.tile(DRY, (1, 800))))["preview"]) as picture:
        assert picture.size == (1024, 1)


def test_the_preview_is_blue_on_water_and_clear_without_data(tiny):
    green = WET.copy()
    green[0, 2] = 0
    with Image.open(run(tiny(green, DRY, nodata=0))["preview"]) as picture:
        red, _, blue, opaque = picture.getpixel((0, 0))
        assert blue > red and opaque == 255 and picture.getpixel((2, 0))[3] == 0


def test_progress_only_rises(virginia):
    seen = []
    water_mask(virginia, progress=lambda percent, message=None: seen.append(percent), fetch=fetch)
    assert seen == sorted(seen) and 0 <= seen[0] and seen[-1] <= 100


# --- bands and their numbers


@pytest.mark.parametrize("green, nir", [("B03", "B08"), ("green", "B08")])
def test_a_band_is_found_by_its_own_name_too(green, nir, virginia):
    assert run(virginia, green=green, nir=nir, aoi=INLET)["statistics"]["water_pixels"] == 129_534


def test_an_asset_without_roles_and_bands_is_found_by_its_key(tiny):
    assert run(tiny(WET, DRY))["statistics"]["water_pixels"] == 4


def test_measurements_win_over_pictures_and_coarse_copies(tiny):
    item = tiny(WET, DRY, facts={"roles": ["data"], "gsd": 10})
    nowhere = {"href": "file:///nowhere.tif", "bands": [{"eo:common_name": "green"}]}
    item["assets"]["green"]["bands"] = [{"eo:common_name": "green"}]
    first = {"visual": {**nowhere, "roles": ["visual"]}, "coarse": {**nowhere, "roles": ["data"], "gsd": 60}}
    item["assets"] = first | item["assets"]
    assert run(item)["statistics"]["water_pixels"] == 4


def test_both_bands_may_be_in_one_file(work, tiny):
    item = tiny(WET, DRY)
    with rasterio.open(work / "source-green.tif") as one:
        profile = one.profile | {"count": 2}
    with rasterio.open(work / "both.tif", "w", **profile) as both:
        both.write(np.stack([DRY, WET]))
    bands = [{"name": "nir", "common_name": "nir"}, {"name": "green", "common_name": "green"}]
    item["assets"] = {"both": {"href": (work / "both.tif").as_uri(), "eo:bands": bands}}
    assert run(item)["statistics"]["water_pixels"] == 4


OFFSET = {"scale": 0.0001, "offset": -0.1}


@pytest.mark.parametrize(
    "facts",
    [{"raster:bands": [OFFSET]}, {f"raster:{k}": v for k, v in OFFSET.items()}, {"bands": [{"raster:offset": -1000}]}],
)
def test_scale_and_offset_are_applied(facts, tiny):
    plain, shifted = run(tiny(WET, DRY)), run(tiny(WET + 1000, DRY + 1000, facts=facts))
    assert shifted["statistics"]["threshold"] == pytest.approx(plain["statistics"]["threshold"], abs=1e-4)


def test_an_offset_already_taken_off_is_not_taken_off_again(tiny):
    item = tiny(WET, DRY, facts={"raster:bands": [OFFSET]})
    item["properties"]["earthsearch:boa_offset_applied"] = True
    assert run(item)["statistics"]["water_pixels"] == 4


@pytest.mark.parametrize("nodata, facts", [(7, {}), (None, {"nodata": 7}), (None, {"raster:bands": [{"nodata": 7}]})])
def test_no_data_is_not_valid(nodata, facts, tiny):
    green = WET.copy()
    green[0, 0] = 7
    found = run(tiny(green, DRY, nodata=nodata, facts=facts))["statistics"]
    assert (found["valid_pixels"], found["water_pixels"]) == (8, 3)


# --- areas of interest


@pytest.mark.parametrize(
    "aoi",
    [
        BBox((-75.64, 37.65, 0, -75.60, 37.69, 100)),
        BBox((37.65, -75.64, 37.69, -75.60), "http://www.opengis.net/def/crs/EPSG/0/4326"),
        BBox((284.36, 37.65, 284.40, 37.69)),
    ],
    ids=["heights", "latitude first", "once around"],
)
def test_a_box_may_be_written_in_several_ways(aoi, virginia):
    assert run(virginia, aoi=aoi)["statistics"]["water_pixels"] == 129_534


def test_the_whole_world_is_the_whole_item(virginia):
    assert run(virginia, aoi=BBox((-180, -90, 180, 90)))["statistics"]["valid_pixels"] == 810_000


def corner(crs, longitude, latitude):
    return Transformer.from_crs("OGC:CRS84", crs, always_xy=True).transform(longitude, latitude)


@pytest.mark.parametrize("west, east, valid", [(179.98, -179.9, 9), (-180, -179.9, 6), (179.98, 180, 3)])
def test_an_item_and_a_box_may_cross_the_antimeridian(west, east, valid, tiny):
    item = tiny(WET, DRY, crs="EPSG:32760", origin=corner("EPSG:32760", 179.99, -17), pixel=1000)
    found = run(item, aoi=BBox((west, -17.1, east, -16.9)))
    assert found["statistics"]["valid_pixels"] == valid


def test_polygons_are_cut_at_the_antimeridian(tiny):
    item = tiny(DRY, WET, crs="EPSG:32760", origin=corner("EPSG:32760", 179.99, -17), pixel=1000)
    largest = shape(run(item)["polygons"]["features"][0]["geometry"])
    assert largest.geom_type == "MultiPolygon" and (largest.bounds[0], largest.bounds[2]) == (-180, 180)


def test_a_grid_turned_against_the_box_loses_no_pixel_of_it(tiny):
    x, y = corner("EPSG:3413", 0, 80)  # turned by 45 degrees
    item = tiny(*(np.tile(band, (30, 30)) for band in (WET, DRY)), "EPSG:3413", (x - 45e3, y + 45e3), pixel=1000)
    result = run(item, aoi=BBox((-1, 79.9, 1, 80.1)))
    with rasterio.open(result["mask"]) as mask:
        rows, columns = np.nonzero(mask.read(1) != 255)
        xs, ys = rasterio.transform.xy(mask.transform, rows, columns)
    back = Transformer.from_crs("EPSG:3413", "OGC:CRS84", always_xy=True)
    longitude, latitude = back.transform(np.array(xs), np.array(ys))
    inside = (abs(longitude) <= 1) & (abs(latitude - 80) <= 0.1)
    assert inside.sum() == pytest.approx(
        38.8 * 22.3 * 0.977**2, rel=0.02
    )  # kilometres of the box, as long as the grid has them


# --- what cannot be mapped


@pytest.mark.parametrize(
    "inputs, says",
    [
        ({"nir": "swir16"}, "nir: band 'swir16' is not in item virginia: it has green, nir"),
        ({"aoi": BBox((10, 46, 11, 47))}, r"aoi: 10 46 11 47 lies outside item virginia, which covers -75\.67"),
        ({"aoi": BBox((345345345,) * 4)}, "aoi: .* empty"),
        ({"aoi": BBox((-75.6, 37.7, -75.6, 37.6))}, "aoi: .* empty"),
        ({"aoi": BBox((0, 0, 1, 1), "EPSG:1")}, "aoi: 'EPSG:1' is no known CRS"),
        ({"aoi": BBox((443541, 4171001, 443542, 4171002), "EPSG:32618")}, "aoi: .* no pixel"),
        ({"aoi": BBox((443541, 4171001, 443546, 4171006), "EPSG:32618")}, "NDWI is .* in every valid pixel"),
    ],
)
def test_an_input_that_does_not_fit_the_item_is_said(inputs, says, virginia):
    with pytest.raises(BadInput, match=says):
        run(virginia, **inputs)


def test_a_relative_href_needs_an_item_by_reference():
    with pytest.raises(BadInput, match="asset 'green' of item virginia has a relative href"):
        run(json.loads(VIRGINIA.read_text()))


@pytest.mark.parametrize("change", [{"type": "Catalog"}, {"type": "FeatureCollection", "assets": None}, {"assets": []}])
def test_only_an_item_is_an_item(change, virginia):
    with pytest.raises(BadInput, match="a STAC item is a Feature with assets"):
        run(virginia | change)


def test_bands_on_different_grids_are_refused(virginia, tiny, work):
    item = copy.deepcopy(virginia)
    item["assets"]["nir"]["href"] = tiny(WET, DRY)["assets"]["nir"]["href"]
    with pytest.raises(BadInput, match="different grids: 900 x 900 pixels of 10 .*, and 3 x 3 pixels"):
        run(item)


def test_an_image_without_data_has_no_threshold(tiny):
    with pytest.raises(BadInput, match="no pixel is valid"):
        run(tiny(WET * 0, DRY, nodata=0))


def test_an_image_of_one_value_has_no_threshold(tiny):
    with pytest.raises(BadInput, match="the NDWI is 0.8 in every valid pixel"):
        run(tiny(np.full((3, 3), 900), np.full((3, 3), 100)))


def test_a_band_its_file_does_not_have_is_said(tiny):
    item = tiny(WET, DRY)
    item["assets"]["green"]["bands"] = [{"name": "red"}, {"name": "green"}]
    with pytest.raises(BadInput, match="is said to have 2 bands, and its file has 1"):
        run(item)


VRT = """<VRTDataset rasterXSize="3" rasterYSize="3"><VRTRasterBand dataType="UInt16" band="1"><SimpleSource>
<SourceFilename>/etc/hostname</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"""


@pytest.mark.parametrize("content", [VRT, "<WMS_Capabilities/>", "", "II*\0 and no more"])
def test_only_geotiff_and_jpeg_2000_are_opened(content, virginia, work):
    (work / "trap.tif").write_text(content)
    virginia["assets"]["green"]["href"] = (work / "trap.tif").as_uri()
    with pytest.raises(BadInput, match="asset 'green' of item virginia is not a GeoTIFF or JPEG 2000 file"):
        run(virginia)


def test_a_cut_off_file_is_said_to_be_damaged(virginia, work):
    whole = (VIRGINIA.parent / "nir.tif").read_bytes()
    (work / "half.tif").write_bytes(whole[: len(whole) // 2])
    virginia["assets"]["nir"]["href"] = (work / "half.tif").as_uri()
    with pytest.raises(BadInput, match="asset 'nir' of item virginia cannot be read: its file is damaged"):
        run(virginia)


def test_a_file_outside_the_working_directory_is_not_opened(virginia):
    with pytest.raises(ValueError, match="not below the working directory"):
        water_mask(
            virginia, progress=lambda *_: None, fetch=lambda href, media_type=None: VIRGINIA.parent / "green.tif"
        )
