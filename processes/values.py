"""Values on their way: JSON arguments into what a function's hints want, and what it returned back into JSON."""

from __future__ import annotations

import base64
import datetime
import enum
import json
import math
import typing
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from typing import Any, Literal

from geomill.processes import CRS84, BadInput, BBox, File
from geomill.processes.hints import ARRAYS, OBJECTS, UNIONS, alternatives, inputs, members, nullable, outputs, peel

TIMES = (datetime.datetime, datetime.date, datetime.time)
WRONG = (ValueError, TypeError, KeyError, AttributeError, OSError)  # what a conversion raises for another kind of value


def decode(function: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The keyword arguments of a call, from JSON values in which a file is {"$file": path, "type": media type}.

    Inputs that the function does not know are left out. Raises BadInput for a value that its hint cannot hold.
    """
    known = inputs(function)
    if known.everything == "inputs":
        return {"inputs": _unhinted(dict(arguments))}
    called = {}
    for name, value in arguments.items():
        if name in known.fields:
            try:
                called[name] = _into(known.fields[name].hint, value)
            except WRONG as error:
                raise BadInput(name, str(error)) from error
        elif known.everything == "**":
            called[name] = _unhinted(value)
    return called


def encode(function: Callable[..., Any], returned: Any) -> dict[str, Any]:
    """The outputs by id, as JSON values in which a file is a Path; an output that may be None and is, is left out.

    Raises TypeError, naming the output, for a missing or unknown one and for what JSON cannot express.
    """
    name = function.__name__
    known = outputs(function)
    if not known.fields and returned is not None:
        raise TypeError(f"{name}: a {type(returned).__name__} was returned, but the process has no outputs: hint it")
    given = {output: returned for output in known.fields}
    if known.several and known.fields:
        given = _outputs_given(name, known.fields, returned)
    elif known.several is None and isinstance(returned, Mapping) and set(returned) == set(given):
        given = dict(returned)
    encoded = {}
    for output, value in given.items():
        where = f"{name}: output {output!r}"
        hint = known.fields[output].hint
        if value is not None:
            encoded[output] = _file(plain(value, where), hint, where)
        elif not (nullable(hint) or hint is Any or not known.fields[output].required):
            raise TypeError(f"{where} is None")
    return encoded


def plain(value: Any, where: str) -> Any:
    """A value in JSON's own types, Paths apart. Raises TypeError, saying where, for what JSON cannot express."""
    if isinstance(value, enum.Enum):
        return plain(value.value, where)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float) and not math.isfinite(value):
        raise TypeError(f"{where} is {value}, which JSON cannot express")
    for kind in (int, float):
        if isinstance(value, kind):
            return kind(value)  # numpy.float64 is a float, and no longer one of numpy's here
    if isinstance(value, str):
        return _text(value, where)
    if isinstance(value, PurePath):
        return Path(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, TIMES):
        zoneless = isinstance(value, datetime.datetime) and value.tzinfo is None  # taken as UTC: a date-time has a zone
        return value.isoformat() + ("Z" if zoneless else "")
    return _plain_parts(value, where)


def _text(value: str, where: str) -> str:
    """Text that can be sent on: names of files may not be, where they are no UTF-8."""
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise TypeError(f"{where} holds {ascii(value)}, which is no text in Unicode") from None
    return str(value)


def _plain_parts(value: Any, where: str) -> Any:
    """What `plain` does with values that have parts, and with those of libraries, which are not imported here."""
    if isinstance(value, BBox):
        return {"bbox": plain(list(value.bbox), where), "crs": value.crs}
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"{where} has the key {key!r}, which is no text")
        return {_text(key, where): plain(inner, f"{where}.{key}") for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner, f"{where}[{index}]") for index, inner in enumerate(value)]
    if hasattr(type(value), "__dataclass_fields__"):
        return {name: plain(getattr(value, name), f"{where}.{name}") for name in type(value).__dataclass_fields__}
    if hasattr(type(value), "__geo_interface__"):  # a shapely geometry
        return plain(value.__geo_interface__, where)
    if callable(getattr(type(value), "tolist", None)):  # numpy's scalars and arrays
        listed = value.tolist()
        if type(listed) is not type(value):
            return plain(listed, where)
    raise TypeError(f"{where} is of type {type(value).__name__}, which JSON cannot express")


def _outputs_given(name: str, fields: Mapping[str, Any], returned: Any) -> dict[str, Any]:
    """The outputs in the dict that a function returned. Raises TypeError when they are not those it declares."""
    if not isinstance(returned, Mapping):
        raise TypeError(f"{name}: returned {type(returned).__name__} instead of a dict of its outputs")
    unknown = [str(output) for output in returned if output not in fields]
    missing = [output for output, field in fields.items() if field.required and output not in returned]
    for problem, found in (("unknown", unknown), ("missing", missing)):
        if found:
            raise TypeError(f"{name}: {problem} output {', '.join(map(repr, found))}")
    return {output: returned[output] for output in fields if output in returned}


