import pytest
from pyproj import Geod
from shapely.geometry import Point, box, mapping, shape

from geomill.processes import BadInput
from geomill.processes.buffer import buffer, read_crs

CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
UTM32 = "http://www.opengis.net/def/crs/EPSG/0/25832"
CIRCLE = 3.1416 * 1000**2
EARTH = Geod(ellps="WGS84")


def point(x, y):
    return {"type": "Point", "coordinates": [x, y]}


def area(geojson):
    return abs(EARTH.geometry_area_perimeter(shape(geojson))[0])


@pytest.mark.parametrize("latitude", [-80, 0, 46, 89])
def test_a_distance_is_in_metres_on_every_latitude(latitude):
    assert area(buffer(point(10, latitude), 1000, segments=64)) == pytest.approx(CIRCLE, rel=1e-3)


def test_every_side_is_as_far_as_asked():
    ring = shape(buffer(point(10, 46), 1000)).exterior.coords
    assert [EARTH.inv(10, 46, x, y)[2] for x, y in ring] == pytest.approx([1000] * len(ring), abs=0.01)


def test_a_projected_crs_buffers_in_its_own_units():
    result = shape(buffer(point(500_000, 5_000_000), 10, crs=UTM32, segments=64))
    assert result.bounds == pytest.approx((499_990, 4_999_990, 500_010, 5_000_010))


def test_more_segments_make_a_rounder_circle():
    few, many = (shape(buffer(point(0, 0), 10, crs="EPSG:25832", segments=n)) for n in (1, 32))
    assert len(few.exterior.coords) == 5 and many.area > few.area


def test_a_feature_is_taken_for_its_geometry():
    feature = {"type": "Feature", "properties": {}, "geometry": point(10, 46)}
    assert buffer(feature, 100) == buffer(point(10, 46), 100)


def test_heights_are_left_out():
    assert not shape(buffer({"type": "Point", "coordinates": [10, 46, 300]}, 100)).has_z


def test_a_negative_distance_shrinks_an_area():
    square = mapping(box(0, 0, 10, 10))
    assert shape(buffer(square, -1, crs="EPSG:25832")).area == pytest.approx(64)


def test_a_long_parallel_keeps_its_middle_in_the_buffer():
    line = {"type": "LineString", "coordinates": [[0, 50], [10, 50]]}
    assert shape(buffer(line, 100)).contains(Point(5, 50))


@pytest.mark.parametrize("x", [180, -179.999, 179.999])
def test_a_buffer_over_the_antimeridian_is_cut_there(x):
    result = shape(buffer(point(x, -17), 1000, segments=64))
    west, _, east, _ = result.bounds
    assert result.geom_type == "MultiPolygon" and (west, east) == (-180, 180)
    assert area(mapping(result)) == pytest.approx(CIRCLE, rel=1e-3)


def test_a_geometry_cut_at_the_antimeridian_is_buffered_as_one():
    halves = box(179.9, -17, 180, -16.9).union(box(-180, -17, -179.9, -16.9))
    result = shape(buffer(mapping(halves), 1000))
    assert result.bounds[0] == -180 and result.bounds[2] == 180
    whole = area(mapping(box(9.9, -17, 10.1, -16.9)))
    assert area(mapping(result)) == pytest.approx(whole + 2000 * (21_290 + 11_070) + CIRCLE, rel=2e-3)


@pytest.mark.parametrize(
    "geometry, distance, crs, says",
    [
        (point(10, 46), -5, CRS84, "nothing is left of the Point"),
        ({"type": "Point", "coordinates": []}, 5, CRS84, "empty"),
        ({"type": "GeometryCollection", "geometries": []}, 5, CRS84, "empty"),
        (
            {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]},
            5,
            CRS84,
            "not valid: Self-inter",
        ),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1]]]}, 5, CRS84, "no GeoJSON geometry"),
        ({"type": "Square"}, 5, CRS84, "no GeoJSON geometry"),
        ({"type": "Feature", "geometry": None}, 5, CRS84, "no GeoJSON geometry"),
        ({}, 5, CRS84, "no GeoJSON geometry"),
        (point(500_000, 5_000_000), 5, CRS84, "not longitudes and latitudes"),
        (mapping(box(-60, -30, 60, 30)), 5, CRS84, "too large"),
        (point(10, 46), 9_000_000, CRS84, "pole"),
        (point(10, 46), 1e9, CRS84, "pole"),
        (point(10, 46), 5, "EPSG:99999", "no known CRS"),
        (point(10, 46), 5, "EPSG:4978", "no known CRS"),
        (point(10, 46), 5, "+proj=pipeline +step +proj=merc", "no known CRS"),
        (point(10, 46), 5, "/etc/passwd", "no known CRS"),
    ],
)
def test_what_cannot_be_buffered_is_said(geometry, distance, crs, says):
    with pytest.raises(BadInput, match=says):
        buffer(geometry, distance, crs=crs)


@pytest.mark.parametrize(
    "name",
    [
        "EPSG:4326",
        "http://www.opengis.net/def/crs/EPSG/0/4326",
        "https://www.opengis.net/def/crs/EPSG/9.8.5/4326",
        "urn:ogc:def:crs:EPSG::4326",
        "urn:ogc:def:crs:EPSG:6.6:4326",
        "urn:ogc:def:crs:OGC:1.3:CRS84",
        "OGC:CRS84",
        CRS84,
        "http://www.opengis.net/def/crs/OGC/0/CRS84h",
    ],
)
def test_a_crs_has_many_names(name):
    assert read_crs(name, "crs").is_geographic
