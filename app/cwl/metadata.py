"""What a package says about itself in the words of schema.org, as OGC metadata."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]

SCHEMA_ORG = "https://schema.org/"
OWN = {"keywords", "name", "version"}  # members of a description, no metadata besides
PREFIXES = {"s": SCHEMA_ORG, "schema": SCHEMA_ORG}  # where a document forgets $namespaces


def facts(document: Mapping[str, Any], process: Mapping[str, Any]) -> Json:
    """Everything of schema.org at the root of a document and in its process, which comes first, by local name."""
    given = document.get("$namespaces")
    prefixes = {**PREFIXES, **(given if isinstance(given, dict) else {})}
    found: Json = {}
    for place in (document, process):
        for key, value in place.items():
            name = _local(key, prefixes)
            if name and value not in (None, "", [], {}):
                found[name] = _plain(value, prefixes)
    return found


def version(found: Json) -> str | None:
    """The version of the software, as text."""
    given = found.get("softwareVersion", found.get("version"))
    return str(given) if isinstance(given, str | int | float) and not isinstance(given, bool) else None


def keywords(found: Json) -> list[str]:
    """The keywords, given as a list or as text with commas."""
    given = found.get("keywords")
    parts = given.split(",") if isinstance(given, str) else given if isinstance(given, list) else []
    return [str(each).strip() for each in parts if isinstance(each, str | int | float) and str(each).strip()]


def metadata(found: Json) -> list[Json]:
    """An entry for each statement: an address as `href`, anything else as `value`. Source: OGC 20-044, ZOO."""
    return [
        _entry(name, each)
        for name, value in found.items()
        if name not in OWN
        for each in (value if isinstance(value, list) else [value])
    ]


def _entry(name: str, value: Any) -> Json:
    role = {"role": SCHEMA_ORG + name, "title": re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).capitalize()}
    if isinstance(value, str) and re.match(r"https?://\S+$", value):
        return {**role, "href": value}
    if isinstance(value, dict):
        return {**role, "value": {"@context": SCHEMA_ORG.rstrip("/"), **value}}
    return {**role, "value": value if isinstance(value, str) else json.dumps(value)}


def _local(key: str, prefixes: Mapping[str, Any]) -> str:
    """The name in schema.org of a member; "" for any other member."""
    prefix, colon, rest = key.partition(":")
    expanded = f"{prefixes[prefix]}{rest}" if colon and prefix in prefixes else key
    match = re.fullmatch(r"https?://schema\.org/(\w+)", expanded)
    return match[1] if match else ""


def _plain(value: Any, prefixes: Mapping[str, Any]) -> Any:
    """A value without prefixes; `class` is the type of an object."""
    if isinstance(value, list):
        return [_plain(each, prefixes) for each in value]
    if not isinstance(value, dict):
        return value
    made: Json = {}
    for key, inner in value.items():
        name = "@type" if key in ("class", "@type") else _local(key, prefixes) or key
        plain = _plain(inner, prefixes)
        made[name] = (_local(plain, prefixes) or plain) if name == "@type" and isinstance(plain, str) else plain
    return made
