"""How to get at a result with other programs: lines to copy. Pure."""

from __future__ import annotations

from shlex import quote

from geomill.app.pages.kinds import CATALOG, GEOJSON, GEOTIFF, STAC, Shown

Snippet = tuple[str, str]
PYSTAC = {  # what it calls a document, by its type
    "Feature": ("item", "Item"),
    "FeatureCollection": ("items", "ItemCollection"),
    "Collection": ("collection", "Collection"),
}


def of(shown: Shown, href: str, name: str, *, token: bool, folder: bool = False) -> list[Snippet]:
    """(program, what to type). href: of the content; name: of a file for it; token: only who shows one gets it."""
    kind = shown.kind
    headers = ['-H "Authorization: Bearer $TOKEN"'] if token else []
    headers += ["-H 'Accept: application/zip'"] if folder else []
    found = [("curl", " ".join(["curl", "--fail", *headers, "-o", quote(name), quote(href)]))]
    if kind == GEOTIFF:
        python = f"import rasterio\n\nwith rasterio.open({href!r}) as dataset:\n    data = dataset.read(masked=True)"
        found += [("rio", f"rio info {quote(href)}"), ("Python", python), ("QGIS", f"qgis {quote(f'/vsicurl/{href}')}")]
    elif kind == GEOJSON:
        python = f"import geopandas\n\nframe = geopandas.read_file({href!r})"
        found += [("Python", python), ("QGIS", f"qgis {quote(href)}")]
    elif kind in (STAC, CATALOG):
        called, what = PYSTAC.get(shown.content.get("type"), ("catalog", "Catalog"))
        found += [("pystac", f"import pystac\n\n{called} = pystac.{what}.from_file({href!r})")]
    elif kind == "table" and name.endswith(".csv"):
        found += [("Python", f"import pandas\n\nframe = pandas.read_csv({href!r})")]
    return found
