"""What is typed in other programs leads to the content, whatever names and addresses look like."""

from __future__ import annotations

import ast
import shlex

import pytest

from geomill.app.pages.kinds import Shown
from geomill.app.pages.snippets import of

HREF = "https://h/jobs/1/files/a'b\"$(x).tif"


@pytest.mark.parametrize(
    "shown, name, programs",
    [(Shown("geotiff"), "a.tif", ["curl", "rio", "Python", "QGIS"]),
     (Shown("geojson"), "a", ["curl", "Python", "QGIS"]),
     *((Shown("stac", {"type": kind}), "a", ["curl", "pystac"]) for kind in ("Feature", "FeatureCollection")),
     *((Shown("catalog", {"type": kind}), "a", ["curl", "pystac"]) for kind in ("Catalog", "Collection", None)),
     (Shown("table"), "a.csv", ["curl", "Python"]),
     (Shown("table"), "a.json", ["curl"]), (Shown("file"), "a", ["curl"])],
)  # fmt: skip
def test_a_snippet_has_the_address_as_it_is(shown: Shown, name: str, programs: list[str]) -> None:
    found = dict(of(shown, HREF, name, token=False))
    assert list(found) == programs
    for program, text in found.items():
        if program in ("Python", "pystac"):
            values = [node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)]
            assert HREF in values
        else:
            assert HREF in shlex.split(text) or f"/vsicurl/{HREF}" in shlex.split(text)


def test_who_has_to_show_a_token_is_told_where() -> None:
    ((_, text),) = of(Shown("file"), HREF, "$(rm).zip", token=True, folder=True)
    words = shlex.split(text)
    assert "Authorization: Bearer $TOKEN" in words and "Accept: application/zip" in words and "$(rm).zip" in words
    assert '"Authorization: Bearer $TOKEN"' in text  # which the shell replaces
