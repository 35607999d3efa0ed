"""The inputs and outputs of a process as parameters of a geoprocessing task. Pure.

Source: Esri, "GP task" and "Geoprocessing data types" (REST API).
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Mapping
from typing import Any

from geomill.app.arcgis.values import DATE, FEATURES, FILE, FLAG, MANY, NUMBER, RASTER, STRING, WHOLE, shown
from geomill.app.exchange import schema as schemas
from geomill.app.exchange.formats import short_code
from geomill.app.exchange.media_types import essence
from geomill.app.exchange.references import resolved

Json = Any
Described = Mapping[str, Any]

SCALARS = {"string": STRING, "integer": WHOLE, "number": NUMBER, "boolean": FLAG}
RASTERS = ("image/tiff", "image/jp2", "application/x-hdf5", "application/netcdf")
# what a request says beside its parameters; most of it is about projections, and not heeded
OPTIONS = frozenset(
    ("f", "token", "callback", "context", "env:outSR", "env:processSR", "returnZ", "returnM", "returnMessages")
    + ("returnTrueCurves", "returnFeatureCollection", "returnColumnName", "returnType", "outSR", "_ts")
)


def names(ids: Iterable[str], taken: Iterable[str] = ()) -> dict[str, str]:
    """The id of each input, or output, by the name of its parameter.

    That is the id, made an identifier: clients make functions of tasks, and arguments of parameters. What a request
    says something else by, or is taken, has a "_" more at the end. taken: the names of the inputs, for outputs: clients
    know parameters by their names alone.
    """
    found: dict[str, str] = {}
    known, others = set(ids := list(ids)), {*taken, *OPTIONS}
    for each in ids:
        name = identifier(each)
        while name in others or name in found or (name != each and name in known):
            name += "_"
        found[name] = each
    return found


def identifier(text: str) -> str:
    """A name, or an id, as a program can have it: water-mask is water_mask."""
    name = re.sub(r"\W", "_", text)
    return f"_{name}" if name[:1].isdigit() else f"{name}_" if keyword.iskeyword(name) else name


def data_type(described: Described) -> str:
    """The data type of an input or an output."""
    schema = resolved(described.get("schema") or {})
    if described.get("maxOccurs", 1) == 1:
        return _data_type(schema)
    one = _data_type(schema)
    return MANY + (STRING if one.startswith(MANY) else one)


def _data_type(schema: schemas.Schema) -> str:
    branches = [schemas.merged(each) for each in schemas.branches(schema) if not schemas.is_null(each)]
    if any(short_code(each).startswith("geojson-") for each in branches):
        return FEATURES
    if any(schemas.is_file(each) or schemas.is_directory(each) for each in branches):
        types = {essence(str(each.get("contentMediaType", ""))) for each in branches if schemas.is_file(each)}
        return RASTER if types and types <= {*RASTERS} else FILE
    kinds = {each.get("type") for each in branches if isinstance(each.get("type"), str)}
    if kinds == {"array"} and len(branches) == 1:
        one = _data_type(branches[0].get("items") or {})
        return STRING if one.startswith(MANY) else MANY + one
    if kinds == {"string"} and all(short_code(each) in ("date", "date-time") for each in branches):
        return DATE
    if len(kinds) == 1 and len(branches) == 1:
        return SCALARS.get(str(kinds.pop()), STRING)
    return NUMBER if kinds == {"number", "integer"} else STRING


def of_process(description: Described) -> list[dict[str, Json]]:
    """The parameters of a task: the inputs, then the outputs."""
    inputs, outputs = description.get("inputs") or {}, description.get("outputs") or {}
    named = names(inputs)
    given = [_parameter(name, inputs[each], _needed(inputs[each])) for name, each in named.items()]
    return given + [_parameter(name, outputs[each], "Derived") for name, each in names(outputs, named).items()]


def _needed(described: Described) -> str:
    required = described.get("minOccurs", 1) > 0 and "default" not in described.get("schema", {})
    return "Required" if required else "Optional"


def _parameter(name: str, described: Described, needed: str) -> dict[str, Json]:
    schema, kind = resolved(described.get("schema") or {}), data_type(described)
    direction = "Output" if needed == "Derived" else "Input"
    default = None if needed == "Derived" else schema.get("default")
    return {
        "name": name,
        "dataType": kind,
        "displayName": described.get("title") or name,
        "description": described.get("description") or "",
        "direction": f"esriGPParameterDirection{direction}",
        "defaultValue": None if default is None else shown(default, kind),
        "parameterType": f"esriGPParameterType{needed}",
        "category": "",
        **_bounds(schema, kind),
    }


def _bounds(schema: schemas.Schema, kind: str) -> dict[str, Json]:
    """What a value can be: one of a list, or between two numbers."""
    facts = schemas.merged(schema)
    if kind.startswith(MANY) and isinstance(facts.get("items"), dict):
        facts = schemas.merged(facts["items"])
    found: dict[str, Json] = {}
    if facts.get("enum"):
        found["choiceList"] = [each if isinstance(each, str) else shown(each, STRING) for each in facts["enum"]]
    if kind.removeprefix(MANY) in (WHOLE, NUMBER) and {"minimum", "maximum"} & set(facts):
        found["filter"] = {"type": "range", "minimum": facts.get("minimum"), "maximum": facts.get("maximum")}
    return found
