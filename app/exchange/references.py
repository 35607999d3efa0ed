"""References within a schema, `{"$ref": "#/$defs/band"}`, replaced by what they refer to.

Those that lead elsewhere, nowhere, or to what they are in themselves stay: nothing is said of such a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

Json = Any

DEEPEST = 8  # references within what references refer to
MOST = 2000  # schemas in a schema, those that were put in place of references counted each time
ONE, LISTED, NAMED = ("items", "additionalProperties", "not"), ("allOf", "anyOf", "oneOf"), ("properties",)


def resolved(schema: Json) -> Json:
    """A schema that holds what it refers to."""
    return _Resolving(schema).schema(schema, ("#",))


class _Resolving:
    def __init__(self, root: Json) -> None:
        self.root, self.count = root, 0

    def schema(self, schema: Json, within: tuple[str, ...]) -> Json:
        """A part of it. within: the references that it is in."""
        self.count += 1
        if not isinstance(schema, Mapping) or self.count > MOST:
            return schema
        reference = schema.get("$ref")
        if isinstance(reference, str):
            target = None if reference in within or len(within) > DEEPEST else self.target(reference)
            if not isinstance(target, Mapping):
                return schema
            beside = {name: value for name, value in schema.items() if name != "$ref"}
            return self.schema({**target, **beside}, (*within, reference))
        return {name: self.keyword(name, value, within) for name, value in schema.items()}

    def keyword(self, name: str, value: Json, within: tuple[str, ...]) -> Json:
        """The value of a keyword; what is no schema may have a member `$ref`, too."""
        if name in ONE:
            return self.schema(value, within)
        if name in LISTED and isinstance(value, list):
            return [self.schema(each, within) for each in value]
        if name in NAMED and isinstance(value, Mapping):
            return {member: self.schema(each, within) for member, each in value.items()}
        return value

    def target(self, reference: str) -> Json:
        """What a JSON Pointer leads to; None where that is nothing. RFC 6901, 6"""
        if reference == "#":
            return self.root
        found = self.root
        if not reference.startswith("#/"):
            return None
        for step in unquote(reference[2:]).split("/"):
            name = step.replace("~1", "/").replace("~0", "~")
            found = found.get(name) if isinstance(found, Mapping) else None
        return found
