"""What a client deploys: a CWL document, or an OGC application package that holds one, links one, or names an image.

Sources: OGC 20-044 (Part 2), ogcapppkg.yaml, executionUnit.yaml. What clients send beside that is understood where it
can mean one thing only: the description without its `process` wrapper, nulls for what was not set, JSON for YAML.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from . import InvalidRequest
from .media_types import essence
from .strictjson import loads
from .wording import listed, shown

Json = Any

OGC = "application/ogcapppkg+json"
CWL = ("application/cwl", "application/cwl+yaml", "application/cwl+json", "application/yaml")
YAML = ("application/x-yaml", "text/yaml", "text/x-yaml")  # what application/yaml was called before RFC 9512
JSON = "application/json"
ACCEPTED = (OGC, *CWL, JSON)
EXAMPLE = '{"executionUnit": {"href": "https://...", "type": "application/cwl"}}'


class UnsupportedMediaType(ValueError):
    """The Content-Type is none that a package comes in."""


@dataclass(frozen=True)
class Package:
    """A package as it was received.

    document: the CWL in it; href: where that has to be fetched instead; image: of a bare Docker unit, without CWL;
    description: what the client says of the process, by the members of process.yaml.
    """

    received: bytes
    media_type: str
    document: bytes | None = None
    href: str | None = None
    image: str | None = None
    description: Mapping[str, Json] = field(default_factory=dict)


def check_type(content_type: str | None) -> str:
    """The media type of a package. Raises UnsupportedMediaType. /req/deploy-replace-undeploy/deploy-content-type"""
    media_type = essence(content_type or "")
    if media_type not in (*ACCEPTED, *YAML):
        found = f"not {content_type}" if content_type else "but none is stated"
        raise UnsupportedMediaType(f"The Content-Type of a package is {listed(ACCEPTED)}, {found}.")
    return media_type


def read(body: bytes, media_type: str) -> Package:
    """The package in a body, by its shape more than by its media type. Raises InvalidRequest."""
    if not body.strip():
        raise InvalidRequest(f"The body is empty; send a CWL document, or {EXAMPLE}.")
    package = _ogc(body, media_type)
    if package is not None:
        return package
    if media_type == OGC:
        raise InvalidRequest(f'An OGC application package has a member "executionUnit", such as {EXAMPLE}.')
    return Package(body, media_type, document=body)


def _ogc(body: bytes, media_type: str) -> Package | None:
    """The OGC application package that a body is, if it is one."""
    if media_type != OGC and (not body.lstrip().startswith(b"{") or b"executionUnit" not in body):
        return None
    try:
        members = loads(_utf_8(body))
    except ValueError as error:
        if media_type in (OGC, JSON):
            raise InvalidRequest(f"The body {error}.") from None
        return None  # YAML may begin so, too
    if not isinstance(members, dict) or "executionUnit" not in members:
        return None
    members = _without_nulls(members)
    units = members.get("executionUnit")
    found = [_unit(unit) for unit in (units if isinstance(units, list) else [units])]
    best = next((unit for unit in found if "image" not in unit), found[0] if found else None)
    if best is None:
        raise InvalidRequest(f'"executionUnit" is empty; it must say what to run, such as {EXAMPLE}.')
    return Package(body, media_type, description=_description(members), **best)


def _unit(unit: Json) -> dict[str, Any]:
    """One execution unit: a document, the address of one, or an image."""
    if not isinstance(unit, dict):
        raise InvalidRequest(f'"executionUnit" must be an object, such as in {EXAMPLE}, not {shown(unit)}.')
    value = unit.get("value", unit.get("unit"))
    if "cwlVersion" in unit:
        value = unit
    if isinstance(value, dict):
        return {"document": json.dumps(value, indent=1, ensure_ascii=False).encode()}
    if isinstance(value, str):
        return {"document": value.encode()}
    if isinstance(unit.get("href"), str):
        return {"href": unit["href"]}
    if unit.get("type") in ("docker", "oci") and isinstance(unit.get("image"), str):
        return {"image": unit["image"]}
    raise InvalidRequest(
        '"executionUnit" must have "href" (the address of a CWL document), "value" (the document itself), '
        f'or "type": "docker" with "image"; it has {listed(map(shown, unit), "and") or "no member"}.'
    )


def _description(members: Mapping[str, Json]) -> dict[str, Json]:
    """What the client says of the process, with or without the wrapper `process`."""
    description = members.get("processDescription", {})
    if isinstance(description, dict):
        description = description.get("process", description)
    if not isinstance(description, dict):
        raise InvalidRequest(f'"processDescription" must be an object, not {shown(description)}.')
    if "href" in description and "id" not in description:
        raise InvalidRequest('"processDescription" must be the description itself; a link to one is not followed.')
    for name, kind in _KINDS.items():
        if not isinstance(description.get(name, kind()), kind):
            wanted = {"str": "a string", "dict": "an object", "list": "an array"}[kind.__name__]
            raise InvalidRequest(f'"processDescription.{name}" must be {wanted}, not {shown(description[name])}.')
    for name in ("inputs", "outputs"):
        for key, value in description.get(name, {}).items():
            if not isinstance(value, dict) or not isinstance(value.get("schema", {}), dict):
                raise InvalidRequest(f'"processDescription.{name}.{key}" must be an object with "schema", an object.')
    return description


_KINDS: dict[str, type] = {
    **dict.fromkeys(("id", "title", "description", "version"), str),
    **dict.fromkeys(("inputs", "outputs"), dict),
    **dict.fromkeys(("keywords", "metadata", "jobControlOptions", "outputTransmission", "links"), list),
}


def _utf_8(body: bytes) -> bytes:
    """The body in UTF-8; the CITE suite sends Latin-1 and does not say so."""
    try:
        body.decode()
    except UnicodeDecodeError:
        return body.decode("latin-1").encode()
    return body


def _without_nulls(value: Json) -> Json:
    """A document without the members that are null: generated clients send null for whatever was not set."""
    if isinstance(value, dict):
        return {name: _without_nulls(member) for name, member in value.items() if member is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value
