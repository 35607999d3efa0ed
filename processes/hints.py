"""What a function's hints say: its inputs and outputs, before any schema is made of them."""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Annotated, Any, NamedTuple, Union

from geomill.processes import MARK, About, Declaration, Fetch, Progress

EMPTY: Any = inspect.Parameter.empty
UNIONS = (Union, getattr(types, "UnionType", Union))  # X | Y came with Python 3.10
ARRAYS = (list, Sequence)
OBJECTS = (dict, Mapping, MutableMapping)
RESULT = "result"  # the id of the output when there is but one


class Field(NamedTuple):
    """An input, an output or a member of an object."""

    hint: Any
    required: bool = True
    default: Any = EMPTY


class Inputs(NamedTuple):
    """The inputs of a function; everything: it takes whatever comes, "inputs" in one parameter, "**" as keywords."""

    fields: dict[str, Field]
    everything: str | None = None


class Outputs(NamedTuple):
    """The outputs of a function; several: it returns a dict of them; False: the only value; None: either."""

    fields: dict[str, Field]
    several: bool | None = False


def declaration(function: Callable[..., Any]) -> Declaration:
    """What `@process` was told about a function."""
    told = getattr(function, MARK)
    assert isinstance(told, Declaration)
    return told


def peel(hint: Any) -> tuple[Any, list[About]]:
    """The hint itself, and what was said about it, the outermost last."""
    notes: list[About] = []
    while True:
        if typing.get_origin(hint) is Annotated:
            notes[:0] = [note for note in hint.__metadata__ if isinstance(note, About)]
            hint = hint.__origin__
        elif _form(hint) in ("Required", "NotRequired", "ReadOnly"):
            hint = typing.get_args(hint)[0]
        elif hasattr(hint, "__supertype__"):  # NewType
            hint = hint.__supertype__
        elif type(hint).__name__ == "TypeAliasType":
            hint = hint.__value__
        else:
            return (type(None) if hint is None else hint), notes


def alternatives(hint: Any) -> list[Any]:
    """The branches of a union without None; a hint that is no union is the only one."""
    base, _ = peel(hint)
    branches = list(typing.get_args(base)) if typing.get_origin(base) in UNIONS else [hint]
    return [branch for branch in branches if branch is not type(None)]


def nullable(hint: Any) -> bool:
    """Whether None is one of the values."""
    base, _ = peel(hint)
    return typing.get_origin(base) in UNIONS and type(None) in typing.get_args(base)


def is_typed_dict(hint: Any) -> bool:
    """Whether a hint is a TypedDict, of typing or typing_extensions."""
    return isinstance(hint, type) and hasattr(hint, "__required_keys__") and hasattr(hint, "__total__")


def members(hint: Any) -> dict[str, Field] | None:
    """The members of a TypedDict or dataclass; None for anything else."""
    if is_typed_dict(hint):
        return {
            name: Field(inner, _form(inner) == "Required" or (name in hint.__required_keys__ and not _optional(inner)))
            for name, inner in resolved(hint).items()
        }
    if isinstance(hint, type) and hasattr(hint, "__dataclass_fields__"):
        kinds = resolved(hint)
        return {name: _field(kinds[name], field) for name, field in hint.__dataclass_fields__.items() if field.init}
    return None


def inputs(function: Callable[..., Any]) -> Inputs:
    """The inputs of a process. Raises TypeError for a signature that cannot be described."""
    parameters = inspect.signature(function).parameters.values()
    hints = resolved(function)
    helpers = injected(function)
    free = "inputs" in (declaration(function).description or {})
    fields: dict[str, Field] = {}
    everything = None
    for parameter in parameters:
        where = f"{function.__name__}: parameter {parameter.name!r}"
        if parameter.kind is parameter.VAR_KEYWORD and free:
            everything = "**"
        elif parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"{where} cannot be given by name")
        elif parameter.name not in helpers:
            if parameter.name not in hints and not free:
                raise TypeError(f"{where} has no hint")
            hint = hints.get(parameter.name, Any)
            fields[parameter.name] = Field(hint, parameter.default is EMPTY, parameter.default)
    if free and everything is None and list(fields) == ["inputs"]:
        everything = "inputs"
    return Inputs(fields, everything)


def outputs(function: Callable[..., Any]) -> Outputs:
    """The outputs of a process: the fields of a TypedDict, one named "result" for any other hint, none for None."""
    declared = (declaration(function).description or {}).get("outputs")
    if declared is not None:
        return Outputs({name: Field(Any, False) for name in declared}, several=None if len(declared) == 1 else True)
    hint = resolved(function).get("return")
    if hint in (None, type(None)):
        return Outputs({})
    if is_typed_dict(hint):  # not in Annotated[..., About()]: that is one object
        return Outputs(members(hint) or {}, several=True)
    return Outputs({RESULT: Field(hint)})


def injected(function: Callable[..., Any]) -> dict[str, type[Progress] | type[Fetch]]:
    """The parameters that are no inputs, by name: Progress or Fetch."""
    found: dict[str, type[Progress] | type[Fetch]] = {}
    for name, hint in resolved(function).items():
        branches = alternatives(hint)
        if len(branches) == 1 and branches[0] in (Progress, Fetch):
            found[name] = branches[0]
    return found


@functools.cache
def resolved(owner: Any) -> dict[str, Any]:
    """The hints of a function or class, those written as text included. Raises TypeError for an unknown name."""
    try:
        return typing.get_type_hints(owner, include_extras=True)
    except (NameError, TypeError) as error:
        raise TypeError(f"{owner.__name__}: a hint cannot be read: {error}") from error


def _form(hint: Any) -> str:
    """The name of a special form such as NotRequired, which is in typing or in typing_extensions."""
    return str(getattr(typing.get_origin(hint), "_name", ""))


def _optional(hint: Any) -> bool:
    return _form(hint) == "NotRequired" or (typing.get_origin(hint) is Annotated and _optional(hint.__origin__))


def _field(hint: Any, field: Any) -> Field:
    """A member of a dataclass; dataclasses itself is slow to import, so its mark for "none" is known by its name."""
    fixed, made = (
        type(value).__name__ != "_MISSING_TYPE" for value in (field.default, field.default_factory)
    )
    return Field(hint, not (fixed or made), field.default if fixed else EMPTY)
