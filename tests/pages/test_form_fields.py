"""Forms without pages: schemas become fields, and a field reads back what it was filled in with."""

from __future__ import annotations

import ast
import json
from contextlib import nullcontext
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.fields import ANY, PAIRS, SCHEMAS

from geomill.app.exchange import inputs
from geomill.app.exchange import schema as schemas
from geomill.app.exchange.request import read
from geomill.app.exchange.strictjson import loads
from geomill.app.pages.form.compound import Pairs
from geomill.app.pages.form.editing import edited
from geomill.app.pages.form.entries import MISSING, MOST_SHOWN, Entries, TooMuch, made, same
from geomill.app.pages.form.fields import Choice, Field, Flag, Number, Text, Ticks, Written
from geomill.app.pages.form.form import Form, Input, form_of
from geomill.app.pages.form.making import field_of, input_field
from geomill.app.pages.form.snippets import Snippets, laid_out
from geomill.app.pages.form.special import unwrapped
from geomill.app.pages.form.wording import phrase

Json = Any
SOME = settings(max_examples=60, deadline=None)


def form(**inputs: Json) -> Form:
    return form_of({"inputs": inputs, "jobControlOptions": ["async-execute"]})


def of(schema: Json, **described: Json) -> Input:
    """The input `x` with this schema."""
    given = {"schema": schema, **described}
    return Input("x", input_field("x", given))


@SOME
@given(PAIRS)
def test_what_fields_can_show_is_shown_and_read_back(pair: tuple[Json, Json]) -> None:
    schema, value = pair
    entries = made(of(schema).fill(value))
    assert same(unwrapped(of(schema).read_from(entries)), unwrapped(value))
    if value not in ({}, []) and "{}" not in json.dumps(value):
        assert not of(schema).in_json(entries)


OCCURRENCES = ({}, {"maxOccurs": 3}, {"minOccurs": 0, "maxOccurs": "unbounded"}, {"minOccurs": 0})


@SOME
@given(SCHEMAS, ANY, st.sampled_from(OCCURRENCES))
def test_any_value_is_read_back_whatever_the_schema_says(schema: Json, value: Json, occurs: dict[str, Json]) -> None:
    field = of(schema, **occurs)
    field.begin()
    phrase(schema)
    if value is not None:
        assert same(unwrapped(field.read_from(made(field.fill(value)))), unwrapped(value))


@SOME
@given(st.dictionaries(st.text(min_size=1, max_size=4), PAIRS, max_size=3), st.booleans())
def test_a_request_is_read_back(pairs: dict[str, tuple[Json, Json]], wants_some: bool) -> None:
    described = {name: {"schema": schema} for name, (schema, _) in pairs.items()}
    request = {"inputs": {name: value for name, (_, value) in pairs.items()}, "limits": {"timeLimit": 5}}
    request |= {"outputs": {"a": {"transmissionMode": "reference"}}} if wants_some else {}
    asked = form_of({"inputs": described, "outputs": {"a": {}, "b": {}}, "jobControlOptions": ["async-execute"]})
    again = asked.read(asked.fill(request)).request
    for each in (again, request):
        each["inputs"] = {name: unwrapped(value) for name, value in each["inputs"].items()}
    assert same(again, request)


def test_a_form_begins_with_the_defaults_and_asks_for_the_rest() -> None:
    asked = form(a={"schema": {"type": "integer", "default": 3}}, b={"schema": {"type": "string"}},
                 c={"minOccurs": 0, "schema": {"type": "boolean", "default": False}},
                 d={"minOccurs": 0, "schema": {"type": "array", "items": {"type": "string"}}})  # fmt: skip
    assert asked.read(asked.begin()).request == {"inputs": {"a": 3, "c": False}}


@pytest.mark.parametrize(
    "schema, kind, words",
    [
        ({"type": "string"}, Text, "text"),
        ({"type": "integer", "minimum": 1, "maximum": 9}, Number, "whole number, 1 to 9"),
        ({"type": "number", "minimum": 0, "exclusiveMinimum": True}, Number, "number, more than 0"),
        ({"type": "number", "exclusiveMaximum": 2}, Number, "number, less than 2"),
        ({"type": "boolean"}, Flag, "yes or no"),
        ({"enum": ["a", 1, None]}, Choice, "a or 1"),
        ({"type": ["string", "null"]}, Text, "text"),
        ({"type": "array", "uniqueItems": True, "items": {"enum": ["r", "g"]}}, Ticks, "list of r or g"),
        ({"type": "object", "additionalProperties": {"type": "number"}}, Pairs, "numbers, by name"),
        ({"$ref": "#"}, Written, "JSON"),
        ({}, Written, "JSON"),
        (True, Written, "JSON"),
        ({"type": "object", "additionalProperties": {"$ref": "#"}}, Written, "object"),
        ({"type": {"a": 1}, "properties": 5}, Written, "JSON"),
    ],
)
def test_a_schema_has_a_field_and_a_phrase(schema: Json, kind: type[Field], words: str) -> None:
    field = field_of(schema)
    assert (type(field), field.words) == (kind, words)


