"""An OGC process description, made of a function's hints, defaults and docstring.

Schemas are written in the dialect of OGC 18-062r2, schema.yaml (OpenAPI 3.0): one `type`, `nullable`, boolean
`exclusiveMinimum`, no `const`, `$ref` or `examples`.
"""

from __future__ import annotations

import copy
import datetime
import enum
import inspect
import re
import typing
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal, TypedDict

from geomill.processes import CRS84, About, BBox, File, hints
from geomill.processes.hints import ARRAYS, EMPTY, OBJECTS, UNIONS, Field, alternatives, members, nullable, peel
from geomill.processes.values import plain

Json = dict[str, Any]

PLAIN: dict[Any, Json] = {
    Any: {},
    object: {},
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    datetime.date: {"type": "string", "format": "date"},
    datetime.datetime: {"type": "string", "format": "date-time"},
    datetime.time: {"type": "string", "format": "time"},
}
BBOX: Json = {
    "type": "object",
    "format": "ogc-bbox",
    "required": ["bbox"],
    "properties": {
        "bbox": {
            "type": "array",
            "oneOf": [{"minItems": 4, "maxItems": 4}, {"minItems": 6, "maxItems": 6}],
            "items": {"type": "number"},
        },
        "crs": {"type": "string", "format": "uri", "default": CRS84},
    },
}
BBOX_SCHEMA: Json = {"allOf": [BBOX]}
KEYWORDS = frozenset(
    "title multipleOf maximum exclusiveMaximum minimum exclusiveMinimum maxLength minLength pattern maxItems minItems "
    "uniqueItems maxProperties minProperties required enum type not allOf oneOf anyOf items properties "
    "additionalProperties description format default nullable readOnly writeOnly example deprecated contentMediaType "
    "contentEncoding contentSchema".split()
)


class Described(TypedDict):
    """A process as it is listed and run."""

    description: Json
    function: str
    template: str | None
    cpus: float
    memory: int | None
    max_running: int | None
    time_limit: float | None
    network: str
    cpu_limit: float | None
    max_processes: int | None
    max_files: int | None
    max_work: int | None
    max_work_files: int | None
    max_output: int | None


def describe(function: Callable[..., Any]) -> Described:
    """Describe a process. Raises TypeError, naming the parameter and its hint, for what cannot be described."""
    told = hints.declaration(function)
    return Described(
        description=_description(function),
        function=function.__name__,
        template=told.template,
        cpus=float(told.cpus),
        memory=typing.cast("int | None", told.memory),  # in bytes by now, as every size
        max_running=told.max_running,
        time_limit=told.time_limit,
        network=told.network,
        cpu_limit=told.cpu_limit,
        max_processes=told.max_processes,
        max_files=told.max_files,
        max_work=typing.cast("int | None", told.max_work),
        max_work_files=told.max_work_files,
        max_output=typing.cast("int | None", told.max_output),
    )


def _description(function: Callable[..., Any]) -> Json:
    told = hints.declaration(function)
    title, _, text = inspect.cleandoc(function.__doc__ or "").partition("\n")
    made: Json = {
        "id": told.id or function.__name__.strip("_").replace("_", "-"),
        "title": told.title or re.sub(r"(?<!\.)\.$", "", title.strip()),
        "description": text.strip(),
        "version": told.version,
        "keywords": list(told.keywords),
        "metadata": [dict(entry) for entry in told.metadata],
    }
    made = {name: value for name, value in made.items() if value}
    made["jobControlOptions"] = list(told.job_control)
    made["outputTransmission"] = ["value", "reference"]
    replaced = dict(told.description or {})
    for name, derive in (("inputs", _inputs), ("outputs", _outputs)):
        made[name] = replaced[name] if name in replaced else derive(function)
    made.update(replaced)
    if not isinstance(made["id"], str) or not valid_id(made["id"]):
        raise TypeError(f"{function.__name__}: {made['id']!r} cannot be the id of a process")
    if not isinstance(made.get("version"), str):
        raise TypeError(f"{function.__name__}: the version {made.get('version')!r} is no text")
    return made


def valid_id(text: str) -> bool:
    """Whether this can be the id of a process: it stands in addresses as it is."""
    return re.fullmatch(r"(?!\.+$)[\w.:~-]+", text) is not None


