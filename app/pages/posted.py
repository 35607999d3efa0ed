"""A form of ours that a browser has posted: its entries, and the files in it."""

from __future__ import annotations

from io import BytesIO

from flask import request
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.formparser import FormDataParser

from geomill.app.pages.form.entries import Entries
from geomill.app.pages.form.form import MARK
from geomill.app.pages.form.snippets import coded
from geomill.app.pages.form.special import content

TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")
MOST_PARTS = 20_000


def entries(body: bytes) -> Entries | None:
    """The entries of a body that is a form of ours; None for any other, whatever its Content-Type says.

    Programs that send JSON often call it a form: a form of ours says that it is one.
    """
    if request.mimetype not in TYPES or MARK.encode() not in body:
        return None
    parser = FormDataParser(max_form_parts=MOST_PARTS)
    _, form, files = parser.parse(BytesIO(body), request.mimetype, len(body), dict(request.mimetype_params))
    return _with_files(form, files) if MARK in form else None


def _with_files(form: Entries, files: MultiDict[str, FileStorage]) -> Entries:
    """Put what was sent as a file where its address would stand: into the request itself."""
    found = form.copy()
    for name, file in files.items():
        with file.stream:
            if file.filename and name.endswith(":file"):
                found[name.removesuffix("file") + "inline"] = coded(content(file.read(), file.mimetype))
    return found
