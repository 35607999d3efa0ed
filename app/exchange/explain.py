"""What a validator found, as the end of a sentence that begins with the place: `must be a number, not "x"`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .wording import listed, shown

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError

ARTICLES = {"integer": "an integer", "object": "an object", "array": "an array", "null": "null"}
EXAMPLES = {
    "date-time": "a date and time such as 2024-05-01T12:00:00Z",
    "date": "a date such as 2024-05-01",
    "time": "a time such as 12:00:00Z",
    "duration": "a duration such as P1DT12H",
    "uri": "a URI such as https://example.org/item",
    "url": "a URL such as https://example.org/item",
    "email": "an email address",
    "uuid": "a UUID",
    "byte": "base64",
}


# what a keyword demands, to follow "must"
DEMANDS = {
    "minimum": "be at least {}",
    "maximum": "be at most {}",
    "exclusiveMinimum": "be more than {}",
    "exclusiveMaximum": "be less than {}",
    "multipleOf": "be a multiple of {}",
    "minLength": "be at least {} characters long",
    "maxLength": "be at most {} characters long",
    "minItems": "have at least {} items",
    "maxItems": "have at most {} items",
    "minProperties": "have at least {} members",
    "maxProperties": "have at most {} members",
    "uniqueItems": "have no item twice",
    "pattern": "match the pattern {}",
}


def explain(error: ValidationError) -> tuple[str, str]:
    """The place of an error, relative to the value (`bbox[2]`), and what is wrong there."""
    error = _telling(error)
    types = _all_types(error)
    if types:
        if not error.instance_path:  # a null here counts as not given
            types = [type_ for type_ in types if type_ != "null"] or types
        wanted = listed(dict.fromkeys(map(_article, types)))
        return place(error.instance_path), f"must be {wanted}, not {shown(error.instance)}"
    return place(error.instance_path), _sentence(error)


def place(path: Sequence[str | int]) -> str:
    """A path into a value, written as `features[0].geometry`."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(steps).removeprefix(".")


def _telling(error: ValidationError) -> ValidationError:
    """The error that tells most: of alternatives, the one in the branch that was meant."""
    contexts: list[list[ValidationError]] = getattr(error.kind, "context", None) or []
    depth = len(error.instance_path)
    found = [branch[0] for branch in contexts if branch and not _wrong_type_at(branch, depth)]
    if not found or all(_lengths(branch[0]) for branch in contexts if branch):
        return error
    return _telling(max(found, key=lambda inner: (len(inner.instance_path), not _wrong_choice(inner))))


def _wrong_type_at(branch: list[ValidationError], depth: int) -> bool:
    """Whether a branch was not meant: the value itself has another type."""
    return any(error.kind.name == "type" and len(error.instance_path) == depth for error in branch)


def _wrong_choice(error: ValidationError) -> bool:
    return error.kind.name == "enum"


def _lengths(error: ValidationError) -> bool:
    return error.kind.name in ("minItems", "maxItems")


def _all_types(error: ValidationError) -> list[str]:
    """The types that would do, when the type is all that is wrong."""
    if error.kind.name == "type":
        return list(getattr(error.kind, "types", []))
    contexts: list[list[ValidationError]] = getattr(error.kind, "context", None) or []
    firsts = [_all_types(branch[0]) for branch in contexts if branch]
    return [type_ for types in firsts for type_ in types] if firsts and all(firsts) else []


def _article(type_: str) -> str:
    return ARTICLES.get(type_, f"a {type_}")


def _sentence(error: ValidationError) -> str:
    """What one failed keyword asks for, and what was given."""
    name, value, given = error.kind.name, error.kind.value, error.instance
    if name == "required":
        return f'lacks the member "{getattr(error.kind, "property", value)}"'
    if name == "falseSchema":
        return "has a member that is not described"
    if name == "additionalProperties":
        names = [f'"{unexpected}"' for unexpected in getattr(error.kind, "unexpected", [])]
        return f"has {listed(names, 'and') or 'a member'}, which is not described"
    if name == "anyOf" and isinstance(given, list):
        lengths = dict.fromkeys(branch[0].kind.value for branch in getattr(error.kind, "context", []) if branch)
        return f"must have {listed(lengths)} items, not {len(given)}"
    if name == "enum":
        return f"must be {listed(map(shown, value if isinstance(value, list) else [value]))}, not {shown(given)}"
    if name == "format":
        return f"must be {EXAMPLES.get(str(value), f'of the format {value}')}, not {shown(given)}"
    demand = DEMANDS.get(name, f"fit the keyword {name} of its schema")
    return f"must {demand.format(value)}, not {shown(given)}".replace(" 1 items", " 1 item")
