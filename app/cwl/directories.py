"""What an address gives as a Directory: an archive, an index page, objects, a STAC item or catalog with its assets.

A STAC document becomes a catalog that stands by itself: catalog.json, and for each item a folder with its assets.
"""

from __future__ import annotations

import contextlib
import errno
import json
import lzma
import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from geomill.app import s3
from geomill.app.exchange.addresses import joined
from geomill.app.exchange.file_names import tame
from geomill.app.exchange.inputs import absolute_links
from geomill.app.exchange.strictjson import loads

Json = Any
MOST = 10_000  # files in a directory, which an index page or a catalog may list without end
DEEPEST = 8  # catalogs in catalogs, pages below pages
_DOCUMENTS = ("Catalog", "Collection", "Feature", "FeatureCollection")


class Directories:
    """Makes directories. All methods raise ValueError for what is none."""

    def __init__(self, get: Callable[[str], Any], place: Callable[[str], Path]) -> None:
        """get: an address -> a fetched file; place: a name -> a path for it, in a new folder."""
        self._fetch, self._place = get, place
        self._files = 0
        self._seen: set[str] = set()  # catalogs

    def place(self, name: str) -> Path:
        """A path for a new folder of this name."""
        return self._place(tame(name))

    def get(self, href: str) -> Any:
        """A fetched file, as long as there are not too many."""
        self._files += 1
        if self._files > MOST:
            raise ValueError(f"has more than {MOST} files")
        return self._fetch(href)

    def fetch(self, href: str) -> Path:
        """The directory at an address."""
        if s3.is_s3(href) and href.endswith("/"):
            return self._objects(href)
        got = self.get(href)
        name = got.name or unquote(urlsplit(href).path.rstrip("/").rpartition("/")[2]) or "directory"
        if zipfile.is_zipfile(got.path):
            return self._unzipped(got.path, self.place(name.removesuffix(".zip")))
        if tarfile.is_tarfile(got.path):
            return self._untarred(got.path, self.place(name.partition(".tar")[0]))
        content = got.path.read_bytes()
        document = _json(content)
        if isinstance(document, dict) and document.get("type") in _DOCUMENTS:
            return self.of_document(document, got.href)
        if b"<a " in content.lower() or href.endswith("/"):
            return self._index(got.href, content, self.place(name), 0)
        raise ValueError("must be a directory: a page or a prefix, ending in /, a STAC item or catalog, a zip or a tar")

    def of_document(self, document: dict[str, Json], base: str) -> Path:
        """A STAC item, or all items of a catalog or collection, with their assets. base: the document's address."""
        if document.get("type") not in _DOCUMENTS:
            raise ValueError("must be a STAC item, collection or catalog")
        folder = self.place(str(document.get("id") or "catalog"))
        folder.mkdir()
        items = list(self._items(document, base, 0))
        for item in items:
            self._keep_item(item, folder / tame(str(item["id"])))
        links = [{"rel": "root", "href": "./catalog.json", "type": "application/json"}]
        for item in items:
            name = tame(str(item["id"]))
            links.append({"rel": "item", "href": f"./{name}/{name}.json", "type": "application/geo+json"})
        catalog = {"type": "Catalog", "id": "catalog", "stac_version": "1.0.0", "description": "Staged in"}
        (folder / "catalog.json").write_text(json.dumps({**catalog, "links": links}))
        return folder

    # ---- STAC

    def _items(self, document: dict[str, Json], base: str, depth: int) -> Any:
        """The items of a document, with absolute addresses."""
        document = absolute_links(document, base) if base else document
        kind = document.get("type")
        if kind == "Feature":
            if not isinstance(document.get("id"), str) or not isinstance(document.get("assets"), dict):
                raise ValueError("must be a STAC item, with an id and assets")
            yield document
        elif kind == "FeatureCollection":
            for feature in document.get("features", []):
                yield from self._items(feature, base, depth)
        elif depth < DEEPEST:
            for link in document.get("links", []):
                if not isinstance(link, dict) or not isinstance(link.get("href"), str):
                    continue
                href = joined(base, link["href"])
                if link.get("rel") in ("item", "child") and href not in self._seen:
                    self._seen.add(href)
                    got = self.get(href)
                    below = _json(got.path.read_bytes())
                    if not isinstance(below, dict):
                        raise ValueError(f"has a link to {link['href']}, which is no STAC document")
                    yield from self._items(below, got.href, depth + 1)

    def _keep_item(self, item: dict[str, Json], folder: Path) -> None:
        """An item with its assets in one folder."""
        folder.mkdir()
        assets = {}
        for key, asset in item["assets"].items():
            if not isinstance(asset, dict) or not isinstance(asset.get("href"), str):
                continue
            got = self.get(asset["href"])
            name = _free(folder, unquote(urlsplit(asset["href"]).path.rpartition("/")[2]) or key)
            os.link(got.path, folder / name)
            assets[key] = {**asset, "href": f"./{name}"}
        links = [{"rel": rel, "href": "../catalog.json", "type": "application/json"} for rel in ("root", "parent")]
        document = {**item, "assets": assets, "links": links}
        (folder / f"{folder.name}.json").write_text(json.dumps(document))

    # ---- object stores, pages and archives

    def _objects(self, href: str) -> Path:
        """All objects below a prefix, in folders as their keys have slashes."""
        folder = self.place(unquote(href.rstrip("/").rpartition("/")[2]))
        folder.mkdir()
        folders = {"": folder}
        token: str | None = ""
        while token is not None:
            names, token = s3.listed(href, self.get(s3.listing(href, token)).path)
            for name in names:
                inner, _, last = name.rpartition("/")
                there = _folder(folders, inner)
                os.link(self.get(s3.below(href, name)).path, there / _free(there, last))
        if len(folders) == 1 and not any(folder.iterdir()):
            raise ValueError("has no objects below it")
        return folder

    def _index(self, base: str, content: bytes, folder: Path, depth: int) -> Path:
        """What a page lists: links to below its own address."""
        folder.mkdir()
        base = base if base.endswith("/") else f"{base}/"
        page = _Links()
        page.feed(content.decode(errors="replace"))
        for href in dict.fromkeys(page.hrefs):
            target = urljoin(base, href.partition("#")[0].partition("?")[0])
            rest = unquote(target.removeprefix(base))
            if not target.startswith(base) or not rest or "/" in rest.rstrip("/") or rest.startswith("."):
                continue
            if rest.endswith("/") and depth < DEEPEST:
                got = self.get(target)
                self._index(got.href, got.path.read_bytes(), folder / tame(rest.rstrip("/")), depth + 1)
            elif not rest.endswith("/"):
                os.link(self.get(target).path, folder / _free(folder, rest))
        return folder

    def _unzipped(self, archive: Path, folder: Path) -> Path:
        """zipfile itself keeps names below the folder; links are written as files."""
        with _unpacking(), zipfile.ZipFile(archive) as file:
            _check_size((member.file_size for member in file.infolist()), archive)
            file.extractall(folder)  # noqa: S202  of a zip file
        return _only(folder)

    def _untarred(self, archive: Path, folder: Path) -> Path:
        """The filter keeps names and links below the folder. Source: PEP 706."""
        with _unpacking(), tarfile.open(archive) as file:
            _check_size((member.size for member in file), archive)
            file.extractall(folder, filter="data")
        return _only(folder)