def test_a_schema_that_never_ends_is_written_as_json_where_it_is_too_deep() -> None:
    schema: Json = {"type": "string"}
    for _ in range(30):
        schema = {"type": "object", "properties": {"a": schema, "b": schema}, "required": ["a", "b"]}
    begun = of(schema).begin()
    assert len(begun) < 1000


BAND = {
    "title": "Band",
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string"},
        "width": {"$ref": "#/$defs/a~1width", "description": "In pixels."},
        "inner": {"$ref": "#/$defs/band"},
    },
}
REFERRING = {
    "$defs": {"band": BAND, "a/width": {"type": "integer", "minimum": 1}},
    "type": "object",
    "properties": {
        "bands": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/band"}},
        "best": {"title": "The best", "allOf": [{"$ref": "#/$defs/band"}]},
        "other": {"anyOf": [{"$ref": "#/$defs/a~1width"}, {"type": "null"}]},
        "foreign": {"$ref": "https://example.org/x.json"},
    },
}


def test_what_a_schema_refers_to_is_filled_in_and_checked_as_if_it_stood_there() -> None:
    group = of(REFERRING).field.inner  # type: ignore[attr-defined]
    best = group.members["best"]
    assert (group.members["bands"].words, best.title, best.members["width"].help) == (
        "list of at least 1 object", "The best", "In pixels.",
    )  # fmt: skip
    kinds = {name: type(part) for name, part in {**group.members, **best.members}.items()}
    assert (kinds["width"], kinds["other"], kinds["inner"], kinds["foreign"]) == (Number, Number, Written, Written)
    value = {"bands": [{"name": "b", "inner": {"name": "c"}}], "best": {"name": "a", "width": 0}}
    entries = made(of(REFERRING).fill(value))
    assert not of(REFERRING).in_json(entries) and unwrapped(of(REFERRING).read_from(entries)) == value
    (problem,) = inputs.problems(read(json.dumps({"inputs": {"x": {"value": value}}}).encode()),
                                 {"inputs": {"x": {"schema": REFERRING}}})  # fmt: skip
    assert problem.path == "best.width" and "at least 1" in problem.message


def test_references_to_much_come_to_an_end() -> None:
    defs = {f"a{n}": {"properties": {m: {"$ref": f"#/$defs/a{n + 1}"} for m in "abcdefgh"}} for n in range(30)}
    assert len(of({"$defs": defs, "$ref": "#/$defs/a0"}).begin()) < 1000
    for around in ({"$ref": "#/x"}, {"$ref": "#/x", "x": {"$ref": "#"}}, {"$ref": "#/$ref"}, {"items": {"$ref": "#"}}):
        assert of(around).begin()


@pytest.mark.parametrize(
    "schema, text, value",
    [
        ({"type": "integer"}, " 5 ", 5), ({"type": "integer"}, "5.0", 5.0), ({"type": "number"}, "1e3", 1000.0),
        ({"type": "integer"}, "9007199254740993", 9007199254740993), ({"type": "number"}, "1,5", "1,5"),
        ({"type": "number"}, "NaN", "NaN"), ({"type": "number"}, "1e999", "1e999"),
        ({"type": "number"}, "true", "true"),
        ({"type": "integer"}, "99999999999999999999", "99999999999999999999"), ({"type": "number"}, "", MISSING),
        ({"type": "string"}, "a\r\nb", "a\nb"), ({"type": "string"}, "", MISSING), ({"type": "string"}, " ", " "),
        ({"type": "string", "format": "date-time"}, "2024-05-01T12:00", "2024-05-01T12:00:00Z"),
        ({"type": "string", "format": "date-time"}, "2024-05-01T12:00:30", "2024-05-01T12:00:30Z"),
        ({"enum": ["a", 1]}, '"a"', "a"), ({"enum": ["a", 1]}, "1", 1), ({"enum": ["a"]}, "b", "b"), ({}, "[1]", [1]),
    ],
)  # fmt: skip
def test_what_is_typed_has_the_right_type(schema: Json, text: str, value: Json) -> None:
    assert same(of(schema).read_from(made([("inputs/x", text)])), value)


