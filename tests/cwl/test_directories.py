"""What an address gives as a Directory: archives, index pages, STAC documents with their assets."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support.web import Page, pages

from geomill.app.cwl.directories import Directories
from geomill.app.guard import Guard

Serve = Callable[[Mapping[str, bytes]], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve some contents by their paths: the address of the server."""
    with ExitStack() as stack:

        def start(contents: Mapping[str, bytes]) -> str:
            given: dict[str, Page] = {path: (200, {}, body) for path, body in contents.items()}
            return stack.enter_context(pages(given))

        yield start


@pytest.fixture
def directories(tmp_path: Path) -> Directories:
    guard, places = Guard(allow=("127.0.0.1",)), iter(range(1000))
    (tmp_path / "fetched").mkdir()

    def place(name: str) -> Path:
        folder = tmp_path / str(next(places))
        folder.mkdir()
        return folder / name

    return Directories(lambda href: guard.fetch(href, tmp_path / "fetched"), place)


def files(folder: Path) -> dict[str, bytes]:
    """What lies in a folder, by path."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def zipped(contents: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(contents: Mapping[str, bytes], **members: Any) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            for key, value in members.items():
                setattr(member, key, value)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


TREE = {"data/a.txt": b"a", "data/inner/b.txt": b"b"}


@pytest.mark.parametrize("name, pack", [("data.zip", zipped), ("data.tar.gz", tarred)])
def test_an_archive_becomes_the_folder_that_is_in_it(
    directories: Directories, serve: Serve, name: str, pack: Callable[..., bytes]
) -> None:
    made = directories.fetch(f"{serve({f'/{name}': pack(TREE)})}/{name}")
    assert made.name == "data" and files(made) == {"a.txt": b"a", "inner/b.txt": b"b"}


@pytest.mark.parametrize("name", ["../out.txt", "/tmp/out.txt", "inner/../../out.txt"])
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_an_archive_writes_nothing_outside(
    directories: Directories, serve: Serve, tmp_path: Path, pack: Callable[..., bytes], name: str
) -> None:
    address = serve({"/x": pack({name: b"out"})})
    try:
        made = directories.fetch(f"{address}/x")
    except ValueError as error:
        assert "leads out" in str(error)
    else:
        assert list(files(made).values()) == [b"out"]
    assert [path for path in tmp_path.rglob("out.txt") if path.parent == tmp_path] == []
    assert not Path("/tmp/out.txt").exists()


def test_a_link_in_an_archive_that_leads_out_is_refused(directories: Directories, serve: Serve) -> None:
    archive = tarred({"secret": b""}, type=tarfile.SYMTYPE, linkname="/etc/passwd")
    with pytest.raises(ValueError, match="leads out"):
        directories.fetch(f"{serve({'/x.tar.gz': archive})}/x.tar.gz")


def test_an_index_page_gives_what_it_lists_below_itself(directories: Directories, serve: Serve) -> None:
    listed = ("../", "a.txt", "inner/", "/other/x", "?C=N")
    page = "".join(f'<a href="{href}">{href}</a>' for href in listed).encode()
    inner = {"/data/inner/": b'<a href="b.txt">b</a>', "/data/inner/b.txt": b"b"}
    made = directories.fetch(f"{serve({'/data/': page, '/data/a.txt': b'a', '/other/x': b'x', **inner})}/data/")
    assert made.name == "data" and files(made) == {"a.txt": b"a", "inner/b.txt": b"b"}


def item(**changed: Any) -> dict[str, Any]:
    """A STAC item with one asset beside it."""
    return {
        "type": "Feature", "stac_version": "1.0.0", "id": "scene", "geometry": None, "properties": {"datetime": None},
        "links": [{"rel": "self", "href": "elsewhere"}],
        "assets": {"green": {"href": "./green.tif", "roles": ["data"]}},
        **changed,
    }  # fmt: skip


def test_a_stac_item_becomes_a_catalog_that_stands_by_itself(directories: Directories, serve: Serve) -> None:
    address = serve({"/s/item.json": json.dumps(item()).encode(), "/s/green.tif": b"II"})
    made = directories.fetch(f"{address}/s/item.json")
    found = files(made)
    assert set(found) == {"catalog.json", "scene/scene.json", "scene/green.tif"} and found["scene/green.tif"] == b"II"
    catalog, kept = json.loads(found["catalog.json"]), json.loads(found["scene/scene.json"])
    assert [link["href"] for link in catalog["links"] if link["rel"] == "item"] == ["./scene/scene.json"]
    assert kept["assets"]["green"] == {"href": "./green.tif", "roles": ["data"]}
    assert {link["rel"] for link in kept["links"]} == {"root", "parent"}


def test_the_items_of_a_catalog_are_found_at_any_depth(directories: Directories, serve: Serve) -> None:
    def catalog(*links: tuple[str, str]) -> bytes:
        listed = [{"rel": rel, "href": href} for rel, href in links]
        return json.dumps({"type": "Catalog", "id": "c", "description": "", "links": listed}).encode()

    contents = {
        "/c.json": catalog(("child", "inner/c.json"), ("item", "one.json")),
        "/inner/c.json": catalog(("item", "two.json"), ("parent", "../c.json")),
        "/one.json": json.dumps(item(id="one", assets={})).encode(),
        "/inner/two.json": json.dumps(item(id="two")).encode(),
        "/inner/green.tif": b"II",
    }
    made = directories.fetch(f"{serve(contents)}/c.json")
    assert set(files(made)) == {"catalog.json", "one/one.json", "two/two.json", "two/green.tif"}


def test_a_catalog_that_contains_itself_comes_to_an_end(directories: Directories, serve: Serve) -> None:
    catalog = {"type": "Catalog", "id": "c", "description": "", "links": [{"rel": "child", "href": "c.json"}] * 3}
    made = directories.fetch(f"{serve({'/c.json': json.dumps(catalog).encode()})}/c.json")
    assert set(files(made)) == {"catalog.json"}


@pytest.mark.parametrize("name", ["../../up", "/etc/x", "a/b", ".hidden", "..", ""])
def test_the_id_of_an_item_names_a_folder_inside(directories: Directories, name: str) -> None:
    made = directories.of_document(item(id=name, assets={}), "")
    assert all(path.parent.parent == made for path in made.rglob("*.json") if path.name != "catalog.json")


@pytest.mark.parametrize("content", [b"plain text", b'{"type": "Polygon"}', b"\x89PNG"])
def test_anything_else_is_no_directory(directories: Directories, serve: Serve, content: bytes) -> None:
    with pytest.raises(ValueError, match="must be a directory"):
        directories.fetch(f"{serve({'/x': content})}/x")
