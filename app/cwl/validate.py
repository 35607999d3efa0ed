"""Validate a CWL document in a process of its own: it is somebody else's, and workers do not load what loads it.

    python -m geomill.app.cwl.validate DOCUMENT W OTHER    prints what there is to know, or an error, in JSON

The two names are in JSON as well: null for none, and no character that an argument cannot have.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from geomill.app.cwl.document import InvalidPackage, Unsupported, WorkflowNotFound
from geomill.processes.packages import isolated, kept_environment

ERRORS: dict[str, type[InvalidPackage]] = {
    "InvalidPackage": InvalidPackage,
    "WorkflowNotFound": WorkflowNotFound,
    "Unsupported": Unsupported,
}


def validate(document: bytes, w: str | None, other: str | None, limit: float, folder: Path) -> dict[str, Any]:
    """What the entry of a CWL document is.

    w: names the entry; other: does so where w does not, if there is such an entry; limit: seconds;
    folder: where the document may lie meanwhile.
    Gives {"id", "entry", "description", "needs", "warnings"}.
    Raises InvalidPackage, WorkflowNotFound, Unsupported.
    """
    if not installed():
        raise Unsupported("This server has no CWL engine: its operator has to install geomill[cwl].")
    with tempfile.TemporaryDirectory(prefix=".validated-", dir=folder) as place:
        path = Path(place) / "document.cwl"
        path.write_bytes(document)
        command = [sys.executable, "-P", "-m", __name__, str(path), json.dumps(w), json.dumps(other)]
        printed = isolated(command, limit, kept_environment(), Path(place))
    try:
        answer = json.loads(printed.splitlines()[-1])
    except (ValueError, IndexError):
        raise InvalidPackage("The CWL document ended the program that was to read it.") from None
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


def main(path: Path, w: str | None, other: str | None) -> None:
    """Print what the document is."""
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
    import dataclasses

    from geomill.app.cwl import description, document, loading, needs

    content = document.parse(path.read_bytes())
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
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(json.loads, sys.argv[2:4]))