def test_rows_that_are_empty_are_none_and_errors_find_the_others() -> None:
    asked = form(x={"schema": {"type": "array", "items": {"type": "integer"}}})
    entries = made([("inputs/x:row", ""), *(("inputs/x:row", key) for key in "4719"),
                    ("inputs/x/4", "1"), ("inputs/x/7", ""), ("inputs/x/1", "no"), ("inputs/x/9", "2")])  # fmt: skip
    reading = asked.read(entries)
    assert reading.request == {"inputs": {"x": [1, "no", 2]}}
    (problem,) = inputs.problems(read(json.dumps(reading.request).encode()), {"inputs": {"x": {"schema": {
        "type": "array", "items": {"type": "integer"}}}}})  # fmt: skip
    assert reading.name_of("x", problem.path) == "inputs/x/1"


NESTED = {
    "type": "object", "required": ["name", "bands"],
    "properties": {
        "name": {"type": "string"},
        "bands": {"type": "array", "items": {"type": "object", "required": ["id"], "properties": {
            "id": {"type": "integer"}, "window": {"oneOf": [{"type": "integer"}, {"type": "string"}]}}}},
        "extra": {"type": "object", "properties": {"a": {"type": "number"}}},
    },
}  # fmt: skip


def test_buttons_add_and_remove_and_lose_nothing() -> None:
    asked = form(x={"schema": NESTED}, y={"schema": {"type": "string"}})
    entries = asked.begin()
    entries["inputs/x/name"], entries["inputs/y"], entries["inputs/x/bands/0/id"] = "n", "kept", "7"
    for said in ("add inputs/x/bands", "give inputs/x/extra", "nonsense", "add inputs/nowhere", "remove inputs/x"):
        entries, _, _ = edited(asked, entries, said)
    entries["inputs/x/bands/1/id"], entries["inputs/x/extra/a"] = "8", "0.5"
    entries["inputs/x/bands/1/window:variant"] = "1"
    entries, focus, _ = edited(asked, entries, "add inputs/x/bands/1/window")
    assert focus == "inputs/x/bands/1/window"
    entries["inputs/x/bands/1/window:1"] = "all"
    value = {"name": "n", "bands": [{"id": 7}, {"id": 8, "window": "all"}], "extra": {"a": 0.5}}
    assert asked.read(entries).request == {"inputs": {"x": {"value": value}, "y": "kept"}}
    entries, focus, _ = edited(asked, entries, "remove inputs/x/bands 0")
    entries, _, _ = edited(asked, entries, "drop inputs/x/extra")
    value = {"name": "n", "bands": [{"id": 8, "window": "all"}]}
    assert asked.read(entries).request == {"inputs": {"x": {"value": value}, "y": "kept"}}
    for said, in_json in (("json inputs/x", True), ("fields inputs/x", False)):
        entries, _, _ = edited(asked, entries, said)
        assert asked.inputs[0].in_json(entries) == in_json
        assert asked.read(entries).request == {"inputs": {"x": {"value": value}, "y": "kept"}}


def test_members_with_free_names_are_rows() -> None:
    asked = form(x={"schema": {"type": "object", "additionalProperties": {"type": "number"}}})
    entries = asked.begin()
    for _ in range(2):
        entries, _, _ = edited(asked, entries, "add inputs/x")
    for key, (name, value) in enumerate((("a", "1"), ("b", "2.5"), ("", "3"))):
        entries[f"inputs/x/{key}:name"], entries[f"inputs/x/{key}"] = name, value
    reading = asked.read(entries)
    assert reading.request == {"inputs": {"x": {"value": {"a": 1, "b": 2.5}}}}
    assert reading.errors == {"inputs/x/2:name": "has no name."}
    entries["inputs/x/2:name"] = "b"
    assert asked.read(entries).errors == {"inputs/x/2:name": 'has the name "b" of another one.'}


@pytest.mark.parametrize("text, wrong", [('{"name": 5}', "nothing that the fields"), ("{", "is not JSON"), ("", "")])
def test_json_that_fields_cannot_show_stays_and_says_so(text: str, wrong: str) -> None:
    asked = form(x={"schema": NESTED})
    entries = made([("inputs/x:way", "json"), ("inputs/x:json", text)])
    changed, focus, errors = edited(asked, entries, "fields inputs/x")
    assert asked.inputs[0].in_json(changed) == bool(wrong)
    assert focus == ("inputs/x:json" if wrong else "inputs/x") and wrong in errors.get(focus, "")


def test_no_more_rows_than_there_may_be() -> None:
    asked = form(x={"schema": {"type": "array", "maxItems": 2, "items": {"type": "integer"}}})
    entries = asked.begin()
    for _ in range(3):
        entries, _, _ = edited(asked, entries, "add inputs/x")
    assert entries.getlist("inputs/x:row") == ["", "0", "1"]


