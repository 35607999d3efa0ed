"""STAC documents: where their addresses lead, what is looked at first, and how much of a catalog is shown."""

from __future__ import annotations

from typing import Any

import pytest

from geomill.app.pages import stac
from geomill.app.pages.kinds import ROWS, Table

TIFF = "image/tiff; application=geotiff"
FILES = {"catalog.json": 9, "a/a.json": 9, "a/mask.tif": 2700, "out/x y/b.tif": 5}
WHERE = stac.where(FILES, lambda path: f"https://h/files/{path}")


def item(**assets: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Feature", "stac_version": "1.0.0", "id": "a", "properties": {"n": 1}, "assets": assets}


@pytest.mark.parametrize(
    "document, href, path, leads_to",
    [("a/a.json", "./mask.tif", "a/mask.tif", "https://h/files/a/mask.tif"), ("a/a.json", "../none.tif", None, None),
     ("out/", "x y/b.tif", "out/x y/b.tif", "https://h/files/out/x y/b.tif"), ("a/a.json", "javascript:1", None, None),
     ("", "a/mask.tif", "a/mask.tif", "https://h/files/a/mask.tif"), ("", "https://g/b", None, "https://g/b"),
     ("", 5, None, None), ("", None, None, None), ("a/a.json", "../../../etc/passwd", None, None)],
)  # fmt: skip
def test_an_address_leads_to_what_was_published_or_to_the_web(
    document: str, href: Any, path: str | None, leads_to: str | None
) -> None:
    place = WHERE(document, href)
    assert (place.path, place.href) == (path, leads_to)


def test_the_raster_of_an_item_is_the_one_to_look_at() -> None:
    thumbnail = {"href": "mask.tif", "type": TIFF, "roles": ["thumbnail"]}
    elsewhere, mask = {"href": "https://g/b.tif", "type": TIFF}, {"href": "./mask.tif", "title": "Mask"}
    found = stac.item(item(look=thumbnail, far=elsewhere, mask=mask, odd=5), "a/a.json", WHERE)  # type: ignore[arg-type]
    assert found.raster and found.raster.key == "mask" and found.raster.place.size == 2700
    assert [each.key for each in found.assets] == ["look", "far", "mask"] and found.properties == {"n": 1}
    only = stac.item(item(look=thumbnail, far=elsewhere), "a/a.json", WHERE)
    assert only.raster and only.raster.key == "look"
    assert stac.item(item(far=elsewhere), "a/a.json", WHERE).raster is None


def test_items_are_rows_whose_assets_are_links_of_the_web_alone() -> None:
    assets = {name: {"href": href} for name, href in
              {"a": "javascript:alert(1)", "b": "https://h/b", "c": "../c.tif", "d": 5}.items()}  # fmt: skip
    found = stac.item(item(**assets) | {"properties": {"start_datetime": "2026", "end_datetime": "2027"}}, "", WHERE)
    table = stac.table([found] * 200, 200)
    assert isinstance(table, Table) and len(table.rows) == ROWS
    assert table.rows[0][:2] == ["a", "2026 to 2027"]
    assert [href for _, _, href in table.rows[0][2]] == [None, "https://h/b", None, None]


def link(rel: str, href: str, **more: str) -> dict[str, str]:
    return {"rel": rel, "href": href, **more}


def catalog(*links: dict[str, str], **more: Any) -> dict[str, Any]:
    found = {"type": "Catalog", "stac_version": "1.0.0", "id": "root", "description": "All", "links": list(links)}
    return found | more


def test_a_catalog_is_a_tree_of_what_is_published_with_it() -> None:
    extent = {"spatial": {"bbox": [[11, 46, 12.5, 47]]}, "temporal": {"interval": [["2026-01-01T00:00:00Z", None]]}}
    files = {
        "c/collection.json": catalog(link("item", "../a/a.json"), type="Collection", id="c", license="CC0-1.0",
                                     extent=extent, title="Masks"),
        "a/a.json": item(mask={"href": "mask.tif"}),
    }  # fmt: skip
    where = stac.where({**FILES, **dict.fromkeys(files, 1)}, lambda path: f"https://h/{path}")
    links = [link("child", "./c/collection.json"), link("root", "catalog.json"),
             link("item", "none.json", title="Gone"), link("child", "https://g/catalog.json")]  # fmt: skip
    root = stac.tree(catalog(*links), "catalog.json", where, files.get)
    assert (root.kind, root.name, root.text) == ("Catalog", "root", "All")
    masks, gone, far = root.below
    assert (masks.kind, masks.name, masks.place.href) == ("Collection", "Masks", "https://h/c/collection.json")
    assert masks.facts == {"license": "CC0-1.0", "extent": "11, 46, 12.5, 47", "time": "2026-01-01T00:00:00Z to open"}
    (scene,) = masks.below
    assert (scene.kind, scene.name, scene.assets[0].place.path) == ("Item", "a", "a/mask.tif")
    assert (gone.kind, gone.name, gone.place.href) == ("Item", "Gone", None)
    assert (far.kind, far.place.href) == ("Catalog", "https://g/catalog.json")


def test_a_tree_ends() -> None:
    ring = {f"{n}.json": catalog(link("child", f"{(n + 1) % 9}.json")) for n in range(9)}
    where = stac.where(dict.fromkeys(ring, 1), str)
    node, depth = stac.tree(ring["0.json"], "0.json", where, ring.get), 0
    while node.below:
        node, depth = node.below[0], depth + 1
    assert depth <= stac.DEEPEST and node.left in (0, 1)
    wide = stac.tree(catalog(*[link("item", f"{n}.json") for n in range(500)]), "0.json", where, ring.get)
    assert len(wide.below) <= stac.NODES and len(wide.below) + wide.left == 500


@pytest.mark.parametrize(
    "more",
    [{"links": [5, {"rel": "child"}, {"rel": ["child"]}]}, {"extent": 5}, {"assets": [1]}, {"title": {"a": 1}},
     {"extent": {"spatial": {"bbox": [[[1]]]}, "temporal": {"interval": "x"}}}, {"type": 5}],
)  # fmt: skip
def test_nonsense_is_shown_as_far_as_it_goes(more: Any) -> None:
    assert stac.tree(catalog(**more), "catalog.json", WHERE, lambda path: None).left == 0
    assert stac.item({**item(), **more, "properties": more}, "a", WHERE).id == "a"
