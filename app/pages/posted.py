"""A form of ours that a browser has posted: its entries, and the files in it."""

from __future__ import annotations

from functools import partial
from io import BytesIO

from flask import g, request
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

from geomill.app import links
from geomill.app.identity.roles import needed
from geomill.app.pages.form.entries import Entries
from geomill.app.pages.form.form import MARK
from geomill.app.server import current_app
from geomill.app.uploads.receiving import described

TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")
MOST_ENTRIES = 5000  # far more than a form shows


def entries(body: bytes) -> Entries | None:
    """The entries of a body that is a form of ours; None for any other, whatever its Content-Type says.

    Programs that send JSON often call it a form: a form of ours says that it is one. Raises BadRequest.
    """
    if request.mimetype not in TYPES or MARK.encode() not in body:
        return None
    too_many = BadRequest(f"The form has more than {MOST_ENTRIES} entries. Write large inputs as JSON.")
    if request.mimetype == TYPES[0] and body.count(b"&") >= MOST_ENTRIES:
        raise too_many
    parser = FormDataParser(max_form_parts=MOST_ENTRIES)
    try:
        _, form, files = parser.parse(BytesIO(body), request.mimetype, len(body), dict(request.mimetype_params))
    except RequestEntityTooLarge:
        raise too_many from None
    return _with_files(form, files) if MARK in form else None


def _with_files(form: Entries, files: MultiDict[str, FileStorage]) -> Entries:
    """Keep what was sent as files, and put their addresses where they would stand."""
    found = form.copy()
    for name, file in files.items():
        with file.stream:
            if file.filename and name.endswith(":file") and g.caller.role >= needed("upload").role:
                found[name.removesuffix("file") + "href"] = _kept(file)
    return found


def _kept(file: FileStorage) -> str:
    """The address of a file that is kept as an upload of the caller."""
    check_room = partial(current_app.jobs.admission.check_room, current_app.jobs.home)
    upload = current_app.uploads.receive(g.caller.name, described(file), check_room)
    return links.to("uploads.show", upload_id=upload.upload_id)
