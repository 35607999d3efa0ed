"""Whose a process is and what one may do with it, as its description says in the words of schema.org."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from geomill.app.cwl.metadata import SCHEMA_ORG

Json = Any
Node = dict[str, Json]

KINDS = ("Person", "Organization")
MEMBERS = ("name", "email", "url")  # of an author, where they are texts


def licence(description: Mapping[str, Json]) -> Node | str | None:
    """A node for a licence with an address, the text of one that has none."""
    for said in _said(description, "license"):
        if isinstance(said, str) and not _is_address(said):
            return said
        address = said if isinstance(said, str) else _address(said)
        if address:
            return {"@id": address, "@type": "CreativeWork", "name": address.rstrip("/").rpartition("/")[2]}
    return None


def authors(description: Mapping[str, Json]) -> Iterator[Node]:
    """A node for each author, by his identifier if that is an address."""
    for number, said in enumerate([*_said(description, "author"), *_said(description, "creator")], start=1):
        told = {"name": said} if isinstance(said, str) else said
        about = {name: told[name] for name in MEMBERS if isinstance(told.get(name), str)}
        if "name" in about:
            kind = told["@type"] if told.get("@type") in KINDS else "Person"
            yield {"@id": _address(told) or f"#author-{number}", "@type": kind, **about}


def _said(description: Mapping[str, Json], name: str) -> Iterator[str | dict[str, Json]]:
    """What the metadata says under this name of schema.org."""
    for entry in description.get("metadata") or ():
        if isinstance(entry, dict) and entry.get("role") == SCHEMA_ORG + name:
            said = entry.get("href") or entry.get("value")
            if isinstance(said, str | dict) and said:
                yield said


def _address(told: Mapping[str, Json]) -> str | None:
    places = (told.get(name) for name in ("@id", "identifier", "url"))
    return next((each for each in places if isinstance(each, str) and _is_address(each)), None)


def _is_address(text: str) -> bool:
    return text.startswith(("http://", "https://")) and not any(map(str.isspace, text))