def _inputs(function: Callable[..., Any]) -> Json:
    fields = hints.inputs(function).fields
    return {name: _described(field, f"{function.__name__}: parameter {name!r}") for name, field in fields.items()}


def _outputs(function: Callable[..., Any]) -> Json:
    fields = hints.outputs(function).fields
    return {
        name: _described(field._replace(required=True), f"{function.__name__}: output {name!r}")
        for name, field in fields.items()
    }


def _described(field: Field, where: str) -> Json:
    """An input or output: words and occurrences beside the schema."""
    hint = field.hint
    notes = _notes(hint)
    made: Json = {} if field.required else {"minOccurs": 0}
    for note in notes:
        made |= note.occurs
    if made.get("maxOccurs", 1) != 1:
        hint = _item(hint)
    try:
        schema = schema_of(hint, where, _media(notes))
        if hint is not field.hint:  # what was said about the list of values was meant for each
            for note in notes:
                schema.update(copy.deepcopy(note.schema))
            schema = _in_dialect(schema, where)
    except RecursionError:
        raise TypeError(f"{where}: {_name(hint)} contains itself, which cannot be described") from None
    default = None if field.default is EMPTY else _default(field.default)
    if default is not None and made.get("maxOccurs", 1) == 1:  # a schema is of one value
        schema["default"] = default
    return {**_words(notes), **made, "schema": schema}


def schema_of(hint: Any, where: str, media: tuple[str, ...] = ()) -> Json:
    """The JSON Schema of a hint; media: the types of the files that it holds. Raises TypeError, which says where."""
    base, notes = peel(hint)
    schema = _unnoted(base, where, _media(notes) or media)
    for note in notes:
        schema.update(copy.deepcopy(note.schema))
    return _in_dialect(schema, where)


def _unnoted(base: Any, where: str, media: tuple[str, ...]) -> Json:
    """The schema of a hint without what was said about it."""
    origin, arguments = typing.get_origin(base), typing.get_args(base)
    if base in (Path, bytes) or (base is str and media):
        return _content(base, media)
    if base in PLAIN:
        return dict(PLAIN[base])
    if base is BBox:
        return copy.deepcopy(BBOX_SCHEMA)
    if origin is Literal:
        return _enumeration(arguments, where)
    if isinstance(base, type) and issubclass(base, enum.Enum):
        return _enumeration(list(base), where)
    if origin in UNIONS:
        return _union(base, where, media)
    if base in ARRAYS or origin in ARRAYS:
        return {"type": "array", "items": _inner(arguments[0], where, media) if arguments else {}}
    if base is tuple or origin is tuple:
        return _tuple(arguments, where, media)
    if base in OBJECTS or origin in OBJECTS:
        values = _inner(arguments[1], where, media) if len(arguments) == 2 else {}
        return {"type": "object", "additionalProperties": values} if values else {"type": "object"}
    fields = members(base)
    if fields is None:
        raise TypeError(f"{where}: the hint {_name(base)} cannot be described")
    return _record(fields, where)


def _inner(hint: Any, where: str, media: tuple[str, ...] = ()) -> Json:
    """The schema of a part, with the words about it."""
    return {**_words(peel(hint)[1]), **schema_of(hint, where, media)}


def _content(base: Any, media: tuple[str, ...]) -> Json:
    """The schema of a file (Path), of binary content (bytes) or of text of a media type."""
    encoding = {Path: {"contentEncoding": "binary"}, bytes: {"contentEncoding": "base64"}}.get(base, {})
    schemas: list[Json] = [{"type": "string", **encoding, "contentMediaType": kind} for kind in media]
    if not schemas:
        other = {"contentMediaType": "application/octet-stream"} if base is Path else {}
        schemas = [{"type": "string", **encoding, **other}]
    return schemas[0] if len(schemas) == 1 else {"oneOf": schemas}


def _enumeration(values: Iterable[Any], where: str) -> Json:
    constants = [plain(value, where) for value in values]
    words = {str: "string", bool: "boolean", int: "integer", float: "number"}
    kinds = {words.get(type(constant)) for constant in constants if constant is not None}
    schema: Json = {"type": kind} if len(kinds) == 1 and (kind := next(iter(kinds))) else {}
    if kinds == {"integer", "number"}:
        schema = {"type": "number"}
    schema["enum"] = [constant for constant in constants if constant is not None]
    return {**schema, "nullable": True} if None in constants else schema


