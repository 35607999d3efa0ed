"""Processes that put what browsers would run wherever a text of theirs is shown."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated, Any

from geomill.processes import File, Progress, process

RUN = "window.__xss=1"
START = f"'\"><img class=xss src=xss onerror={RUN}>"
PAYLOAD = (
    f"{START}<b class=xss>b</b><script>{RUN}</script><svg class=xss onload={RUN}></svg><iframe class=xss></iframe>"
    f"<a class=xss href=javascript:{RUN}>a</a>{{{{7919*104729}}}}${{7919*104729}}"
    f"<!--</textarea></title></script></style>"
    f"\u2028\u202e\" onmouseover={RUN} autofocus onfocus={RUN} x='"
)
ADDRESS = f"javascript:{RUN}"


def text(field: str) -> str:
    """A hostile text that says where it stands."""
    return f"{field}{PAYLOAD}"


def name(field: str) -> str:
    """The same for the name of a file."""
    return f"{field}{START}"


FIELDS: dict[str, Any] = {
    "title": text("process-title"),
    "description": text("process-description"),
    "keywords": [text("keyword")],
    "metadata": [{"title": text("metadata-title"), "role": text("metadata-role"), "href": ADDRESS}],
    "inputs": {
        text("input-name"): {
            "title": text("input-title"),
            "description": text("input-description"),
            "minOccurs": 0,
            "schema": {"type": "string", "enum": [text("enum"), "plain"], "default": text("enum")},
        },
        "words": {
            "title": text("words-title"),
            "description": text("words-description"),
            "minOccurs": 0,
            "schema": {"type": "string", "default": text("default"), "examples": [text("example")], "maxLength": 5000},
        },
        "count": {"minOccurs": 0, "schema": {"type": "integer", "maximum": 5}},
        "any": {"minOccurs": 0, "schema": {"type": "object", "description": text("schema-description")}},
    },
    "outputs": {
        text("output-name"): {
            "title": text("output-title"),
            "description": text("output-description"),
            "schema": {"type": "string"},
        },
        "values": {"schema": {"type": "object"}},
        "features": {"schema": {"type": "object", "format": "geojson-feature-collection"}},
        "items": {"schema": {"type": "object"}},
    },
}


@process(id="hostile", description=FIELDS)
def hostile(inputs: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Say it in every way, and give it in every kind of result."""
    print(text("log-line"))
    progress(50, text("message"))
    square = [[[-75.64, 37.65], [-75.60, 37.65], [-75.60, 37.69], [-75.64, 37.69], [-75.64, 37.65]]]
    shape = {"type": "Polygon", "coordinates": square}
    feature = {
        "type": "Feature",
        "id": text("feature-id"),
        "bbox": [-75.64, 37.65, -75.60, 37.69],
        "properties": {text("property-name"): text("property-value"), "datetime": text("datetime"), "href": ADDRESS},
        "geometry": shape,
    }
    link = {"rel": text("link-rel"), "href": ADDRESS, "type": text("link-type"), "title": text("link-title")}
    asset = {"href": ADDRESS, "type": text("asset-type"), "title": text("asset-title"), "roles": ["data"]}
    item = {**feature, "stac_version": "1.0.0", "assets": {text("asset-name"): asset}, "links": [link]}
    return {
        text("output-name"): text("output-value"),
        "values": {text("key"): text("value"), "link": {**link, "href": ADDRESS}},
        "features": {"type": "FeatureCollection", "features": [feature], "links": [link]},
        "items": {"type": "FeatureCollection", "features": [item]},
    }


@process(id="hostile-file", title=text("file-title"))
def hostile_file() -> list[Annotated[Path, File(text("file-output"), "text/plain")]]:
    """Write files of such names."""
    names = (name("file-name"), "features.geojson", "table.csv", "page.html", "drawing.svg")
    paths = [Path(each) for each in names]
    for path in paths:
        path.write_text(text("file-content"))
    paths[1].write_text(json.dumps({"type": "FeatureCollection", "features": [], "name": text("collection")}))
    return paths


@process(id="hostile-failure")
def hostile_failure() -> int:
    """Fail with such words."""
    print(text("log-line"))
    raise ValueError(text("exception"))


@process(id="hostile-running")
def hostile_running(progress: Progress) -> int:
    """Say another such thing every moment, for longer than any test."""
    for number in range(6000):
        print(text(f"log-line-{number}-"), flush=True)
        progress(number / 100, text(f"message-{number}-"))
        time.sleep(0.5)
    return 1