def _file(value: Any, hint: Any, where: str) -> Any:
    """An encoded output, once more compared with its hint: text where a Path belongs would be taken for the content."""
    bases = [peel(branch)[0] for branch in alternatives(hint)]
    if bases == [Path] and not isinstance(value, Path):
        raise TypeError(f"{where} is no Path")
    return value


def _is_file(value: Any) -> bool:
    return isinstance(value, Mapping) and "$file" in value


def _unhinted(value: Any) -> Any:
    """A value for a function that says nothing about it: JSON, and Paths for files."""
    if _is_file(value):
        return Path(value["$file"])
    if isinstance(value, dict):
        return {name: _unhinted(inner) for name, inner in value.items()}
    return [_unhinted(inner) for inner in value] if isinstance(value, list) else value


def _into(hint: Any, value: Any) -> Any:
    """A JSON value as its hint wants it. Raises one of WRONG, or BadInput, for a value of another kind."""
    base, _ = peel(hint)
    origin, arguments = typing.get_origin(base), typing.get_args(base)
    if origin in UNIONS:
        return _into_one_of(hint, value)
    if base is Any or base is object:
        return _unhinted(value)
    if base in ARRAYS or origin in ARRAYS:
        items = value if isinstance(value, list) else [value]  # a single value of an input that may be given many times
        return [_into(arguments[0] if arguments else Any, item) for item in items]
    if base is tuple or origin is tuple:
        return _into_tuple(arguments, value)
    if base is Path:
        return _path(value)
    if base is bytes:
        return _path(value).read_bytes() if _is_file(value) else base64.b64decode(value, validate=True)
    if _is_file(value):
        text = _path(value).read_text(encoding="utf-8")
        return text if base is str else _into(hint, json.loads(text))
    return _into_object(base, origin, arguments, value)


def _into_object(base: Any, origin: Any, arguments: tuple[Any, ...], value: Any) -> Any:
    """What `_into` does with values that are neither files nor arrays."""
    if isinstance(base, type) and issubclass(base, enum.Enum):
        return base(value)
    if base in TIMES:
        return base.fromisoformat(_zoned(value))
    if base is BBox:
        given = value if isinstance(value, Mapping) else {"bbox": value}
        return BBox(tuple(given["bbox"]), given.get("crs", CRS84))
    fields = members(base)
    if fields is not None:
        made = {name: _into(field.hint, value[name]) for name, field in fields.items() if name in value}
        return base(**made) if hasattr(base, "__dataclass_fields__") else {**value, **made}
    if origin in OBJECTS and len(arguments) == 2:
        return {name: _into(arguments[1], inner) for name, inner in value.items()}
    if base is float and not isinstance(value, bool):
        return float(value)
    return int(value) if base is int and isinstance(value, float) and value.is_integer() else value


def _into_one_of(hint: Any, value: Any) -> Any:
    """The first branch of a union that can hold the value."""
    if value is None and nullable(hint):
        return None
    problem: Exception = ValueError("no alternative fits")
    for branch in sorted(alternatives(hint), key=lambda branch: not _fits(branch, value)):
        try:
            return _into(branch, value)
        except (*WRONG, BadInput) as error:
            problem = error
    raise ValueError(str(problem))


def _fits(hint: Any, value: Any) -> bool:
    """Whether a value is of the JSON type, and one of the constants, that a branch of a union asks for."""
    base, notes = peel(hint)
    origin = typing.get_origin(base) or base
    if origin is Literal:
        return value in typing.get_args(base)
    if isinstance(base, type) and issubclass(base, enum.Enum):
        return value in [member.value for member in base]
    if _is_file(value):
        return base in (Path, bytes) or any(isinstance(note, File) for note in notes)
    if isinstance(value, str):
        return base is str or base in TIMES
    if isinstance(value, bool) or base is bool:
        return base is bool and isinstance(value, bool)
    if isinstance(value, (int, float)):
        return base is type(value) or (base is float)
    if isinstance(value, list):
        return origin in ARRAYS or origin is tuple
    return origin in OBJECTS or base is BBox or set(members(base) or ()) >= set(value or ())


def _into_tuple(arguments: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    if not arguments or arguments[-1] is Ellipsis:
        return tuple(_into(arguments[0] if arguments else Any, item) for item in value)
    if len(arguments) != len(value):
        raise ValueError(f"{len(value)} values instead of {len(arguments)}")
    return tuple(_into(kind, item) for kind, item in zip(arguments, value))  # noqa: B905  Python 3.9


def _path(value: Any) -> Path:
    if not _is_file(value):
        raise ValueError("is not a file")
    return Path(value["$file"])


def _zoned(text: str) -> str:
    """A time that `fromisoformat` of every Python reads: older ones know no Z."""
    return text[:-1] + "+00:00" if text[-1:] in "Zz" and text else text
