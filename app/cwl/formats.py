"""The format of a CWL file, an IRI, as a media type."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from geomill.app.exchange.media_types import same

# http://edamontology.org/format_NNNN; the ontology names formats, and these have a media type
EDAM = {
    1915: "application/octet-stream",  # Format
    1929: "text/x-fasta",
    1964: "text/plain",
    2330: "text/plain",
    2331: "text/html",
    2332: "application/xml",
    2333: "application/octet-stream",  # binary
    2376: "application/rdf+xml",
    3016: "text/x-vcf",
    3158: "application/json",
    3261: "application/rdf+xml",
    3464: "application/json",
    3467: "image/gif",
    3468: "application/vnd.ms-excel",
    3475: "text/tab-separated-values",
    3507: "application/octet-stream",
    3508: "application/pdf",
    3547: "application/octet-stream",
    3579: "image/jpeg",
    3590: "application/x-hdf5",
    3591: "image/tiff",
    3592: "image/bmp",
    3603: "image/png",
    3604: "image/svg+xml",
    3620: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    3650: "application/netcdf",
    3750: "application/yaml",
    3752: "text/csv",
    3873: "application/x-hdf",
    3981: "application/x-tar",
    3987: "application/zip",
    3989: "application/gzip",
}
# http://www.opengis.net/def/glossary/term and /def/docs, and the names that packages use for themselves
OGC = {
    "geojson": "application/geo+json",
    "geotiff": "image/tiff; application=geotiff",
    "cog": "image/tiff; application=geotiff; profile=cloud-optimized",
    "gml": "application/gml+xml",
    "kml": "application/vnd.google-earth.kml+xml",
    "netcdf": "application/netcdf",
    "geopackage": "application/geopackage+sqlite3",
    "csv": "text/csv",
    "json": "application/json",
    "xml": "application/xml",
}
_MEDIA_TYPE = re.compile(r"(?:application|audio|font|image|message|model|multipart|text|video)/[\w.+*-]+(?:\s*;.*)?$")


def media_types(format_: Any) -> tuple[str, ...]:
    """The media types of `format`, an IRI or a list of them; none where one is an expression or means nothing here."""
    given = format_ if isinstance(format_, list) else [format_]
    found = [_media_type(each) for each in given]
    return () if None in found else tuple(dict.fromkeys(each for each in found if each))


def fitting(formats: Sequence[str], media_type: str | None) -> str:
    """The format, of several that are asked for, that a file of this media type has; the first where none says so."""
    known = ((each, _media_type(each)) for each in formats if media_type)
    return next((each for each, found in known if found and same(found, str(media_type))), formats[0])


def _media_type(format_: Any) -> str | None:
    if not isinstance(format_, str) or "$(" in format_ or "${" in format_:
        return None
    edam = re.search(r"format_(\d+)$", format_)
    if edam:
        return EDAM.get(int(edam[1]))
    # as cwltool resolves it, a bare media type hangs on the address of the document
    bare = _MEDIA_TYPE.search(format_)
    if bare:
        return bare[0]
    named = re.search(r"opengis\.net/def/.*?(\w+)$", format_)
    return OGC.get(named[1].lower()) if named else None
