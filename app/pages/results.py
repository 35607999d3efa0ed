"""Results as people look at them: values, tables, maps, pictures, files. A worker reads no more than a beginning."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from flask import Response, g

from geomill.app import links
from geomill.app.exchange import nested
from geomill.app.exchange.media_types import extension
from geomill.app.exchange.strictjson import loads
from geomill.app.pages import kinds, raster, render, snippets, stac
from geomill.app.pages.kinds import CATALOG, GEOJSON, GEOTIFF, STAC, Shown
from geomill.app.published import asked_for, descriptions_of, file_of, there
from geomill.app.server import current_app
from geomill.jobstore import Job, Result

READ = 2**20  # bytes of a file whose kind its content tells; of a longer one
BEGINNING = 2**16
CATALOG_FILE = "catalog.json"
READ_AT_ALL = 4 * READ  # bytes of all files of a job together
PARTS = 50  # of an output that has several
MOST_ON_MAP = 20 * READ  # bytes that a browser is given to draw
OPEN = 3  # parts that are all seen at once; of more, only the first that there is something to look at in
ITEM = "item"  # a kind: of one item in STAC
LOOKED_AT = (GEOTIFF, GEOJSON, STAC, CATALOG, ITEM, "image")


@dataclass(frozen=True)
class Piece:
    """One output, or a part of one. href: its content; file: the path it was published under, if it is a file.

    title, text: as the process describes it; snippets: how to get at it; parts: of what has several, number: of all
    of these; folder: whether it is one; listing: its files, where they are not its parts; tree: of a catalog.
    """

    name: str
    shown: Shown
    href: str | None = None
    title: str = ""
    text: str = ""
    media_type: str = ""
    file: str | None = None
    size: int | None = None
    snippets: tuple[snippets.Snippet, ...] = ()
    parts: tuple[Piece, ...] = ()
    number: int = 0
    folder: bool = False
    listing: tuple[Result, ...] = ()
    tree: stac.Node | None = None

    @property
    def label(self) -> str:
        """What people call it."""
        return self.title or self.name

    def is_open(self, part: Piece) -> bool:
        """Whether a part is seen at once."""
        best = next((each for each in self.parts if each.shown.kind in LOOKED_AT), None)
        return len(self.parts) <= OPEN or part is best

    @property
    def needs_overview(self) -> bool:
        """Whether its items have to be found on a map: they are many, or nothing of them lies on one."""
        return len(self.parts) > OPEN or not all(item.parts for item in self.parts)

    @property
    def on_map(self) -> str | None:
        """The address of features that a browser may draw."""
        drawn = self.shown.kind in (GEOJSON, STAC) and (self.size or 0) <= MOST_ON_MAP
        return self.href if drawn else None


def page(job_id: str) -> Response:
    """The results of a job, on a page of their own. Raises what `results` raises."""
    g.has_json = True
    job = current_app.jobs.job(job_id)
    response = render("results.html", job_id=job_id, process_id=job.process_id, **of_job(job_id))
    response.vary.add("Accept")
    return response


def of_job(job_id: str) -> dict[str, Any]:
    """What results_of_job.html shows. Raises what `results` raises."""
    results, job = asked_for(job_id), current_app.jobs.job(job_id)
    looking = _Looking(job, descriptions_of(job) or {}, results)
    pieces = [looking.output(name, result) for name, result in results.items()]
    counts = [sum(1 for _ in result.files()) for result in results.values()]
    return {
        "pieces": [piece for piece in pieces if piece is not None],
        "files": sum(counts),
        "zipped": sum(count or 1 for count in counts),  # a value becomes a file there
        "archive": links.to("results.show", job_id=job_id, f="zip"),
        "raster_of": lambda path, label: raster.of(job_id, path, label),
        "file_at": lambda path: links.to("results.file", job_id=job_id, path=path),
        "is_raster": kinds.is_geotiff,
    }


@dataclass
class _Looking:
    """A look at the results of one job."""

    job: Job
    described: Mapping[str, Any]
    results: Mapping[str, Result]
    left: int = READ_AT_ALL

    def __post_init__(self) -> None:
        self.files = {str(file.file): file for result in self.results.values() for file in result.files()}
        self.alone = {result.file for result in self.results.values()}  # files that are outputs, and shown as such
        self.where = stac.where({path: file.size for path, file in self.files.items()}, self._at)

    def output(self, name: str, result: Result) -> Piece | None:
        """One output; None for one that was not produced."""
        if not nested.is_nested(result) and (result.value, result.file, result.items) == (None, None, None):
            return None
        said = self.described.get(name, {})
        href = links.to("results.output", job_id=self.job.job_id, output_id=name)
        if result.items is None:
            piece = self.piece(name, result, href)
        else:
            parts = (
                self.piece(item.file or f"{name} {number}", item, self._item(name, number))
                for number, item in enumerate(result.items[:PARTS])
            )
            piece = Piece(name, Shown("several"), href, parts=tuple(parts), number=len(result.items))
        return replace(piece, title=str(said.get("title") or ""), text=str(said.get("description") or ""))

    def piece(self, name: str, result: Result, href: str | None) -> Piece:
        """A result, however it is made."""
        if result.folder is not None:
            return self._folder(name, result, href)
        if result.items is not None or result.members is not None:
            within = dict(enumerate(result.items)) if result.items is not None else result.members or {}
            parts = (self.piece(str(key), each, self._address(each)) for key, each in list(within.items())[:PARTS])
            return Piece(name, Shown("several"), href, parts=tuple(parts), number=len(within))
        if result.file is not None:
            return self._file(name, result, href)
        shown = kinds.of_value(result.value)
        if isinstance(result.value, str) and shown.kind == "text":  # perhaps a table
            text = result.value.encode()
            shown = kinds.of_file(result.media_type, "", text[:BEGINNING], len(text))
        return self._usable(self._within(Piece(name, shown, href, media_type=result.media_type), ""))

    def _within(self, piece: Piece, document: str) -> Piece:
        """The same with what a STAC document holds. document: the path that its addresses start from."""
        value = piece.shown.content
        if piece.shown.kind == CATALOG:
            return replace(piece, tree=stac.tree(value, document, self.where, self._read_json))
        if piece.shown.kind != STAC:
            return piece
        items = value["features"] if value.get("type") == "FeatureCollection" else [value]
        found = [stac.item(kinds.mapping(each), document, self.where) for each in items[: kinds.ROWS]]
        shown = replace(piece.shown, table=stac.table(found, len(items)))
        return replace(piece, shown=shown, parts=tuple(map(self._of_item, found[:PARTS])), number=len(items))

    def _of_item(self, item: stac.Item) -> Piece:
        """An item of a STAC document, and the raster in it to look at first."""
        parts: tuple[Piece, ...] = ()
        if (asset := item.raster) and asset.place.path and asset.place.path not in self.alone:
            label = f"{item.id}: {asset.title or asset.key}"
            parts = (replace(self._file(label, self.files[asset.place.path], asset.place.href), title=label),)
        return Piece(item.id, Shown(ITEM, item), item.place.href, parts=parts)

    def _folder(self, name: str, result: Result, href: str | None) -> Piece:
        """The files in a folder, and the STAC items in it."""
        listing = result.listing or ()
        start = len(f"{result.folder}/")
        if result.value is not None and result.value.get("features"):
            piece = Piece(name, Shown(STAC, result.value), href, folder=True, listing=listing)
            piece = self._within(piece, f"{result.folder}/")
            root = f"{result.folder}/{CATALOG_FILE}"
            if isinstance(value := self._read_json(root), Mapping):
                piece = replace(piece, tree=stac.tree(value, root, self.where, self._read_json))
            return self._usable(piece)
        parts = [self.piece(str(file.file)[start:], file, self._address(file)) for file in listing[:PARTS]]
        piece = Piece(name, Shown("several"), href, folder=True, parts=tuple(parts), number=len(listing))
        return self._usable(piece)

    def _file(self, name: str, result: Result, href: str | None) -> Piece:
        path = str(result.file)
        shown = kinds.of_file(result.media_type, path, self._beginning(result), result.size or 0)
        piece = Piece(name, shown, href, media_type=result.media_type, file=path, size=result.size)
        return self._usable(self._within(piece, path), copy=result.href)

    def _read_json(self, path: str) -> Any:
        """What a published file of JSON says; None for one that is long, or none."""
        file = self.files.get(path)
        if file is None or (file.size or 0) > READ or not (content := self._beginning(file)):
            return None
        with suppress(ValueError, RecursionError):
            return loads(content)
        return None

    def _usable(self, piece: Piece, copy: str | None = None) -> Piece:
        """The same with what to type elsewhere. copy: the address of one that others can have."""
        if piece.href is None:
            return piece
        token = current_app.identity.knows() and current_app.settings.anonymous == "none"
        suffix = ".zip" if piece.folder else extension(piece.media_type) or ".txt"
        name = PurePosixPath(piece.file).name if piece.file else piece.name + suffix
        href = copy or (self._at(piece.file) if piece.file else piece.href)
        found = snippets.of(piece.shown, href, name, token=token, folder=piece.folder)
        return replace(piece, snippets=tuple(found))

    def _beginning(self, result: Result) -> bytes | None:
        """The content of a small file, how a larger one begins; None where nothing of it is shown."""
        size = result.size or 0
        wanted = size if size <= READ else BEGINNING
        if not kinds.is_read(result.media_type, str(result.file)) or wanted > self.left:
            return None
        self.left -= wanted
        path = file_of(self.job.job_id, result)
        with there(self.job.job_id, result), open(path, "rb") as file:
            return file.read(wanted)

    def _item(self, output_id: str, number: int) -> str:
        return links.to("results.item", job_id=self.job.job_id, output_id=output_id, number=number)

    def _address(self, result: Result) -> str | None:
        return self._at(result.file) if result.file is not None else None

    def _at(self, path: str) -> str:
        return links.to("results.file", job_id=self.job.job_id, path=path)