def _union(base: Any, where: str, media: tuple[str, ...]) -> Json:
    """`oneOf`, as the standard has it; `anyOf` where a value may fit two branches, which `oneOf` refuses."""
    kinds = alternatives(base)
    if int in kinds and float in kinds:
        kinds.remove(int)
    if len(kinds) == 1:
        schema = schema_of(kinds[0], where, media)
    else:
        branches = [_inner(kind, where, media) for kind in kinds]
        types = ["number" if branch.get("type") == "integer" else branch.get("type") for branch in branches]
        files = [branch.get("contentMediaType") for branch in branches]
        apart = any(None not in told and len(set(told)) == len(told) for told in (types, files))
        schema = {"oneOf" if apart else "anyOf": branches}
    return {**schema, "nullable": True} if nullable(base) else schema


def _tuple(arguments: tuple[Any, ...], where: str, media: tuple[str, ...]) -> Json:
    if not arguments:
        return {"type": "array", "items": {}}
    items = _inner(arguments[0], where, media)
    if arguments[-1] is Ellipsis:
        return {"type": "array", "items": items}
    if len(set(arguments)) > 1:
        items = _union(typing.Union[arguments], where, media)  # noqa: UP007  made of a tuple
    return {"type": "array", "items": items, "minItems": len(arguments), "maxItems": len(arguments)}


def _record(fields: dict[str, Field], where: str) -> Json:
    """The schema of a TypedDict or dataclass."""
    schema: Json = {"type": "object", "properties": {}}
    for name, field in fields.items():
        schema["properties"][name] = _inner(field.hint, f"{where}, {name!r}")
        default = None if field.default is EMPTY else _default(field.default)
        if default is not None:
            schema["properties"][name]["default"] = default
    required = [name for name, field in fields.items() if field.required]
    return {**schema, "required": required} if required else schema


def _in_dialect(schema: Json, where: str) -> Json:
    """The schema in the dialect of the standard. Raises TypeError for a keyword that it does not have."""
    if "const" in schema:
        schema["enum"] = [schema.pop("const")]
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if exclusive in schema and not isinstance(schema[exclusive], bool):
            schema.update({bound: schema[exclusive], exclusive: True})
    unknown = [name for name in schema if name not in KEYWORDS]
    if unknown or not isinstance(schema.get("type", ""), str):
        raise TypeError(f"{where}: {unknown[0] if unknown else 'a list as type'} is not in the standard's JSON Schema")
    inner = [part for name in ("allOf", "oneOf", "anyOf") for part in schema.get(name, ())]
    inner += [schema[name] for name in ("items", "not", "additionalProperties") if isinstance(schema.get(name), dict)]
    for part in [*inner, *schema.get("properties", {}).values()]:
        _in_dialect(part, where)
    return schema


def _notes(hint: Any) -> list[About]:
    """What was said about a hint, also inside Optional[Annotated[...]]."""
    base, notes = peel(hint)
    kinds = alternatives(base)
    return (peel(kinds[0])[1] if len(kinds) == 1 and kinds[0] is not base else []) + notes


def _media(notes: list[About]) -> tuple[str, ...]:
    return next((note.media_types for note in reversed(notes) if isinstance(note, File)), ())


def _words(notes: list[About]) -> Json:
    words = {"title": "", "description": ""}
    for note in notes:
        words.update({name: text for name, text in (("title", note.title), ("description", note.description)) if text})
    return {name: text for name, text in words.items() if text}


def _item(hint: Any) -> Any:
    base, _ = peel(hint)
    return typing.get_args(base)[0] if typing.get_origin(base) in ARRAYS else hint


def _default(value: Any) -> Any:
    """A default as JSON; None for one that JSON cannot express, which a client then need not know."""
    try:
        made = plain(value, "default")
    except TypeError:
        return None
    return None if isinstance(made, Path) else made


def _name(hint: Any) -> str:
    return getattr(hint, "__name__", None) or str(hint)
