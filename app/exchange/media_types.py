"""Media types: comparing them, and the file name extension each goes by."""

from __future__ import annotations

import mimetypes
import os

EXTENSIONS = {
    "application/geo+json": ".geojson",
    "application/geopackage+sqlite3": ".gpkg",
    "application/gml+xml": ".gml",
    "application/gzip": ".gz",
    "application/json": ".json",
    "application/netcdf": ".nc",
    "application/pdf": ".pdf",
    "application/vnd.apache.parquet": ".parquet",
    "application/vnd.google-earth.kml+xml": ".kml",
    "application/x-netcdf": ".nc",
    "application/x-tar": ".tar",
    "application/xml": ".xml",
    "application/zip": ".zip",
    "image/jp2": ".jp2",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/tiff": ".tif",
    "text/csv": ".csv",
    "text/html": ".html",
    "text/plain": ".txt",
    "text/xml": ".xml",
}


def essence(media_type: str) -> str:
    """`type/subtype` in lower case, without parameters."""
    return media_type.partition(";")[0].strip().lower()


def parameters(media_type: str) -> dict[str, str]:
    """The parameters of a media type, names in lower case, quotes removed."""
    pairs = (part.partition("=") for part in media_type.split(";")[1:])
    return {name.strip().lower(): value.strip().strip('"') for name, equals, value in pairs if equals}


def same(one: str, other: str) -> bool:
    """Whether two media types agree: in type and subtype, and in every parameter that both state."""
    ours, theirs = parameters(one), parameters(other)
    return essence(one) == essence(other) and all(theirs.get(name, value) == value for name, value in ours.items())


def is_json(media_type: str) -> bool:
    """application/json or one of its kin, such as application/geo+json."""
    name = essence(media_type)
    return name == "application/json" or name.endswith("+json")


def is_text(media_type: str) -> bool:
    """Whether a file of this type may stand as a string in a JSON document."""
    name = essence(media_type)
    return name.startswith("text/") or name.endswith(("+xml", "+yaml", "/xml", "/yaml"))


def of_name(name: str) -> str:
    """The media type that a file name tells."""
    suffix = os.path.splitext(name)[1].lower()
    return _OF_SUFFIX.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"


_OF_SUFFIX = {suffix: name for name, suffix in EXTENSIONS.items()} | {
    ".cwl": "application/cwl",
    ".json": "application/json",
    ".log": "text/plain",
    ".nc": "application/netcdf",
    ".tif": "image/tiff; application=geotiff",
    ".tiff": "image/tiff; application=geotiff",
    ".xml": "application/xml",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}


def extension(media_type: str) -> str:
    """The usual file name extension with its dot, or an empty string."""
    return EXTENSIONS.get(essence(media_type), ".json" if is_json(media_type) else "")
