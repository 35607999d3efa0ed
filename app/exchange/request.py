"""An execute request: the body of POST .../execution as a record.

Sources: execute.yaml of OGC 18-062r2 and of the 2.0 draft.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from geomill.processes import records

from . import InvalidRequest
from .strictjson import loads
from .wording import listed, shown

Json = Any
TransmissionMode = Literal["value", "reference"]
ResponseStyle = Literal["raw", "document"]

MEMBERS = (  # of both versions; whatever else a body has is ignored
    *("inputs", "outputs", "response", "subscriber", "limits", "process"),
    *("filter", "properties", "sortBy", "collection", "id", "title", "description", "$schema"),
)
# no standard has them: a schema of either version lets a body have other members, and a server ignore them
LIMITS = {re.sub("_(.)", lambda found: found[1].upper(), told): name for told, name in records.LIMITS.items()}
SECONDS = ("timeLimit", "cpuLimit")  # the others are whole numbers
SUBSCRIBER = ("successUri", "inProgressUri", "failedUri")


@dataclass(frozen=True)
class OutputRequest:
    """How one output is wanted. transmission_mode: 1.0 only."""

    transmission_mode: TransmissionMode | None = None
    media_type: str | None = None


@dataclass(frozen=True)
class ExecuteRequest:
    """What a client wants executed. outputs: None means all of them; subscriber: callback URIs by their OGC name.

    limits: that the job is to have, if its process allows as much, by the members of Limits.
    """

    inputs: Mapping[str, Json] = field(default_factory=dict)
    outputs: Mapping[str, OutputRequest] | None = None
    response: ResponseStyle | None = None
    subscriber: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, float] = field(default_factory=dict)

    @property
    def style_1_0(self) -> bool:
        """Whether it uses what only version 1.0 has, and is answered by its rules."""
        wanted = (self.outputs or {}).values()
        return self.response is not None or any(output.transmission_mode for output in wanted)

    @property
    def wants_nothing(self) -> bool:
        """Whether it says `outputs: {}` in the sense of 2.0: run, but produce no answer. In 1.0 that means nothing."""
        return self.outputs is not None and not self.outputs and not self.style_1_0


def read(body: bytes) -> ExecuteRequest:
    """The request in a body, whatever its Content-Type; members that are null count as not given.

    Raises InvalidRequest.
    """
    try:
        document = loads(body)
    except ValueError as error:
        raise InvalidRequest(f'The body {error}. Send a JSON object such as {{"inputs": {{...}}}}.') from None
    if not isinstance(document, dict):
        raise InvalidRequest(f'The body must be a JSON object such as {{"inputs": {{...}}}}, not {shown(document)}.')
    members = _given(document)
    return ExecuteRequest(
        inputs=_inputs(members),
        outputs=_outputs(members.get("outputs")),
        response=cast(ResponseStyle | None, _one_of("response", members.get("response"), ("raw", "document"))),
        subscriber=_subscriber(members.get("subscriber", {})),
        limits=_limits(members.get("limits", {})),
    )


def _given(members: Mapping[str, Json]) -> dict[str, Json]:
    """The members that are not null: generated clients send null for whatever was not set."""
    return {name: value for name, value in members.items() if value is not None}


def _inputs(members: Mapping[str, Json]) -> dict[str, Json]:
    if "inputs" not in members:
        stray = [name for name in members if name not in MEMBERS]
        if stray:  # 1.0 allows a body without inputs, but this is a mistake
            raise InvalidRequest(
                f'The body has no member "inputs", but {listed((shown(name) for name in stray), "and")}: '
                'put the inputs by their ids into the object "inputs".'
            )
        return {}
    if not isinstance(members["inputs"], dict):
        raise InvalidRequest(f'"inputs" must be an object of values by input id, not {shown(members["inputs"])}.')
    return _given(members["inputs"])


def _outputs(outputs: Json) -> dict[str, OutputRequest] | None:
    """The wanted outputs by id; a plain list of ids is understood, too."""
    if outputs is None:
        return None
    if isinstance(outputs, list) and all(isinstance(output_id, str) for output_id in outputs):
        return {output_id: OutputRequest() for output_id in outputs}
    if not isinstance(outputs, dict):
        raise InvalidRequest(f'"outputs" must be an object such as {{"result": {{}}}}, not {shown(outputs)}.')
    return {output_id: _output(f"outputs.{output_id}", wanted) for output_id, wanted in outputs.items()}


def _output(place: str, wanted: Json) -> OutputRequest:
    if not isinstance(wanted, dict | None):
        raise InvalidRequest(f'"{place}" must be an object, {{}} for the default, not {shown(wanted)}.')
    members = _given(wanted or {})
    mode = _one_of(f"{place}.transmissionMode", members.get("transmissionMode"), ("value", "reference"))
    format_ = members.get("format", {})
    if not isinstance(format_, dict):
        example = '{"mediaType": "image/tiff"}'
        raise InvalidRequest(f'"{place}.format" must be an object such as {example}, not {shown(format_)}.')
    media_type = format_.get("mediaType") or members.get("mediaType")
    if not isinstance(media_type, str | None):
        raise InvalidRequest(f'"{place}.format.mediaType" must be a string, not {shown(media_type)}.')
    return OutputRequest(cast(TransmissionMode | None, mode), media_type)


def _one_of(place: str, value: Json, choices: Sequence[str]) -> str | None:
    if value is not None and value not in choices:
        raise InvalidRequest(f'"{place}" must be {listed(map(shown, choices))}, not {shown(value)}.')
    return cast(str | None, value)


def _subscriber(subscriber: Json) -> dict[str, str]:
    if not isinstance(subscriber, dict):
        raise InvalidRequest(f'"subscriber" must be an object with {listed(SUBSCRIBER)}, not {shown(subscriber)}.')
    if subscriber.get("successUrl") is not None:  # as the schema of 1.0 misspells it in one place
        subscriber = {"successUri": subscriber["successUrl"], **_given(subscriber)}
    uris = {name: subscriber[name] for name in SUBSCRIBER if subscriber.get(name) is not None}
    if not uris and (strange := _given(subscriber)):
        found = listed(map(shown, strange), "and")
        raise InvalidRequest(f'"subscriber" has {found}, but none of {listed(SUBSCRIBER)}.')
    for name, uri in uris.items():
        if not isinstance(uri, str) or not uri.lower().startswith(("http://", "https://")):
            raise InvalidRequest(f'"subscriber.{name}" must be an http or https address, not {shown(uri)}.')
    return uris


def _limits(limits: Json) -> dict[str, float]:
    """What the job may use at most: limits by their names here, in seconds, bytes and numbers."""
    if not isinstance(limits, dict):
        raise InvalidRequest(f'"limits" must be an object such as {{"timeLimit": 60}}, not {shown(limits)}.')
    found: dict[str, float] = {}
    for name, limit in _given(limits).items():
        if name not in LIMITS:
            raise InvalidRequest(f'"limits" has no member {shown(name)}, but {listed(LIMITS, "and")}.')
        number = isinstance(limit, int | float) and not isinstance(limit, bool) and limit > 0
        if number and limit >= 2**63:
            raise InvalidRequest(f'"limits.{name}" must be below 2**63, not {shown(limit)}.')
        if not number or (name not in SECONDS and limit != int(limit)):
            wanted = "seconds above 0" if name in SECONDS else "a whole number above 0"
            raise InvalidRequest(f'"limits.{name}" must be {wanted}, not {shown(limit)}.')
        found[LIMITS[name]] = float(limit) if name in SECONDS else int(limit)
    return found
