"""The forms in which an execute request gives a value: bare, qualified, by reference, and several of these.

Source: OGC 18-062r2, 7.11.1 (inputValueNoObject, qualifiedInputValue, link); nothing is fetched here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from geomill.processes import BadInput

from . import schema as schemas
from .addresses import SCHEMES
from .formats import CRS84, decode_base64, is_crs
from .media_types import essence, extension, is_json, is_text, same
from .schema import Schema
from .strictjson import loads
from .wording import listed, shown

Json = Any

QUALIFIERS = {"value", "mediaType", "encoding", "schema", "format"}
UNKNOWN_TYPES = {"application/octet-stream", "binary/octet-stream", "*/*"}
BASE64 = {"base64", "base64url", "binary"}  # binary: the standard's name for base64 in JSON


@dataclass(frozen=True)
class Place:
    """Where in a request a value is, for messages: an input and a path into it.

    accepted: what was given here fits its schema, since the request was accepted.
    """

    input_id: str
    path: str = ""
    accepted: bool = False

    def item(self, index: int) -> Place:
        """The place of an item of an array."""
        return Place(self.input_id, f"{self.path}[{index}]", self.accepted)

    def wrong(self, sentence: str, inside: str = "") -> BadInput:
        """The error for a value here; `sentence` follows the place."""
        path = f"{self.path}.{inside}" if inside and self.path and inside[0] != "[" else self.path + inside
        error = BadInput(self.input_id, f"{path} {sentence}" if path else sentence)
        error.path = path
        return error


@dataclass(frozen=True)
class Value:
    """A JSON value."""

    value: Json


@dataclass(frozen=True)
class Content:
    """The content of a file, given inline."""

    data: bytes
    media_type: str

    def name(self, input_id: str, number: int) -> str:
        """What the file is called, as the number-th (from 0) that the request holds for an input."""
        stem = re.sub(r"[^A-Za-z0-9-]", "_", input_id)[:60]
        return f"{stem}{f'-{number}' if number else ''}{extension(self.media_type) or self._suffix()}"

    def _suffix(self) -> str:
        try:
            return ".bin" if "\0" in self.data.decode() else ".txt"
        except UnicodeDecodeError:
            return ".bin"


@dataclass(frozen=True)
class Reference:
    """An address to fetch a value from; candidates: the alternatives of the schema that it may hold."""

    href: str
    media_type: str | None
    candidates: tuple[Schema, ...]

    @property
    def schema(self) -> Schema:
        """What the referenced value must fit."""
        return self.candidates[0] if len(self.candidates) == 1 else {"anyOf": list(self.candidates)}


@dataclass(frozen=True)
class Several:
    """The values of an input that takes more than one, or an array of files."""

    items: tuple[Value | Content | Reference | Several, ...]


Given = Value | Content | Reference | Several


def interpret(place: Place, value: Json, schema: Schema) -> Given:
    """The form a value is given in, the value checked against its schema. Raises BadInput.

    A bare item stands for an array of one.
    """
    if _takes_links(schema) and not _is_list(value):
        value = [value]
    if isinstance(value, dict):
        if "href" in value and not (schemas.declares(schema, "href") and schemas.is_valid(schema, value)):
            return _reference(place, value, schema)
        if _is_qualified(value, schema):
            return _qualified(place, value, schema)
    if isinstance(value, list) and _takes_files(schema):
        return _files(place, value, schema)
    return _inline(place, value, schemas.branches(schema), None, None)


def described_type(branch: Schema) -> str | None:
    """The media type that a branch of a schema declares."""
    declared = schemas.merged(branch).get("contentMediaType")
    return declared if isinstance(declared, str) else None


def fits_type(branch: Schema, media_type: str) -> bool:
    """Whether a branch may hold content of this media type; a string without a declared one may hold any text."""
    declared = described_type(branch)
    if declared is not None:
        return same(declared, media_type) or (is_json(declared) and is_json(media_type))
    if schemas.is_directory(branch):  # an index page, an archive, a catalog: for its runner to tell
        return True
    return schemas.may_be(branch, "string") or is_json(media_type)


def parse_content(place: Place, data: bytes, candidates: tuple[Schema, ...]) -> Json:
    """A JSON value from its bytes; text where a string is what the schema wants. Raises BadInput."""
    schema = candidates[0] if len(candidates) == 1 else {"anyOf": list(candidates)}
    text_will_do = any(schemas.may_be(branch, "string") for branch in candidates)
    if not all(schemas.merged(branch).get("type") == "string" for branch in candidates):
        try:
            value = loads(data)
        except ValueError as error:
            if not text_will_do:
                raise place.wrong(f"must be JSON, but what was given {error}.") from None
        else:
            if not text_will_do or schemas.is_valid(schema, value):
                return checked(place, value, schema)
    try:
        return checked(place, data.decode("utf-8-sig"), schema)
    except UnicodeDecodeError:
        raise place.wrong("must be text in UTF-8.") from None


def checked(place: Place, value: Json, schema: Schema) -> Json:
    """The value itself. Raises BadInput where it does not fit."""
    problem = schemas.find_problem(schema, value)
    if problem:
        inside, sentence = problem
        raise place.wrong(f"{sentence}.", inside)
    if isinstance(value, dict) and any(map(schemas.is_bbox, schemas.branches(schema))) and "bbox" in value:
        _check_bbox(place, value)
    return value


def _is_qualified(value: Mapping[str, Json], schema: Schema) -> bool:
    """Whether an object is a value with its format, and not itself the value."""
    if "value" not in value:
        return False
    if not any(schemas.may_be(branch, "object") for branch in schemas.branches(schema)):
        return True
    if set(value) - QUALIFIERS:
        return False
    # its own schema has a member of that name: the standard's reading first
    own = schemas.declares(schema, "value") and not schemas.is_valid(schema, value["value"])
    return not (own and schemas.is_valid(schema, value))


def _qualified(place: Place, value: Mapping[str, Json], schema: Schema) -> Given:
    format_ = value.get("format") or {}
    if not isinstance(format_, dict):
        raise place.wrong(f"must be an object, not {shown(format_)}.", "format")
    stated: dict[str, str | None] = {}
    for name in ("mediaType", "encoding"):
        stated[name] = value.get(name) or format_.get(name)
        if not isinstance(stated[name], str | None):
            raise place.wrong(f"must be a string, not {shown(stated[name])}.", name)
    candidates = _of_type(place, schemas.branches(schema), stated["mediaType"], "mediaType")
    if isinstance(value["value"], list) and _takes_files(schema):
        return _files(place, value["value"], schema)
    return _inline(place, value["value"], candidates, stated["mediaType"], (stated["encoding"] or "").lower())


def _reference(place: Place, value: Mapping[str, Json], schema: Schema) -> Reference:
    href, type_ = value["href"], value.get("type")
    if not isinstance(href, str) or not href.strip():
        raise place.wrong(f"must be the address to fetch the value from, not {shown(href)}.", "href")
    if _scheme(href) not in (*SCHEMES, "file"):
        raise place.wrong(f"must be an absolute http, https or s3 address, not {shown(href)}.", "href")
    if not isinstance(type_, str | None):
        raise place.wrong(f"must be a media type, not {shown(type_)}.", "type")
    return Reference(href.strip(), type_, tuple(_of_type(place, schemas.branches(schema), type_, "type")))


def _scheme(href: str) -> str:
    """The scheme of an address in lower case; empty for what is no address."""
    try:
        parts = urlsplit(href.strip())
    except ValueError:
        return ""
    return parts.scheme if parts.netloc or parts.scheme == "file" else ""


def _of_type(place: Place, branches: list[Schema], media_type: str | None, member: str) -> list[Schema]:
    """The branches that a stated media type selects. Raises BadInput where there is none."""
    if not media_type or essence(media_type) in UNKNOWN_TYPES:
        return branches
    chosen = [branch for branch in branches if fits_type(branch, media_type)]
    if not chosen:
        known = dict.fromkeys(described_type(branch) or "application/json" for branch in branches)
        raise place.wrong(f"must be {listed(known)}, not {shown(media_type)}.", member)
    # a branch that declares the very type is meant before one that takes any text
    exact = [branch for branch in chosen if described_type(branch)]
    return exact or chosen


def _inline(place: Place, value: Json, branches: list[Schema], media_type: str | None, encoding: str | None) -> Given:
    """The first branch that takes the value, as oneOf is meant, although numbers may fit several."""
    if encoding is None or encoding == "":
        value = _without_null_crs(_as_array(value, branches), branches)
    problems: list[BadInput] = []
    for branch in branches:
        try:
            if schemas.is_file(branch):
                return _content(place, value, branch, media_type, encoding)
            if encoding in BASE64 and isinstance(value, str):
                return Value(parse_content(place, _decoded(place, value), (branch,)))
            if len(branches) == 1 and place.accepted:
                return Value(value)
            if len(branches) == 1 or schemas.is_valid(branch, value):
                return Value(checked(place, value, branch))
        except BadInput as error:
            problems.append(error)
    files = [branch for branch in branches if schemas.is_file(branch)]
    if problems and (isinstance(value, str) or len(branches) == 1 or len(files) == len(branches)):
        raise problems[0]
    return Value(checked(place, value, {"anyOf": [branch for branch in branches if branch not in files] or branches}))


def _content(place: Place, value: Json, branch: Schema, media_type: str | None, encoding: str | None) -> Content:
    as_text = media_type is not None and (is_text(media_type) or is_json(media_type)) and not encoding
    in_base64 = encoding in BASE64 or (schemas.is_base64(branch) and not as_text)
    known_type = media_type or described_type(branch) or "application/octet-stream"
    if isinstance(value, dict | list) and is_json(known_type):
        return Content(json.dumps(value, ensure_ascii=False).encode(), known_type)
    if not isinstance(value, str):
        if isinstance(value, dict) and isinstance(value.get("type"), str):
            _of_type(place, [branch], value["type"], "type")
        kind = "base64 text" if in_base64 else "text"
        wanted = f'must be {kind}, {{"value": {kind}, "mediaType": ...}} or {{"href": an address}}, not {shown(value)}.'
        raise place.wrong(wanted)
    try:
        data = _decoded(place, value) if in_base64 else value.encode()
    except BadInput as error:
        if is_text(known_type) and not encoding:  # what was meant is clear
            hint = f'or {{"value": text, "mediaType": "{known_type}"}}'
            raise BadInput(place.input_id, f"{error.message[:-1]}, {hint}.") from None
        raise
    return Content(data, known_type)


def _decoded(place: Place, text: str) -> bytes:
    try:
        return decode_base64(text)
    except ValueError as error:
        if _scheme(text.strip()) in SCHEMES:
            raise place.wrong(f'is a file: give its address as {{"href": {shown(text)}}}.') from None
        raise place.wrong(f"must be base64{error}.") from None


def _takes_files(schema: Schema) -> bool:
    """Whether a schema is an array of files, whose items may be given in any form."""
    facts = schemas.merged(schema)
    if facts.get("type") != "array" or not isinstance(facts.get("items"), dict):
        return False
    return any(map(schemas.is_file, schemas.branches(facts["items"])))


def _takes_links(schema: Schema) -> bool:
    """Whether a schema is an array of what is given by reference."""
    facts = schemas.merged(schema)
    if facts.get("type") != "array" or not isinstance(facts.get("items"), dict):
        return False
    return _takes_files(schema) or any(map(schemas.is_directory, schemas.branches(facts["items"])))


def _is_list(value: Json) -> bool:
    """Whether a value is several, or none at all."""
    inner = value.get("value") if isinstance(value, dict) else value
    return value is None or isinstance(inner, list)


def _as_array(value: Json, branches: list[Schema]) -> Json:
    """The value as an array where every branch is one."""
    arrays = all(schemas.merged(branch).get("type") == "array" for branch in branches)
    return [value] if arrays and not isinstance(value, list | type(None)) else value


def _without_null_crs(value: Json, branches: list[Schema]) -> Json:
    """A bounding box without a `crs` that is null, as generated clients send what was not set."""
    if isinstance(value, dict) and value.get("crs", "") is None and any(map(schemas.is_bbox, branches)):
        return {name: member for name, member in value.items() if name != "crs"}
    return value


def _files(place: Place, values: list[Json], schema: Schema) -> Several:
    facts = schemas.merged(schema)
    checked(place, [""] * len(values), {name: facts[name] for name in ("minItems", "maxItems") if name in facts})
    return Several(tuple(interpret(place.item(n), value, facts["items"]) for n, value in enumerate(values)))


def _check_bbox(place: Place, value: Mapping[str, Json]) -> None:
    """What a schema cannot say about a bounding box. West may be greater than east: it crosses the antimeridian."""
    numbers, crs = value["bbox"], value.get("crs", CRS84[0])
    if not (isinstance(crs, str) and is_crs(crs)):
        raise place.wrong(f"must name a coordinate reference system, such as {CRS84[0]}, not {shown(crs)}.", "crs")
    half = len(numbers) // 2
    for axis, name in ((1, "latitude"), (2, "height"))[: half - 1]:
        if crs in CRS84 and numbers[axis] > numbers[axis + half]:
            low, high = shown(numbers[axis]), shown(numbers[axis + half])
            raise place.wrong(f"must not be below the lower {name}, {low}, but is {high}.", f"bbox[{axis + half}]")
