"""Schemas of process descriptions: read for what they declare, and made validators of.

They are in the dialect of OpenAPI 3.0 (schema.yaml of OGC 18-062r2); a validator wants JSON Schema draft 4.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

from .explain import explain
from .formats import STRUCTURES, TEXT_FORMATS, short_code

if TYPE_CHECKING:
    from jsonschema_rs import Draft4Validator

Json = Any
Schema = Mapping[str, Any]

ALTERNATIVES = ("oneOf", "anyOf")
# say nothing about a value in JSON, or are checked apart from it
NOT_CHECKED = {
    *("title", "description", "default", "example", "examples", "deprecated", "readOnly", "writeOnly", "xml"),
    *("externalDocs", "discriminator", "$schema", "$id", "$ref", "id"),
    *("contentEncoding", "contentMediaType", "contentSchema", "nullable", "const"),
    # draft 4 knows nothing of them, and yet the validator follows the references in them
    *("if", "then", "else", "contains", "propertyNames", "prefixItems", "dependentSchemas", "$defs", "$anchor"),
    *("unevaluatedItems", "unevaluatedProperties", "$dynamicRef", "$recursiveRef"),
}
MOST_BACKTRACKING = 10_000  # steps of a pattern; without a limit one text takes a millisecond, and a body has many
ANNOTATIONS = {"title", "description", "default", "example", "deprecated"}


def branches(schema: Schema) -> list[Schema]:
    """The alternatives a value may choose from, each complete; a schema without any is the only one."""
    for keyword in ALTERNATIVES:
        if schema.get(keyword):
            around = {name: value for name, value in schema.items() if name != keyword and name not in ANNOTATIONS}
            return [part for branch in schema[keyword] for part in branches({**around, **branch})]
    return [schema]


def merged(schema: Schema) -> dict[str, Any]:
    """A schema with the members of its `allOf` in one place; what it says of itself counts more than what they say."""
    result = {name: value for name, value in schema.items() if name != "allOf"}
    for part in schema.get("allOf", ()):
        for name, value in merged(part).items():
            if name == "properties":
                value = {**result.get("properties", {}), **value}
            elif name == "required":
                value = list(dict.fromkeys([*result.get("required", ()), *value]))
            if name not in ANNOTATIONS or name not in result:
                result[name] = value
    return result


def is_file(schema: Schema) -> bool:
    """Whether a branch stands for the content of a file rather than for a JSON value."""
    facts = merged(schema)
    if facts.get("type", "string") != "string":
        return False
    return "contentMediaType" in facts or "contentEncoding" in facts or short_code(facts) in ("binary", "byte", "file")


def is_base64(schema: Schema) -> bool:
    """Whether the content of a file is written in base64 when it stands in a JSON document."""
    facts = merged(schema)
    encoding = str(facts.get("contentEncoding", "")).lower()
    return encoding in ("binary", "base64", "base64url") or short_code(facts) in ("binary", "byte", "file")


def is_bbox(schema: Schema) -> bool:
    """Whether a branch is a bounding box of the standard."""
    return short_code(merged(schema)) == "ogc-bbox"


def is_directory(schema: Schema) -> bool:
    """Whether a branch stands for a directory, which only its runner knows how to fetch."""
    return short_code(merged(schema)) == "directory"


def is_null(schema: Json) -> bool:
    """Whether null is the only value."""
    known = isinstance(schema, Mapping)
    return known and (schema.get("type") in ("null", ["null"]) or schema.get("enum") == [None])


def may_be(schema: Schema, type_: str) -> bool:
    """Whether a branch allows values of a JSON type."""
    declared = merged(schema).get("type", type_)
    return type_ in declared if isinstance(declared, list) else bool(declared == type_)


def declares(schema: Schema, member: str) -> bool:
    """Whether any branch describes a member of this name."""
    return any(member in merged(branch).get("properties", {}) for branch in branches(schema))


def is_valid(schema: Schema, value: Json) -> bool:
    """Whether a value fits. Of several alternatives one is enough, even where the schema says oneOf."""
    return _validator(schema).is_valid(value)


def find_problem(schema: Schema, value: Json) -> tuple[str, str] | None:
    """The place in a value that is wrong (`bbox[2]`, empty for the value itself) and what is; None if it fits."""
    from jsonschema_rs import ValidationError

    try:
        _validator(schema).validate(value)
    except ValidationError as error:
        return explain(error)
    return None


def compile_schema(schema: Schema) -> None:
    """Raise ValueError for a schema that no value can be checked against."""
    try:
        _validator(schema)
    except (AttributeError, TypeError, RecursionError) as error:
        raise ValueError(f"a keyword has a value of the wrong kind: {error}") from error


def _validator(schema: Schema) -> Draft4Validator:
    return _compiled(json.dumps(schema, sort_keys=True))


@lru_cache(maxsize=1024)
def _compiled(schema: str) -> Draft4Validator:
    from jsonschema_rs import Draft4Validator, FancyRegexOptions  # 40 ms: not for those who only pass by

    return Draft4Validator(
        draft4(json.loads(schema)),
        formats=TEXT_FORMATS,
        validate_formats=True,
        mask="the value",
        retriever=_refuse,
        pattern_options=FancyRegexOptions(backtrack_limit=MOST_BACKTRACKING),
    )


def _refuse(uri: str) -> NoReturn:
    """What the validator would fetch by itself, past the guard, from any host and any file."""
    raise ValueError(f"a schema has to be complete; {uri} is not fetched")


def draft4(schema: Json) -> Json:
    """A schema in draft 4 that accepts what a process accepts: oneOf as anyOf, references left out."""
    if not isinstance(schema, dict):
        return {"not": {}} if schema is False else {}
    result = {name: _keyword(name, value) for name, value in schema.items() if name not in NOT_CHECKED}
    result = {name: value for name, value in result.items() if value != [] or name == "items"}
    for bound, strict in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if strict in result and not isinstance(result[strict], bool):  # a number since draft 6
            result[bound], result[strict] = result[strict], True
        elif bound not in result:
            result.pop(strict, None)
    if "const" in schema:
        result["enum"] = [schema["const"]]
    both = [{"anyOf": result.pop(keyword)} for keyword in ALTERNATIVES if keyword in result]
    structure = STRUCTURES.get(short_code(result))
    added = [*both, *([structure] if structure else [])]
    if added:
        result["allOf"] = [*result.get("allOf", []), *added]
    return _nullable(result) if schema.get("nullable") is True else result


def _keyword(name: str, value: Json) -> Json:
    """The value of a keyword, schemas inside it translated."""
    if name == "dependencies":
        return {member: inner if isinstance(inner, list) else draft4(inner) for member, inner in value.items()}
    if name in ("properties", "patternProperties", "definitions"):
        return {member: draft4(inner) for member, inner in value.items()}
    if name in ("allOf", *ALTERNATIVES):
        return [draft4(inner) for inner in value]
    if name in ("not", "items") or (name.startswith("additional") and isinstance(value, dict)):
        return [draft4(inner) for inner in value] if isinstance(value, list) else draft4(value)
    return value


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}
