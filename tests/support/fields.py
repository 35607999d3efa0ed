"""Schemas with values that fit them, made at random; and what a browser would send of a form in a page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import html5lib
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

Json = Any
# what the lines of a text field can hold; any other text is shown as JSON
SEEN = st.characters(blacklist_categories=("Cs", "Cc", "Cn"), whitelist_characters="\n\t")
TEXTS = st.text(SEEN, min_size=1, max_size=30)
NAMES = st.text(SEEN, min_size=1, max_size=6)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
NUMBERS = st.one_of(INTEGERS, st.floats(allow_nan=False, allow_infinity=False))
ANY_TEXT = st.text(st.characters(blacklist_categories=("Cs",)), max_size=20)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, ANY_TEXT)
ANY = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=8
)
BOX = {
    "type": "object", "format": "ogc-bbox", "required": ["bbox"],
    "properties": {"bbox": {"type": "array", "items": {"type": "number"}}, "crs": {"type": "string"}},
}  # fmt: skip
Pair = tuple[Json, Json]  # a schema, and a value that fits it


@st.composite
def leaves(draw: st.DrawFn) -> Pair:
    """A schema of one value."""
    kind = draw(st.sampled_from("text date moment integer number flag choice const bbox file".split()))
    match kind:
        case "text":
            return {"type": "string"}, draw(TEXTS)
        case "date":
            return {"type": "string", "format": "date"}, draw(st.dates()).isoformat()
        case "moment":
            return {"type": "string", "format": "date-time"}, f"{draw(st.datetimes()).isoformat(timespec='seconds')}Z"
        case "integer":
            return {"type": "integer"}, draw(INTEGERS)
        case "number":
            return {"type": "number"}, draw(NUMBERS)
        case "flag":
            return {"type": "boolean"}, draw(st.booleans())
        case "choice":
            options = draw(st.lists(st.one_of(TEXTS, INTEGERS, st.booleans()), min_size=1, max_size=6))
            return {"enum": options}, draw(st.sampled_from(options))
        case "const":
            value = draw(st.one_of(TEXTS, INTEGERS))
            return {"const": value}, value
        case "bbox":
            numbers = draw(st.lists(NUMBERS, min_size=4, max_size=4) | st.lists(NUMBERS, min_size=6, max_size=6))
            return BOX, {"bbox": numbers, **draw(st.sampled_from([{}, {"crs": "EPSG:4326"}]))}
    return {"type": "string", "contentEncoding": "binary"}, {"href": "https://example.com/a.tif"}


def _lists(inner: st.SearchStrategy[Pair]) -> st.SearchStrategy[Pair]:
    return st.tuples(inner, st.integers(1, 3)).map(
        lambda drawn: ({"type": "array", "items": drawn[0][0], "minItems": 1}, [drawn[0][1]] * drawn[1])
    )


@st.composite
def _objects(draw: st.DrawFn, inner: st.SearchStrategy[Pair]) -> Pair:
    members = draw(st.dictionaries(NAMES, st.tuples(inner, st.booleans()), min_size=1, max_size=3))
    required = [name for name, (_, is_required) in members.items() if is_required]
    given = {name: pair[1] for name, (pair, _) in members.items() if name in required or draw(st.booleans())}
    schema = {"type": "object", "properties": {name: pair[0] for name, (pair, _) in members.items()}}
    return {**schema, "required": required}, given


def _maps(inner: st.SearchStrategy[Pair]) -> st.SearchStrategy[Pair]:
    return st.tuples(inner, st.sets(NAMES.filter(lambda name: "\n" not in name), min_size=1, max_size=3)).map(
        lambda drawn: (
            {"type": "object", "additionalProperties": drawn[0][0]},
            {name: drawn[0][1] for name in sorted(drawn[1])},
        )
    )


@st.composite
def _alternatives(draw: st.DrawFn, inner: st.SearchStrategy[Pair]) -> Pair:
    pairs = draw(st.lists(inner, min_size=2, max_size=3))
    return {draw(st.sampled_from(["oneOf", "anyOf"])): [pair[0] for pair in pairs]}, draw(st.sampled_from(pairs))[1]


# with a value that a form can show
PAIRS = st.recursive(
    leaves(), lambda inner: _lists(inner) | _objects(inner) | _maps(inner) | _alternatives(inner), max_leaves=5
)

KEYWORDS = st.dictionaries(
    st.sampled_from(
        "type properties items required enum const oneOf anyOf allOf not format nullable default minimum maximum "
        "exclusiveMinimum multipleOf minItems maxItems uniqueItems minLength maxLength pattern additionalProperties "
        "$ref contentEncoding contentMediaType prefixItems title description".split()
    ),
    st.one_of(ANY, st.sampled_from(["string", "object", "array", "integer", "null", ["string", "null"], "ogc-bbox"])),
    max_size=5,
)
# of any shape, also of none
SCHEMAS = st.recursive(
    KEYWORDS | st.booleans(),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["object", "array", "string"]),
            "properties": st.dictionaries(NAMES, inner, max_size=3),
            "items": inner,
            "not": inner,
            **{name: st.lists(inner, max_size=3) for name in ("oneOf", "anyOf", "allOf")},
            "default": ANY,
            "nullable": st.booleans(),
        },
    ),
    max_leaves=6,
)


def submitted(page: str, form: str = "run") -> MultiDict[str, str]:
    """What a browser sends of the form with this id when its button is pressed; a file was chosen nowhere."""
    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    tree = parser.parse(page)
    assert parser.errors == [], parser.errors[:5]
    found = next(each for each in tree.iter("form") if each.get("id") == form)
    return MultiDict(entry for each in found.iter() for entry in _sent(each))


def _sent(element: Any) -> Iterator[tuple[str, str]]:
    name, kind = element.get("name"), element.get("type")
    if name is None or element.tag == "button" or kind == "file":
        return
    if element.tag == "textarea":
        yield name, (element.text or "").replace("\n", "\r\n")
    elif element.tag == "select":
        options = list(element.iter("option"))
        chosen = [each for each in options if "selected" in each.attrib] or options[:1]
        yield from ((name, each.get("value", each.text)) for each in chosen)
    elif kind not in ("radio", "checkbox") or "checked" in element.attrib:
        yield name, element.get("value", "on")
