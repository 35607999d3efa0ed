"""Schemas made at random with a value for each, and how a person fills such a value into the fields of a form."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from typing import Any

from support.browsers import Locator, expect

Json = Any
Pair = tuple[Json, Json]  # a schema, and a value that fits it

TEXTS = ("plain", "two  words", "'\"<b>&amp;</b>", "Gr\u00fc\u00dfe \u4e16\u754c \U0001f30d", "{{7*7}}", "null", "007")
NAMES = ("alpha", "beta-2", "gamma.x", "d e l t a", "\u00e9psilon/1", "zeta:on")
BOX = {
    "type": "object", "format": "ogc-bbox", "required": ["bbox"],
    "properties": {"bbox": {"type": "array", "items": {"type": "number"}}, "crs": {"type": "string"}},
}  # fmt: skip
HELD = {"value": "YSxiCjEsMgo=", "encoding": "base64", "mediaType": "text/csv"}  # a file in a request
PARTS = ":scope > .field, :scope > fieldset"


def pairs(seed: int, count: int) -> list[Pair]:
    """The same ones for the same seed; the first ones are of every kind there is."""
    drawing = random.Random(seed)  # noqa: S311
    kinds = [*LEAVES, _list, _object, _either]
    return [kinds[number % len(kinds)](drawing) for number in range(count)]


def _any(drawing: random.Random, depth: int) -> Pair:
    kinds = [*LEAVES, *(2 * [lambda d: _list(d, depth), lambda d: _object(d, depth)] if depth else [])]
    return drawing.choice(kinds)(drawing)


def _list(drawing: random.Random, depth: int = 2) -> Pair:
    schema, value = _any(drawing, depth - 1)
    return {"type": "array", "items": schema, "minItems": 1}, [value] * drawing.randint(1, 3)


def _object(drawing: random.Random, depth: int = 2) -> Pair:
    members = {name: _any(drawing, depth - 1) for name in drawing.sample(NAMES, drawing.randint(1, 3))}
    required = drawing.sample(sorted(members), drawing.randint(0, len(members)))
    given = {name: pair[1] for name, pair in members.items() if name in required or drawing.random() < 0.7}
    properties = {name: pair[0] for name, pair in members.items()}
    return {"type": "object", "properties": properties, "required": required}, given


def _either(drawing: random.Random) -> Pair:
    """One of two that nobody mixes up."""
    schemas = [{"type": "integer"}, {"type": "array", "items": {"type": "boolean"}}]
    number = drawing.randint(0, 1)
    return {"oneOf": schemas}, (drawing.randint(-99, 99), [drawing.random() < 0.5])[number]


def _integer(drawing: random.Random) -> Pair:
    low = drawing.randint(-(2**53), 2**53)
    return {"type": "integer", "minimum": low, "maximum": low + 10}, drawing.randint(low, low + 10)


def _choice(drawing: random.Random) -> Pair:
    options: list[Json] = drawing.sample([*TEXTS, 1, 2.5, True], drawing.randint(2, 8))
    return {"enum": options}, drawing.choice(options)


def _ticks(drawing: random.Random) -> Pair:
    options = list(TEXTS[:4])
    schema = {"type": "array", "uniqueItems": True, "items": {"type": "string", "enum": options}}
    return schema, [each for each in options if drawing.random() < 0.5] or options[:1]


def _box(drawing: random.Random) -> Pair:
    sides = [sorted(round(drawing.uniform(-90, 90), 4) for _ in "ab") for _ in range(drawing.choice([2, 3]))]
    numbers = [low for low, _ in sides] + [high for _, high in sides]
    return BOX, {"bbox": numbers, **drawing.choice([{}, {"crs": "EPSG:4326"}])}


LEAVES: list[Callable[[random.Random], Pair]] = [
    lambda drawing: ({"type": "string"}, drawing.choice(TEXTS)),
    lambda drawing: ({"type": "string", "format": "date"}, f"20{drawing.randint(10, 99)}-02-03"),
    lambda drawing: ({"type": "string", "format": "date-time"}, f"20{drawing.randint(10, 99)}-02-03T04:05:06Z"),
    lambda drawing: ({"type": "string", "pattern": "^[a-z]{3}$", "default": "abc"}, "xyz"),
    _integer,
    lambda drawing: ({"type": "number", "exclusiveMinimum": 0}, drawing.choice([0.1, 1e300, 5e-324, 12345.678])),
    lambda drawing: ({"type": "boolean"}, drawing.random() < 0.5),
    lambda drawing: ({"type": "boolean", "default": True}, False),
    lambda drawing: ({"type": "integer", "nullable": True}, 7),
    _choice,
    lambda drawing: ({"const": "always"}, "always"),
    _ticks,
    _box,
    lambda drawing: ({"type": "object", "format": "geojson-geometry"}, {"type": "Point", "coordinates": [1.5, -2]}),
    lambda drawing: ({"type": "string", "contentEncoding": "binary", "contentMediaType": "text/csv"}, HELD),
]


def fill(part: Locator, schema: Json, value: Json) -> None:
    """Fill a value into the element that holds the fields for it, as its class says which those are."""
    kinds = (part.get_attribute("class") or "").split()
    (kind,) = [each.removeprefix("of-") for each in kinds if each.startswith("of-")]
    _FILL[kind](part, schema, value)


def _text(part: Locator, schema: Json, value: Json) -> None:
    field = part.locator("input, textarea")
    field.fill(value.removesuffix("Z") if field.get_attribute("type") == "datetime-local" else value)


def _written(part: Locator, schema: Json, value: Json) -> None:
    part.locator("textarea").fill(json.dumps(value))


def _number(part: Locator, schema: Json, value: Json) -> None:
    part.locator("input").fill(json.dumps(value))


def _chosen(part: Locator, schema: Json, value: Json) -> None:
    """One option, by the JSON that it stands for: of a list, of radio buttons, of no others."""
    if part.locator("select").count():
        part.locator("select").select_option(index=_told(part.locator("option")).index(json.dumps(value)))
    elif part.locator("output").count() == 0:
        _tick(part, [value])


def _flag(part: Locator, schema: Json, value: Json) -> None:
    if part.locator("input[type=radio]").count():
        _tick(part, [value])
    else:
        part.locator("input[type=checkbox]").set_checked(value)


def _tick(part: Locator, values: list[Json]) -> None:
    """Check the boxes of these values and no others; or the one radio button."""
    boxes = part.locator("input[type=radio], input[type=checkbox]")
    wanted = [json.dumps(each) for each in values]
    for number, told in enumerate(_told(boxes)):
        if told in wanted or boxes.nth(number).get_attribute("type") == "checkbox":
            boxes.nth(number).set_checked(told in wanted)


def _told(options: Locator) -> list[str]:
    """The JSON of each option, as Python writes it; "" for none."""
    told = options.evaluate_all("all => all.map((each) => each.value)")
    return [json.dumps(json.loads(each)) if each else "" for each in told]


def _file(part: Locator, schema: Json, value: Json) -> None:
    file = {"name": "a.csv", "mimeType": value["mediaType"], "buffer": base64.b64decode(value["value"])}
    part.locator("input[type=file]").set_input_files(file)


def _document(part: Locator, schema: Json, value: Json) -> None:
    if not part.locator("textarea").is_visible():
        part.locator("summary").click()
    part.locator("textarea").fill(json.dumps(value))


def _sides(part: Locator, schema: Json, value: Json) -> None:
    numbers = value["bbox"]
    flat = numbers if len(numbers) == 4 else [*numbers[:2], *numbers[3:5]]
    for label, number in zip(("West", "South", "East", "North"), flat, strict=True):
        part.get_by_label(label, exact=True).fill(json.dumps(number))
    if (len(numbers) == 6 or "crs" in value) and not part.get_by_label("Lowest").is_visible():
        part.locator("summary").click()
    if len(numbers) == 6:
        part.get_by_label("Lowest").fill(json.dumps(numbers[2]))
        part.get_by_label("Highest").fill(json.dumps(numbers[5]))
    if "crs" in value:
        part.get_by_label("Reference system").fill(value["crs"])


def _group(part: Locator, schema: Json, value: Json) -> None:
    give = part.locator(":scope > .row > button", has_text="Give")
    if give.count():
        give.click()
    parts = part.locator(":scope > .members").locator(PARTS)
    expect(parts).to_have_count(len(schema["properties"]))
    for number, (name, member) in enumerate(schema["properties"].items()):
        if name in value:
            fill(parts.nth(number), member, value[name])


def _rows(part: Locator, schema: Json, value: Json) -> None:
    rows = part.locator(":scope > .item")
    while (count := rows.count()) < len(value):
        part.locator(":scope > p > button").click()
        expect(rows).to_have_count(count + 1)
    for number, each in enumerate(value):
        fill(rows.nth(number).locator(PARTS), schema["items"], each)


def _variants(part: Locator, schema: Json, value: Json) -> None:
    number = int(isinstance(value, list))
    select = part.locator("select").first
    told = select.locator("option").evaluate_all("all => all.map((each) => each.value)")
    select.select_option(index=told.index(str(number)))
    name = (select.get_attribute("name") or "").removesuffix(":variant")
    expect(part.locator(f"[name^='{name}:{number}']").first).to_be_attached()
    fill(part.locator(PARTS), schema["oneOf"][number], value)


_FILL: dict[str, Callable[[Locator, Json, Json], None]] = {
    "text": _text, "number": _number, "choice": _chosen, "flag": _flag, "file": _file, "document": _document,
    "written": _written, "box": _sides, "group": _group, "rows": _rows, "variants": _variants,
    "ticks": lambda part, schema, value: _tick(part, value),
}  # fmt: skip
