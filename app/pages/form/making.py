"""From a JSON Schema to the field that shows its values. Whatever no field serves is written in JSON.

Schemas are those of descriptions: JSON Schema as OpenAPI 3.0 has it, and what later drafts say the same with.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from geomill.app.exchange import schema as schemas
from geomill.app.exchange.formats import short_code
from geomill.app.exchange.references import resolved
from geomill.app.exchange.values import described_type
from geomill.app.pages.form.compound import Group, Pairs, Rows, Variants
from geomill.app.pages.form.entries import MISSING
from geomill.app.pages.form.fields import LONG, Choice, Field, Flag, Number, Text, Ticks, Written
from geomill.app.pages.form.special import Box, Document, File, Qualified
from geomill.app.pages.form.wording import counted, phrase

Schema = Mapping[str, Any]
DEEPEST = 6  # levels of a form
MOST_FIELDS = 200  # of one input
MOST_VARIANTS = 12
DOCUMENTS = ("geojson-", "stac-")
NULL: Schema = {"type": "null"}
QUALIFIED = {"value", "encoding", "mediaType"}


def field_of(schema: Any, required: bool = True) -> Field:
    """The field of a schema; any schema has one."""
    return _Making().field(schema, required, 0)


def input_field(name: str, described: Mapping[str, Any]) -> Field:
    """The field of an input: of several values where its maxOccurs allows more than one."""
    schema = resolved(described.get("schema"))
    most, least = described.get("maxOccurs", 1), described.get("minOccurs", 1)
    required = least != 0 and not (isinstance(schema, Mapping) and "default" in schema)
    one = _Making().field(schema, required or most != 1, 0)
    told = [described.get("title") or one.title or name, described.get("description") or one.help]
    title, text = (each if isinstance(each, str) else "" for each in told)
    if most == 1:
        return _qualified(replace(one, title=title, help=text))
    least = least if isinstance(least, int) else 1
    item = _qualified(replace(one, title="", help="", required=True))
    most = most if isinstance(most, int) else None
    words = f"{counted(least, most, 'value', 'values')}; {one.words}"
    return Rows(title, text, words, required, item=item, least=least, most=most)


def _qualified(one: Field) -> Field:
    """A field whose value may be an object, wrapped as the standard wants it of an input."""
    wrapped = isinstance(one, Group | Pairs | Variants | Document) or type(one) is Written
    if not wrapped:
        return one
    return Qualified(one.title, one.help, one.words, one.required, one.nullable, one.default, inner=one)


class _Making:
    """Makes the fields of one input, as long as they are not too many."""

    def __init__(self) -> None:
        self.count = 0

    def field(self, schema: Any, required: bool, depth: int) -> Field:
        """The field of a schema."""
        self.count += 1
        facts: Schema = schema if isinstance(schema, Mapping) else {}
        made: Field = Written()
        with suppress(TypeError, ValueError, KeyError, AttributeError, IndexError, RecursionError):
            facts = schemas.merged(facts)
            made = self._of(facts, depth)  # if no keyword has a value of the wrong kind
        title, text, default = facts.get("title"), facts.get("description"), facts.get("default", MISSING)
        return replace(
            made,
            title=title if isinstance(title, str) else "",
            help=text if isinstance(text, str) else "",
            words=made.words or ("" if isinstance(made, Group) else phrase(facts)),
            required=required,
            nullable=_nullable(facts),
            default=default,
        )

    def _of(self, facts: Schema, depth: int) -> Field:
        """facts: of a schema, merged."""
        if "$ref" in facts or depth > DEEPEST or self.count > MOST_FIELDS:
            return Written()
        code = short_code(facts)
        if code == "ogc-bbox":
            return Box()
        if code.startswith(DOCUMENTS):
            return Document(draw=code in ("geojson-geometry", "geojson-feature"))
        if schemas.is_directory(facts):
            return File(folder=True)
        branches = [each for each in schemas.branches(facts) if not schemas.is_null(each)]
        if branches and all(isinstance(each, Mapping) for each in branches):
            if all(map(schemas.is_file, branches)) or _are_links(branches):
                return File(media_types=tuple(kind for each in branches if (kind := described_type(each))))
        if len(branches) > 1:
            return self._variants(branches, depth) if len(branches) <= MOST_VARIANTS else Written()
        return self._one(schemas.merged(branches[0]) if branches else NULL, depth)

    def _variants(self, branches: list[Schema], depth: int) -> Field:
        options = []
        for number, branch in enumerate(branches):
            part = self.field(branch, True, depth + 1)
            label = part.title or phrase(branch) or f"shape {number + 1}"
            words = "" if part.words == label else part.words
            options.append((label, replace(part, title=label, words=words, default=MISSING), dict(branch)))
        return Variants(options=tuple(options))

    def _one(self, facts: Schema, depth: int) -> Field:
        """The field of a schema without alternatives."""
        if "const" in facts or facts.get("enum"):
            options = [facts["const"]] if "const" in facts else facts["enum"]
            return Choice(options=tuple(each for each in options if each is not None) or (None,))
        types = _types(facts)
        if len(types) > 1:
            return self._variants([{**facts, "type": kind} for kind in types], depth)
        match types:
            case ["string"]:
                return Text(format=str(facts.get("format", "")), long=facts.get("maxLength", 0) > LONG)
            case ["integer" | "number" as kind]:
                step = facts.get("multipleOf") or (1 if kind == "integer" else None)
                return Number(step=step, low=facts.get("minimum"), high=facts.get("maximum"))
            case ["boolean"]:
                return Flag()
            case ["array"]:
                return self._rows(facts, depth)
            case ["object"]:
                return self._group(facts, depth)
        return Written()

    def _rows(self, facts: Schema, depth: int) -> Field:
        items = facts.get("items")
        if not isinstance(items, Mapping) or "prefixItems" in facts:
            return Written()
        item = self.field(items, True, depth + 1)
        if facts.get("uniqueItems") is True and isinstance(item, Choice) and not item.nullable and not item.fixed:
            return Ticks(options=item.options)
        least, most = facts.get("minItems", 0), facts.get("maxItems")
        return Rows(item=item, least=int(least), most=int(most) if most is not None else None)

    def _group(self, facts: Schema, depth: int) -> Field:
        members = facts.get("properties") or {}
        values = facts.get("additionalProperties")
        if not members and isinstance(values, Mapping) and _types(values):
            return Pairs(item=self.field(values, True, depth + 1))
        if not members:
            return Written() if not short_code(facts) else Document()
        required = facts.get("required") or ()
        return Group(members={m: self._member(m, each, m in required, depth) for m, each in members.items()})

    def _member(self, name: str, schema: Any, required: bool, depth: int) -> Field:
        made = self.field(schema, required, depth + 1)
        return made if made.title else replace(made, title=name)


def _types(facts: Schema) -> list[str]:
    """The types of a value, but null; told by other keywords where none is stated."""
    stated = facts.get("type")
    if stated is None:
        return ["object"] if facts.get("properties") else ["array"] if "items" in facts else []
    return [kind for kind in (stated if isinstance(stated, list) else [stated]) if kind != "null"]


def _nullable(schema: Schema) -> bool:
    """Whether null is a value."""
    try:
        if schema.get("nullable") is True or "null" in (schema.get("type") or ()):
            return True
        branches = schemas.branches(schema)
        return (len(branches) > 1 and any(map(schemas.is_null, branches))) or None in (schema.get("enum") or ())
    except (TypeError, ValueError, AttributeError, RecursionError):
        return False


def _are_links(branches: list[Schema]) -> bool:
    """Whether this is a file as it stands inside of a value: a link, or a value with its format."""
    kinds = [set(branch.get("properties") or ()) for branch in branches]
    return {"href"} <= kinds[0] <= {"href", "type"} and all(kind == QUALIFIED for kind in kinds[1:])
