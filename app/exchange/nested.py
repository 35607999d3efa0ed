"""Results that hold files inside: records, lists of lists, folders. As JSON, with an address for every file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from geomill.jobstore import Result

from .representations import inlined

Json = Any
At = Callable[[str], str]  # the path of a published file -> its address
Read = Callable[[Result], bytes]

ITEMS = "application/geo+json"


def is_nested(result: Result) -> bool:
    """Whether a result is more than a value, a file, or a list of these."""
    if result.items is not None:
        return any(item.items is not None or is_nested(item) for item in result.items)
    return result.members is not None or result.folder is not None


def settled(result: Result, at: At, read: Read | None) -> Result:
    """A result without nesting: values, files, and lists of these. read: where files are to stand inline."""
    if result.folder is not None:
        value = listing(result, at) if result.value is None else collection(result, at)
        return Result(value=value, media_type=result.media_type)
    if result.members is not None:
        return Result(value=_plain(result, at, read))
    if result.items is not None:
        return replace(result, items=tuple(_item(item, at, read) for item in result.items))
    return result


def link(result: Result, href: str, at: At, media_type: str | None = None) -> dict[str, Json]:
    """A link to a file, with its size and checksum, and what belongs beside it. link.yaml; STAC file extension 2.1"""
    found: dict[str, Json] = {"href": result.href or href, "rel": "related", "type": media_type or result.media_type}
    if result.checksum is not None:
        found |= {"file:size": result.size, "file:checksum": result.checksum}
    if beside := [file for each in result.secondary or () for file in each.files()]:
        found["secondaryFiles"] = [link(file, at(str(file.file)), at) for file in beside]
    return found


def listing(result: Result, at: At) -> dict[str, Json]:
    """The files of a folder, as links."""
    start = len(f"{result.folder}/")
    links = [
        {**link(file, at(str(file.file)), at), "rel": "item", "title": str(file.file)[start:]}
        for file in result.listing or ()
    ]
    return {"links": links}


def collection(result: Result, at: At) -> dict[str, Json]:
    """The STAC items in a folder, with the addresses they are published at."""
    files = {file.file: file for file in result.listing or ()}

    def placed(part: Mapping[str, Json]) -> dict[str, Json]:
        """A link or an asset whose file is in the folder."""
        file = files.get(f"{result.folder}/{part.get('href')}")
        if file is None:
            return dict(part)
        found = {**part, "href": file.href or at(str(file.file))}
        return {**found, "file:size": file.size, "file:checksum": file.checksum} if "rel" not in part else found

    features = [
        {
            **feature,
            "links": [placed(each) for each in feature.get("links", [])],
            "assets": {key: placed(asset) for key, asset in feature.get("assets", {}).items()},
        }
        for feature in result.value["features"]
    ]
    return {**result.value, "features": features}


def _item(result: Result, at: At, read: Read | None) -> Result:
    """An item of a list: a file and a value stay as they are."""
    if result.items is None and not is_nested(result):
        return result
    return Result(value=_plain(result, at, read))


def _plain(result: Result, at: At, read: Read | None) -> Json:
    """A result as it stands inside of another."""
    if result.members is not None:
        return {name: _plain(member, at, read) for name, member in result.members.items()}
    if result.items is not None:
        return [_plain(item, at, read) for item in result.items]
    if result.file is not None:
        return inlined(read(result), result.media_type) if read else link(result, at(result.file), at)
    return settled(result, at, read).value
