"""Validate a CWL document in a process of its own: it is somebody else's, and workers do not load what loads it."""

from __future__ import annotations

import dataclasses
import errno
import importlib
import json
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from geomill.app.cwl.document import InvalidPackage, NoName, Unsupported, WorkflowNotFound
from geomill.app.cwl.reader import Reader

ERRORS: dict[str, type[InvalidPackage]] = {
    "InvalidPackage": InvalidPackage,
    "NoName": NoName,
    "WorkflowNotFound": WorkflowNotFound,
    "Unsupported": Unsupported,
}
reader = Reader()


def validate(document: bytes, w: str | None, other: str | None, limit: float, folder: Path) -> dict[str, Any]:
    """What the entry of a CWL document is.

    w: names the entry; other: does so where w does not, if there is such an entry; limit: seconds;
    folder: where the document may lie meanwhile.
    Gives {"id", "entry", "description", "needs", "warnings", "workflow"}.
    Raises InvalidPackage, NoName, WorkflowNotFound, Unsupported.
    """
    if not installed():
        raise Unsupported("This server has no CWL engine: its operator has to install geomill[cwl].")
    printed = reader.read(document, [w, other], limit, folder)
    try:
        answer = json.loads(printed.splitlines()[-1])
    except (ValueError, IndexError):
        raise InvalidPackage("The CWL document ended the program that was to read it.") from None
    if answer.get("scarce"):  # that is no fault of the document
        raise BlockingIOError(errno.EAGAIN, answer["error"])
    if "error" in answer:
        raise ERRORS.get(answer.get("kind", ""), InvalidPackage)(_sentence(answer))
    return dict(answer)


def installed() -> bool:
    """Whether this server can run CWL at all."""
    return find_spec("cwltool") is not None


def _sentence(answer: dict[str, Any]) -> str:
    if "kind" in answer:
        return str(answer["error"])
    return f"The CWL document {answer['error'].replace('while being loaded', 'while it was read')}."


def load() -> None:
    """Import what reading takes."""
    for name in ("description", "document", "graph", "loading", "needs"):
        importlib.import_module(f"geomill.app.cwl.{name}")


def main(path: Path, w: str | None, other: str | None) -> None:
    """Print what there is to know of a document, or an error, in JSON. w and other: as in validate."""
    out = os.dup(1)
    os.dup2(2, 1)
    try:
        answer = _read(path, w, other)
    except InvalidPackage as error:
        answer = {"error": str(error), "kind": type(error).__name__}
    except RecursionError:
        answer = {"error": "The CWL document refers to itself without end.", "kind": "InvalidPackage"}
    except MemoryError:
        answer = {"error": "The CWL document takes too much memory.", "kind": "InvalidPackage"}
    with os.fdopen(out, "w") as file:
        print(json.dumps(answer), file=file)


def _read(path: Path, w: str | None, other: str | None) -> dict[str, Any]:
    from geomill.app.cwl import description, document, graph, loading, needs

    content = document.parse(path.read_bytes())
    if "$graph" not in content:
        document.check_class(content, "A document")  # before anybody is asked what to call it
    try:
        entry = document.entry(content, w or other or None)
    except WorkflowNotFound:
        if w:
            raise
        entry = document.entry(content, None)
    process_id = document.process_id(content, entry, w or other or None)
    tool = loading.load(path, entry)
    return {
        "id": process_id,
        "entry": entry,
        "description": description.describe(tool, content, process_id),
        "needs": dataclasses.asdict(needs.needs(tool)),
        "warnings": needs.warnings(tool, content),
        "workflow": graph.graph(tool),
    }
