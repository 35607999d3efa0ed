"""Results as people look at them: values, tables, maps, pictures, files. A worker reads no more than a beginning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from flask import Response, g, url_for

from geomill.app import links
from geomill.app.exchange import nested
from geomill.app.exchange.media_types import extension
from geomill.app.pages import kinds, render, snippets
from geomill.app.pages.kinds import GEOJSON, STAC, Shown
from geomill.app.published import asked_for, descriptions_of, file_of, there
from geomill.app.server import current_app
from geomill.jobstore import Job, Result

READ = 2**20  # bytes of a file whose kind its content tells; of a longer one
BEGINNING = 2**16
READ_AT_ALL = 4 * READ  # bytes of all files of a job together
PARTS = 50  # of an output that has several
MOST_ON_MAP = 20 * READ  # bytes that a browser is given to draw


@dataclass(frozen=True)
class Piece:
    """One output, or a part of one. href: its content; file: the path it was published under, if it is a file.

    title, text: as the process describes it; snippets: how to get at it; parts: of what has several.
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
    looking = _Looking(job, descriptions_of(job) or {})
    pieces = [looking.output(name, result) for name, result in results.items()]
    return {
        "pieces": [piece for piece in pieces if piece is not None],
        "files": sum(1 for result in results.values() for _ in result.files()),
        "archive": links.to("results.show", job_id=job_id, f="zip"),
        "picture_of": lambda path: url_for("pictures.show", job_id=job_id, path=path),
        "value_of": lambda path: url_for("pictures.value", job_id=job_id, path=path),
    }


@dataclass
class _Looking:
    """A look at the results of one job."""

    job: Job
    described: Mapping[str, Any]
    left: int = READ_AT_ALL

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
        return self._usable(Piece(name, shown, href, media_type=result.media_type))

    def _folder(self, name: str, result: Result, href: str | None) -> Piece:
        """The files in a folder, and the STAC items in it."""
        listing = result.listing or ()
        start = len(f"{result.folder}/")
        parts = [self.piece(str(file.file)[start:], file, self._address(file)) for file in listing[:PARTS]]
        shown = Shown("several")
        if result.value is not None:
            shown = kinds.of_value(nested.collection(result, self._at))
        piece = Piece(name, shown, href, parts=tuple(parts), number=len(listing))
        return self._usable(piece, folder=True)

    def _file(self, name: str, result: Result, href: str | None) -> Piece:
        path = str(result.file)
        shown = kinds.of_file(result.media_type, path, self._beginning(result), result.size or 0)
        piece = Piece(name, shown, href, media_type=result.media_type, file=path, size=result.size)
        return self._usable(piece, copy=result.href)

    def _usable(self, piece: Piece, folder: bool = False, copy: str | None = None) -> Piece:
        """The same with what to type elsewhere. copy: the address of one that others can have."""
        if piece.href is None:
            return piece
        token = current_app.identity.knows() and current_app.settings.anonymous == "none"
        suffix = ".zip" if folder else extension(piece.media_type) or ".txt"
        name = PurePosixPath(piece.file).name if piece.file else piece.name + suffix
        href = copy or (self._at(piece.file) if piece.file else piece.href)
        found = snippets.of(piece.shown, href, name, token=token, folder=folder)
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
