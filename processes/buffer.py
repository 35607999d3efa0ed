"""Buffer: the area within a distance of a geometry. The smallest shipped process that computes something."""

import re
from typing import Annotated, Any

from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError
from shapely import box, force_2d, is_valid_reason, segmentize, transform, unary_union
from shapely.affinity import translate
from shapely.errors import ShapelyError
from shapely.geometry import Point, mapping, shape
from shapely.geometry.base import BaseGeometry

from geomill.processes import About, BadInput, Geometry, process

CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
CRS_NAME = re.compile(
    r"(?:https?://www\.opengis\.net/def/crs/(OGC|EPSG)/[^/]+/|urn:ogc:def:crs:(OGC|EPSG):[^:]*:|(OGC|EPSG):)(\w+)"
)
REACH = 1_000_000.0  # metres from the centre: the local projection is off by 0.4 % there


@process(version="1.0.0", keywords=["geometry", "vector"])
def buffer(
    geometry: Annotated[
        Geometry, About("Geometry", "GeoJSON geometry, or a Feature with one; x before y (longitude before latitude).")
    ],
    distance: Annotated[
        float,
        About("Distance", "In metres for a geographic CRS, else in units of the CRS; a negative one shrinks an area."),
    ],
    crs: Annotated[str, About("CRS of the geometry", "CRS84, or an EPSG code as URI, URN or EPSG:n.")] = CRS84,
    segments: Annotated[int, About("Segments per quarter circle", minimum=1, maximum=1000)] = 8,
) -> Annotated[Geometry, About("Buffer", "GeoJSON geometry in the CRS of the input.")]:
    """Buffer a geometry.

    Gives the area within a distance of a geometry. Longitudes and latitudes are buffered in metres, in an azimuthal
    equidistant projection around the geometry's centre.
    """
    known = read_crs(crs, "crs")
    start = read_geometry(geometry)
    if known.is_projected:
        area = start.buffer(distance, quad_segs=segments)
    else:
        area = _buffer_on_earth(start, distance, known, segments)
    if area.is_empty:
        raise BadInput("distance", f"nothing is left of the {start.geom_type} at a distance of {distance:g}")
    return dict(mapping(area))


def read_crs(name: str, input_id: str) -> CRS:
    """The CRS a client names: CRS84 or an EPSG code, and nothing else PROJ would read (files, pipelines).

    Raises BadInput about the input.
    """
    found = CRS_NAME.fullmatch(name)
    try:
        crs = CRS.from_authority(found[1] or found[2] or found[3], found[4]) if found else None
    except CRSError:  # no such code
        crs = None
    if crs is None or not (crs.is_geographic or crs.is_projected):
        raise BadInput(input_id, f"{name!r} is no known CRS: give {CRS84}, or an EPSG code with two axes")
    return crs


def read_geometry(geojson: dict[str, Any]) -> BaseGeometry:
    """The geometry of a GeoJSON geometry or Feature, without heights. Raises BadInput."""
    if geojson.get("type") == "Feature":
        geojson = geojson.get("geometry") or {}
    try:
        geometry = force_2d(shape(geojson))
    except (ShapelyError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise BadInput("geometry", f"it is no GeoJSON geometry: {error}") from error
    if geometry.is_empty:
        raise BadInput("geometry", "it is empty")
    if not geometry.is_valid:
        raise BadInput("geometry", f"it is not valid: {is_valid_reason(geometry)}")
    return geometry


def _buffer_on_earth(geometry: BaseGeometry, distance: float, crs: CRS, segments: int) -> BaseGeometry:
    """Buffer longitudes and latitudes by metres."""
    west, south, east, north = geometry.bounds
    if south < -90 or north > 90 or west < -180 or east > 180:
        raise BadInput("geometry", "its coordinates are not longitudes and latitudes: is the CRS right?")
    if east - west > 180:  # cut at the antimeridian (RFC 7946, 3.1.9), and joined again here
        geometry = transform(geometry, lambda x, y: (x % 360, y), interleaved=False)
    centre = geometry.centroid
    local = CRS.from_dict({"proj": "aeqd", "lon_0": centre.x, "lat_0": centre.y, "datum": "WGS84", "units": "m"})
    there = Transformer.from_crs(crs, local, always_xy=True)

    # an edge is straight in longitude and latitude, so it is bent in the projection
    flat = transform(segmentize(geometry, 0.1), there.transform, interleaved=False)
    if flat.hausdorff_distance(Point(0, 0)) > REACH:
        raise BadInput("geometry", "it is too large for metres: it reaches more than 1000 km from its centre")

    area = flat.buffer(distance, quad_segs=segments)
    if any(area.intersects(Point(there.transform(0, pole))) for pole in (-90, 90)):
        raise BadInput("distance", "the buffer reaches a pole: use a polar CRS, such as EPSG:3995 or EPSG:3031")

    def back(x: Any, y: Any) -> tuple[Any, Any]:
        longitude, latitude = there.transform(x, y, direction="INVERSE")
        return (longitude - centre.x + 180) % 360 - 180 + centre.x, latitude

    return _cut_at_antimeridian(transform(area, back, interleaved=False))


def _cut_at_antimeridian(area: BaseGeometry) -> BaseGeometry:
    """Bring longitudes beyond 180 degrees back, as parts of their own. RFC 7946, 3.1.9"""
    west, south, east, north = area.bounds
    if -180 <= west and east <= 180:
        return area
    worlds = (-360, 0, 360)
    return unary_union([translate(area.intersection(box(w - 180, -90, w + 180, 90)), -w) for w in worlds])