@pytest.mark.parametrize("text", ["{", "nothing", "[1,]", '"\\ud800"'])
def test_json_that_is_none_is_an_error_of_its_field(text: str) -> None:
    reading = form(x={"schema": {}}).read(made([("inputs/x", text)]))
    assert list(reading.errors) == ["inputs/x"] and reading.request == {"inputs": {}}


def test_what_is_long_is_the_same_value_too() -> None:
    request = {"inputs": {"x": [{"a": True, "b": None, "c": "it's \x07 \u2028"}] * 10_000}}
    snippets = Snippets("http://localhost/", request)
    assert json.loads(snippets.json) == request and "\nEND" in snippets.curl.replace(snippets.json, "")
    written = snippets.python.partition("request = ")[2].partition("\n")[0]
    assert ast.literal_eval(written) == request


@SOME
@given(ANY)
def test_json_and_python_are_laid_out_as_the_same_value(value: Json) -> None:
    try:
        loads(json.dumps(value).encode())
    except ValueError:
        return
    assert same(json.loads(laid_out(value)), value)
    snippets = Snippets("http://localhost/", {"inputs": {"x": value}})
    tree = ast.parse(snippets.python)
    (written,) = [each for each in tree.body if isinstance(each, ast.Assign) and each.targets[0].id == "request"]
    assert same(ast.literal_eval(written.value), {"inputs": {"x": value}})


def test_a_schema_that_cannot_be_compiled_has_a_form() -> None:
    schema = {"oneOf": [{"type": "string", "pattern": "("}, {"type": "integer"}]}
    with pytest.raises(ValueError):
        schemas.is_valid(schema, "x")
    assert of(schema).read_from(made(of(schema).fill("x"))) == "x"


def _deep(depth: int) -> Json:
    schema: Json = {"type": "integer"}
    for _ in range(depth):
        schema = {"type": "array", "minItems": 20, "items": schema}
    return schema


def shown(asked: Form, entries: Entries) -> int:
    return sum(1 for _ in asked.walk(entries))


@pytest.mark.parametrize("depth", [3, 6])
def test_a_form_begins_with_no_more_fields_than_a_page_holds(depth: int) -> None:
    lists = {f"list{number}": {"schema": _deep(1)} for number in range(15)}
    asked = form(a={"schema": _deep(depth)}, **lists, b={"schema": {"type": "string"}})
    entries = asked.begin()
    assert shown(asked, entries) <= MOST_SHOWN
    in_json = [each.in_json(entries) for each in asked.inputs]
    assert in_json == [True, *[False] * 12, *[True] * 3, False]  # the first of 41 entries each have room
    assert asked.read(entries).request == {"inputs": {}}


def test_a_button_adds_no_more_fields_than_a_page_holds() -> None:
    asked = form(a={"minOccurs": 0, "schema": {"type": "array", "items": _deep(5)}})
    entries, focus, errors = edited(asked, asked.begin(), "add inputs/a")
    assert focus == "inputs/a" and "at most 500 fields" in errors["inputs/a"]
    assert shown(asked, entries) == 1
    post = made([("inputs/a:row", str(key)) for key in range(5)])  # rows of which nothing else was posted
    entries, _, errors = edited(asked, post, "nonsense")
    assert shown(asked, entries) <= MOST_SHOWN and len(entries) < MOST_SHOWN and errors


@pytest.mark.parametrize("value", [list(range(100_000)), [[1] * 99] * 99, {str(n): n for n in range(5000)}])
def test_a_value_of_many_items_is_shown_as_json(value: Json) -> None:
    schema = {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}}
    if isinstance(value, dict):
        schema = {"type": "object", "additionalProperties": {"type": "integer"}}
    elif not isinstance(value[0], list):
        schema = {"type": "array", "items": {"type": "integer"}}
    for asked in (form(x={"schema": schema}), form(x={"schema": {**schema, "default": value}})):
        entries = asked.fill({"inputs": {"x": value}})
        assert asked.inputs[0].in_json(entries) and shown(asked, entries) == 0
        assert unwrapped(asked.read(entries).request["inputs"]["x"]) == value
    begun = asked.begin()
    assert asked.inputs[0].in_json(begun) and unwrapped(asked.read(begun).request["inputs"]["x"]) == value


def test_rows_that_no_page_has_posted_are_refused() -> None:
    asked = form(x={"schema": {"type": "array", "items": {"type": "integer"}}})
    for count, fine in ((100, True), (101, False), (50_000, False)):
        entries = made([("inputs/x:row", str(key)) for key in range(count)])
        with nullcontext() if fine else pytest.raises(TooMuch):
            asked.read(entries)
