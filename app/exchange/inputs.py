"""From a request and a process description to the arguments of the process.

`read` and `check` run where the request arrives and touch nothing outside; `stage` runs in the job and fetches.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from geomill.processes import BadInput

from . import InvalidRequest
from . import schema as schemas
from .addresses import joined
from .media_types import essence, extension, is_json
from .references import resolved
from .request import ExecuteRequest, OutputRequest, read
from .values import (
    UNKNOWN_TYPES,
    Content,
    Given,
    Place,
    Reference,
    Several,
    Value,
    checked,
    described_type,
    fits_type,
    interpret,
    parse_content,
)
from .wording import listed, meant, shown

__all__ = ["ExecuteRequest", "OutputRequest", "check", "given", "problems", "read", "stage"]

Json = Any
MOST_VALUES = 100_000  # of an input that takes any number of them, each looked at by itself, in about 10 us
Description = Mapping[str, Any]


class Fetched(Protocol):
    """What fetching gives: a file, its media type, the address it came from after redirects, its name if it has one."""

    @property
    def path(self) -> Path: ...  # noqa: D102

    @property
    def media_type(self) -> str: ...  # noqa: D102

    @property
    def href(self) -> str: ...  # noqa: D102

    @property
    def name(self) -> str: ...  # noqa: D102


Fetch = Callable[[str, Path, str | None], Fetched]
CheckHref = Callable[[str], object]


def check(request: ExecuteRequest, description: Description, check_href: CheckHref | None = None) -> None:
    """Find what is wrong with a request without fetching anything.

    check_href: raises ValueError for an address that would not be fetched.
    Raises InvalidRequest for the outputs, BadInput for an input.
    """
    for problem in problems(request, description, check_href):
        raise problem


def problems(
    request: ExecuteRequest, description: Description, check_href: CheckHref | None = None
) -> Iterator[InvalidRequest | BadInput]:
    """All that `check` would raise, one after the other: the outputs, then the inputs, at most one for each."""
    try:
        _check_outputs(request, description)
    except InvalidRequest as error:
        yield error
    inputs: Mapping[str, Any] = description.get("inputs") or {}
    for input_id in request.inputs:
        if input_id not in inputs:
            yield BadInput(input_id, f"is no input of this process.{meant(input_id, inputs)}")
    missing = [name for name, described in inputs.items() if _required(described) and name not in request.inputs]
    for index, name in enumerate(missing):
        others = f" (as are {listed(missing[1:], 'and')})" if index == 0 and missing[1:] else ""
        yield BadInput(name, f"is required and was not given{others}.")
    for input_id, value in request.inputs.items():
        if input_id in inputs:
            try:
                place = Place(input_id)
                _check_passing(place, _interpret(place, value, inputs[input_id]), inputs[input_id], check_href)
            except BadInput as error:
                yield error


def given(request: ExecuteRequest, description: Description) -> dict[str, Given]:
    """The inputs of a request that was accepted, each in the form that it came in."""
    inputs: Mapping[str, Any] = description.get("inputs") or {}
    return {name: _interpret(Place(name, accepted=True), value, inputs[name]) for name, value in request.inputs.items()}


def stage(request: ExecuteRequest, description: Description, fetch: Fetch, directory: Path) -> dict[str, Json]:
    """The arguments of a process: JSON values, and {"$file": path, "type": media type} for files, put into `directory`.

    request: an accepted one, whose values are not checked again.
    An input that was not given is left out, so that the function's own default counts; where the description alone has
    a default (the input is not marked optional), that one is given. fetch: (href, directory, media type) -> Fetched;
    its ValueError and ConnectionError become BadInput, as does a fetched value that does not fit its schema. The
    directory is made when there is a file.
    """
    arguments: dict[str, Json] = {}
    for input_id, described in (description.get("inputs") or {}).items():
        if input_id in request.inputs:
            given = _interpret(Place(input_id, accepted=True), request.inputs[input_id], described)
            arguments[input_id] = _Staging(fetch, directory).put(Place(input_id), given)  # what is fetched is checked
        elif described.get("minOccurs", 1) > 0 and "default" in described["schema"]:
            arguments[input_id] = described["schema"]["default"]
    return arguments


def _check_outputs(request: ExecuteRequest, description: Description) -> None:
    outputs: Mapping[str, Any] = description.get("outputs") or {}
    for output_id, wanted in (request.outputs or {}).items():
        if output_id not in outputs:
            raise InvalidRequest(f'"{output_id}" is no output of this process.{meant(output_id, outputs)}')
        branches = schemas.branches(outputs[output_id].get("schema", {}))
        if wanted.media_type and not any(_can_be_given(branch, wanted.media_type) for branch in branches):
            known = listed(dict.fromkeys(described_type(branch) or "application/json" for branch in branches))
            asked = shown(wanted.media_type)
            raise InvalidRequest(f'The output "{output_id}" cannot be given as {asked}, only as {known}.')


def _can_be_given(branch: schemas.Schema, media_type: str) -> bool:
    """Whether an output of this kind can be written so: as described, else as JSON, or a scalar as text."""
    if described_type(branch) is not None:
        return fits_type(branch, media_type)
    scalar = any(schemas.may_be(branch, type_) for type_ in ("string", "number", "integer", "boolean"))
    return is_json(media_type) or (scalar and essence(media_type) == "text/plain")


def _required(described: Description) -> bool:
    return described.get("minOccurs", 1) > 0 and "default" not in described["schema"]


def _interpret(place: Place, value: Json, described: Description) -> Given:
    """The values given for an input: one, or several where its maxOccurs allows more than one."""
    schema, most = resolved(described["schema"]), described.get("maxOccurs", 1)
    if most == 1:
        return interpret(place, value, schema)
    values = value if isinstance(value, list) else [value]
    if isinstance(value, list) and _is_one_array(value, schema):
        values = [value]
    least, most = described.get("minOccurs", 1), MOST_VALUES if most == "unbounded" else most
    if not least <= len(values) <= most:
        raise place.wrong(f"takes {least} to {most} values, not {len(values)}.")
    return Several(tuple(interpret(place.item(n), item, schema) for n, item in enumerate(values)))


def _is_one_array(values: list[Json], schema: schemas.Schema) -> bool:
    """Whether an array is a single value of an input whose values are arrays themselves."""
    arrays = all(schemas.may_be(branch, "array") for branch in schemas.branches(schema))
    return arrays and not all(isinstance(item, list | dict) for item in values) and schemas.is_valid(schema, values)


def _check_passing(
    place: Place, given: Given, described: Description, check_href: CheckHref | None
) -> None:
    """Whether a value may come by value or by reference as it does. Source: the 2.0 draft's valuePassing."""
    if isinstance(given, Several):
        for index, item in enumerate(given.items):
            _check_passing(place.item(index), item, described, check_href)
        return
    by_reference = isinstance(given, Reference)
    allowed = described.get("valuePassing") or ["byValue", "byReference"]
    if ("byReference" if by_reference else "byValue") not in allowed:
        raise place.wrong(f"cannot be given by {'reference' if by_reference else 'value'}.")
    if isinstance(given, Reference) and check_href is not None:
        try:
            check_href(given.href)
        except ValueError as error:
            raise place.wrong(f"cannot be fetched: {error}") from error