@contextlib.contextmanager
def _unpacking() -> Iterator[None]:
    """Archives can be wrong in many ways. Raises ValueError, and OSError for a disk that is full."""
    try:
        yield
    except tarfile.FilterError as error:
        raise ValueError(f"is an archive with a member that leads out of it: {error}") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise ValueError(f"is an archive that cannot be unpacked: {error.strerror or error}") from error
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError) as error:
        raise ValueError(f"is an archive that cannot be unpacked: {str(error)[:200]}") from error


class _Links(HTMLParser):
    """The addresses that a page links."""

    def __init__(self) -> None:
        super().__init__()
        self.hrefs: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of one."""
        if tag == "a":
            self.hrefs += [value for name, value in attrs if name == "href" and value]


def _check_size(sizes: Iterable[int], archive: Path) -> None:
    """An archive may claim to hold more than there is room for; it is not read further than to where that is clear."""
    free, size = shutil.disk_usage(archive.parent).free, 0
    for number, each in enumerate(sizes, 1):
        size += each
        if number > MOST or size > free // 2:
            raise ValueError(f"is an archive with {number} files of {size} bytes or more, which is too much")


def _only(folder: Path) -> Path:
    """The folder, or the one folder in it."""
    if not folder.exists():
        raise ValueError("is an archive with nothing in it")
    inside = list(folder.iterdir())
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else folder


def _folder(folders: dict[str, Path], inner: str) -> Path:
    """The folder for an inner path, made if need be. folders: those there are."""
    if inner not in folders:
        outer, _, name = inner.rpartition("/")
        there = _folder(folders, outer)
        folders[inner] = there / _free(there, name)
        folders[inner].mkdir()
    return folders[inner]


def _free(folder: Path, name: str) -> str:
    """A name that is not taken in a folder."""
    candidate, number = tame(name), 1
    while (folder / candidate).exists():
        number += 1
        candidate = f"{number}-{tame(name)}"
    return candidate


def _json(content: bytes) -> Json:
    try:
        return loads(content)
    except ValueError:
        return None
