"""A raster as people look at it: its picture, what the colours in it mean, and what else there is to say of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from flask import Response, g, url_for

from geomill.app.pages import render
from geomill.app.server import current_app
from geomill.jobstore import pictures

MANY = 6  # bands whose values are told at once, at most


@dataclass(frozen=True)
class View:
    """What raster.html shows. band: that was asked for, counted from 1; said: of pictures/drawing.py, None where
    nothing was drawn yet; told: the place and the value that were asked for.
    """

    job_id: str
    path: str
    label: str
    band: int | None
    said: Any
    told: tuple[str, str] | None = None

    @property
    def page(self) -> str:
        """The address of its own page."""
        return url_for("pictures.show", job_id=self.job_id, path=self.path)

    @property
    def here(self) -> str:
        """The same, with the band."""
        return url_for("pictures.show", job_id=self.job_id, path=self.path, band=self.band)

    @property
    def picture(self) -> str:
        """The address of its picture."""
        return url_for("pictures.show", job_id=self.job_id, path=self.path, band=self.band, f="png")

    @property
    def values(self) -> str:
        """The address that tells the value at a place: of all bands, or of the one that is drawn."""
        band = self.said["band"] if self.said["bands"] > MANY else None
        return url_for("pictures.value", job_id=self.job_id, path=self.path, band=band)

    @property
    def bounds(self) -> str:
        """Where it lies, for scripts."""
        return json.dumps(self.said["bounds"])


def of(job_id: str, path: str, label: str) -> View:
    """A raster among others, as it is drawn if nobody asks for more."""
    return View(job_id, path, label, None, pictures.read(current_app.jobs, job_id, path))


def page(job_id: str, path: str, band: int | None, said: Any, told: tuple[str, str] | None) -> Response:
    """A raster on a page of its own. said, told: as in View."""
    g.has_json = True
    view = View(job_id, path, PurePosixPath(path).name, band, said, told)
    response = render("picture.html", 200 if said else 202, view=view)
    response.vary.add("Accept")
    return response