class _Staging:
    """Puts the values of one input where a job can use them."""

    def __init__(self, fetch: Fetch, directory: Path) -> None:
        self.fetch = fetch
        self.directory = directory

    def put(self, place: Place, given: Given) -> Json:
        """The argument for a value: itself, or a file."""
        match given:
            case Several(items):
                return [self.put(place.item(n), item) for n, item in enumerate(items)]
            case Content(data, media_type):
                return {"$file": str(self.write(place, data, media_type)), "type": media_type}
            case Reference():
                return self.fetched(place, given)
            case Value(value):
                return value

    def write(self, place: Place, data: bytes, media_type: str) -> Path:
        """A new file with a name that tells where it comes from."""
        self.directory.mkdir(parents=True, exist_ok=True)
        stem = re.sub(r"[^A-Za-z0-9]", "_", place.input_id + place.path)
        for number in range(1_000_000):
            path = self.directory / f"{stem[:60]}{f'-{number}' if number else ''}{extension(media_type)}"
            try:
                with path.open("xb") as file:
                    file.write(data)
            except FileExistsError:
                continue
            return path
        raise FileExistsError(self.directory)

    def fetched(self, place: Place, reference: Reference) -> Json:
        """A value by reference: a file as it is, anything else parsed and checked."""
        if all(map(schemas.is_directory, reference.candidates)):
            return {"href": reference.href, "type": reference.media_type}
        self.directory.mkdir(parents=True, exist_ok=True)
        try:
            got = self.fetch(reference.href, self.directory, None)
        except (ValueError, ConnectionError) as error:
            raise place.wrong(f"cannot be fetched: {error}") from error
        media_type = _type_of(reference, got.media_type)
        candidates = tuple(branch for branch in reference.candidates if fits_type(branch, media_type))
        candidates = candidates or reference.candidates
        if all(map(schemas.is_file, candidates)):
            return {"$file": str(got.path), "type": media_type}
        plain = tuple(branch for branch in candidates if not schemas.is_file(branch))
        if len(plain) < len(candidates) and not is_json(media_type):
            return {"$file": str(got.path), "type": media_type}
        value = parse_content(place, got.path.read_bytes(), plain)
        got.path.unlink()
        return checked(place, absolute_links(value, got.href), {"anyOf": list(plain)})


def _type_of(reference: Reference, sent: str) -> str:
    """The media type of what was fetched: as the request says, else as the server if that fits, else as described."""
    fits = any(fits_type(branch, sent) for branch in reference.candidates)
    described = map(described_type, reference.candidates)
    stated = (reference.media_type, sent if fits else None, *described, sent)
    return next((name for name in stated if name and essence(name) not in UNKNOWN_TYPES), "application/octet-stream")


def absolute_links(document: Json, base: str) -> Json:
    """A STAC document with the relative addresses of its links and assets resolved; anything else as it is."""
    if not isinstance(document, dict):
        return document
    if document.get("type") == "FeatureCollection" and isinstance(document.get("features"), list):
        features = [absolute_links(feature, base) for feature in document["features"]]
        document = {**document, "features": features}
    elif "stac_version" not in document:
        return document
    resolved = dict(document)
    if isinstance(document.get("links"), list):
        resolved["links"] = [_absolute(link, base) for link in document["links"]]
    if isinstance(document.get("assets"), dict):
        resolved["assets"] = {name: _absolute(asset, base) for name, asset in document["assets"].items()}
    return resolved


def _absolute(link: Json, base: str) -> Json:
    if not isinstance(link, dict) or not isinstance(link.get("href"), str):
        return link
    try:
        return {**link, "href": joined(base, link["href"])}
    except ValueError:  # no address at all
        return link
