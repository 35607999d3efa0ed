"""Hints become descriptions, JSON becomes what the hints want, and what is returned becomes JSON."""

# ruff: noqa: UP007, UP045  both spellings of a union are tested

from __future__ import annotations

import base64
import datetime
import enum
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, NewType, NotRequired, Optional, TypedDict, Union

import pytest

from geomill.processes import About, BadInput, BBox, Fetch, File, Geometry, Progress, process
from geomill.processes.description import BBOX_SCHEMA, describe, schema_of
from geomill.processes.hints import injected
from geomill.processes.values import decode, encode

TIFF = "image/tiff; application=geotiff"


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Window(TypedDict):
    width: Annotated[int, About("Width", "in pixels", minimum=1)]
    name: NotRequired[str]


@dataclass
class Grid:
    size: float
    origin: tuple[float, float] = (0.0, 0.0)
    tags: list[str] = field(default_factory=list)


class Node(TypedDict):
    inner: Optional[Node]


class Shapeless:
    pass


class Outcome(TypedDict):
    mask: Annotated[Path, File("Mask", TIFF)]
    share: Annotated[float, About("Share of water")]
    note: NotRequired[str]


Metres = NewType("Metres", float)
STRING = {"type": "string"}
INTEGER = {"type": "integer"}
NUMBER = {"type": "number"}

SCHEMAS: list[tuple[Any, dict[str, Any]]] = [
    (str, STRING),
    (int, INTEGER),
    (float, NUMBER),
    (bool, {"type": "boolean"}),
    (Any, {}),
    (datetime.date, {"type": "string", "format": "date"}),
    (datetime.datetime, {"type": "string", "format": "date-time"}),
    (Metres, NUMBER),
    (list, {"type": "array", "items": {}}),
    (list[int], {"type": "array", "items": INTEGER}),
    (Sequence[str], {"type": "array", "items": STRING}),
    (Annotated[list[int], About("x", min_items=2)], {"type": "array", "items": INTEGER, "minItems": 2}),
    (tuple[float, float], {"type": "array", "items": NUMBER, "minItems": 2, "maxItems": 2}),
    (tuple[int, ...], {"type": "array", "items": INTEGER}),
    (tuple[int, str], {"type": "array", "items": {"oneOf": [INTEGER, STRING]}, "minItems": 2, "maxItems": 2}),
    (dict, {"type": "object"}),
    (Mapping[str, int], {"type": "object", "additionalProperties": INTEGER}),
    (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
    (Literal[1, 2.5], {"type": "number", "enum": [1, 2.5]}),
    (Literal["a", None], {"type": "string", "enum": ["a"], "nullable": True}),
    (Colour, {"type": "string", "enum": ["red", "blue"]}),
    (Optional[int], {"type": "integer", "nullable": True}),
    (str | None, {"type": "string", "nullable": True}),
    (Union[str, int], {"oneOf": [STRING, INTEGER]}),
    (int | float, NUMBER),
    (str | datetime.date, {"anyOf": [STRING, {"type": "string", "format": "date"}]}),
    (bytes, {"type": "string", "contentEncoding": "base64"}),
    (Path, {"type": "string", "contentEncoding": "binary", "contentMediaType": "application/octet-stream"}),
    (Annotated[Path, File("x", TIFF)], {"type": "string", "contentEncoding": "binary", "contentMediaType": TIFF}),
    (Annotated[str, File("x", "text/csv")], {"type": "string", "contentMediaType": "text/csv"}),
    (
        Annotated[bytes, File("x", ["image/png", "image/jpeg"])],
        {
            "oneOf": [
                {"type": "string", "contentEncoding": "base64", "contentMediaType": kind}
                for kind in ("image/png", "image/jpeg")
            ]
        },
    ),
    (Annotated[str, About("x", pattern="^a")], {"type": "string", "pattern": "^a"}),
    (Annotated[float, About("x", exclusive_minimum=0)], {"type": "number", "minimum": 0, "exclusiveMinimum": True}),
    (Annotated[str, About("x", const="a")], {"type": "string", "enum": ["a"]}),
    (Geometry, {"type": "object", "format": "geojson-geometry"}),
    (BBox, BBOX_SCHEMA),
    (
        Window,
        {
            "type": "object",
            "properties": {
                "width": {"title": "Width", "description": "in pixels", "type": "integer", "minimum": 1},
                "name": STRING,
            },
            "required": ["width"],
        },
    ),
    (
        Grid,
        {
            "type": "object",
            "properties": {
                "size": NUMBER,
                "origin": {"type": "array", "items": NUMBER, "minItems": 2, "maxItems": 2, "default": [0.0, 0.0]},
                "tags": {"type": "array", "items": STRING},
            },
            "required": ["size"],
        },
    ),
]


@pytest.mark.parametrize("hint, schema", SCHEMAS, ids=[str(schema)[:100] for _, schema in SCHEMAS])
def test_a_hint_becomes_a_schema(hint: Any, schema: dict[str, Any]) -> None:
    assert schema_of(hint, "here") == schema


@process(keywords=["vector"], metadata=[{"title": "Source"}], cpus=2, memory="2 GB", max_running=3, time_limit=60)
def grow_area(
    area: Annotated[Geometry, About("Area")],
    distance: Annotated[float, About("Distance", "in metres", minimum=0)],
    progress: Progress,
    fetch: Fetch | None = None,
    scenes: Annotated[list[Path], File("Scenes", TIFF, max_occurs=9)] = [],  # noqa: B006
    colour: Colour = Colour.RED,
    day: Annotated[Optional[datetime.date], About("Day")] = None,
) -> Outcome:
    """Grow an area.

    Planar.
    """
    return {"mask": Path("mask.tif"), "share": distance}


def test_a_description_says_what_signature_docstring_and_decorator_say() -> None:
    assert describe(grow_area)["description"] == {
        "id": "grow-area",
        "title": "Grow an area",
        "description": "Planar.",
        "version": "1.0.0",
        "keywords": ["vector"],
        "metadata": [{"title": "Source"}],
        "jobControlOptions": ["sync-execute", "async-execute", "dismiss"],
        "outputTransmission": ["value", "reference"],
        "inputs": {
            "area": {"title": "Area", "schema": {"type": "object", "format": "geojson-geometry"}},
            "distance": {"title": "Distance", "description": "in metres", "schema": {"type": "number", "minimum": 0}},
            "scenes": {
                "title": "Scenes",
                "minOccurs": 0,
                "maxOccurs": 9,
                "schema": {"type": "string", "contentEncoding": "binary", "contentMediaType": TIFF},
            },
            "colour": {"minOccurs": 0, "schema": {"type": "string", "enum": ["red", "blue"], "default": "red"}},
            "day": {"title": "Day", "minOccurs": 0, "schema": {"type": "string", "format": "date", "nullable": True}},
        },
        "outputs": {
            "mask": {
                "title": "Mask",
                "schema": {"type": "string", "contentEncoding": "binary", "contentMediaType": TIFF},
            },
            "share": {"title": "Share of water", "schema": {"type": "number"}},
            "note": {"schema": {"type": "string"}},
        },
    }


def test_resources_stand_beside_the_description() -> None:
    described = describe(grow_area)
    assert {name: described[name] for name in ("function", "cpus", "memory", "max_running", "time_limit")} == {
        "function": "grow_area",
        "cpus": 2.0,
        "memory": 2_000_000_000,
        "max_running": 3,
        "time_limit": 60,
    }


def test_a_process_stays_a_function() -> None:
    assert grow_area({}, 2.0, lambda percent, message=None: None) == {"mask": Path("mask.tif"), "share": 2.0}


def test_progress_and_fetch_are_injected() -> None:
    assert injected(grow_area) == {"progress": Progress, "fetch": Fetch}


@process
def nothing(text: str) -> None:
    """Do nothing..."""


def test_a_bare_decorator_and_a_function_without_outputs() -> None:
    description = describe(nothing)["description"]
    assert (description["title"], description["outputs"], encode(nothing, None)) == ("Do nothing...", {}, {})


@process(description={"title": "Other", "inputs": {"n": {"schema": {"const": 1}}}, "outputs": {"area": {"schema": {}}}})
def free(inputs: dict[str, Any]) -> Any:
    """Anything."""


def test_the_escape_hatch_replaces_members() -> None:
    description = describe(free)["description"]
    assert (description["title"], description["inputs"]) == ("Other", {"n": {"schema": {"const": 1}}})
    assert description["jobControlOptions"] == ["sync-execute", "async-execute", "dismiss"]


def test_the_escape_hatch_gives_the_function_everything() -> None:
    assert decode(free, {"n": {"$file": "/a"}, "m": 2}) == {"inputs": {"n": Path("/a"), "m": 2}}


@process(description={"inputs": {"n": {"schema": {}}}})
def keyworded(**everything: Any) -> int:
    """Anything."""
    return 1


def test_the_escape_hatch_may_be_keywords() -> None:
    assert decode(keyworded, {"n": 1, "m": 2}) == {"n": 1, "m": 2}


@pytest.mark.parametrize("returned", [5, {"area": 5}])
def test_a_replaced_single_output_is_given_bare_or_by_its_id(returned: Any) -> None:
    assert encode(free, returned) == {"area": 5}


# functions that cannot be described


@process
def unhinted(x) -> int:  # type: ignore[no-untyped-def, empty-body]
    """Nothing."""


@process
def shapeless(thing: Shapeless) -> int:
    """Nothing."""
    return 1


@process
def deep(things: list[dict[str, Shapeless]]) -> int:
    """Nothing."""
    return 1


@process
def shapeless_result(x: int) -> Shapeless:
    """Nothing."""
    return Shapeless()


@process
def positional(*numbers: int) -> int:
    """Nothing."""
    return 1


@process
def endless(node: Node) -> int:
    """Nothing."""
    return 1


@process
def odd_keyword(x: Annotated[int, About("X", minimun=1)]) -> int:
    """Nothing."""
    return 1


@process
def unknown_name(x: Nowhere) -> int:  # type: ignore[name-defined]  # noqa: F821
    """Nothing."""
    return 1


@process(id="a/b")
def odd_id(x: int) -> int:
    """Nothing."""
    return x


@pytest.mark.parametrize(
    "function, message",
    [
        (unhinted, "unhinted: parameter 'x' has no hint"),
        (shapeless, "shapeless: parameter 'thing': the hint Shapeless cannot be described"),
        (deep, "deep: parameter 'things': the hint Shapeless cannot be described"),
        (shapeless_result, "shapeless_result: output 'result': the hint Shapeless cannot be described"),
        (positional, "positional: parameter 'numbers' cannot be given by name"),
        (endless, "endless: parameter 'node': Node contains itself"),
        (odd_keyword, "odd_keyword: parameter 'x': minimun is not in the standard's JSON Schema"),
        (unknown_name, "unknown_name: a hint cannot be read: name 'Nowhere' is not defined"),
        (odd_id, "odd_id: 'a/b' cannot be the id of a process"),
    ],
)
def test_what_cannot_be_described_is_named(function: Any, message: str) -> None:
    with pytest.raises(TypeError) as raised:
        describe(function)
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize(
    "declared",
    [{"template": "gpu"}, {"memory": "much"}, {"memory": 0}, {"cpus": 0}, {"job_control": ["x"]}, {"keywords": "one"}],
)
def test_a_decorator_refuses_what_no_process_can_have(declared: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(declared))):
        process(**declared)


@pytest.mark.parametrize(
    "size, expected", [("512 MB", 512 * 10**6), ("2GiB", 2**31), ("1.5 kB", 1500), (7, 7), (None, None)]
)
def test_memory_is_read_in_the_usual_units(size: Any, expected: int | None) -> None:
    @process(memory=size)
    def small() -> None:
        """Nothing."""

    assert describe(small)["memory"] == expected


# values


def through(hint: Any, value: Any) -> Any:
    """What a function with one parameter of a hint is called with."""

    def function(x: Any) -> None:
        pass

    function.__annotations__["x"] = hint
    return decode(process(function), {"x": value})["x"]


@pytest.mark.parametrize(
    "hint, value, expected",
    [
        (float, 1, 1.0),
        (int, 5.0, 5),
        (Colour, "blue", Colour.BLUE),
        (datetime.date, "2024-02-29", datetime.date(2024, 2, 29)),
        (datetime.datetime, "2024-02-29T01:02:03Z", datetime.datetime(2024, 2, 29, 1, 2, 3, tzinfo=datetime.UTC)),
        (bytes, base64.b64encode(b"\xff").decode(), b"\xff"),
        (Path, {"$file": "/a/b.tif", "type": "image/tiff"}, Path("/a/b.tif")),
        (list[Path], [{"$file": "/a"}, {"$file": "/b"}], [Path("/a"), Path("/b")]),
        (list[Path], {"$file": "/a"}, [Path("/a")]),
        (tuple[float, float], [1, 2], (1.0, 2.0)),
        (Grid, {"size": 2, "origin": [1, 2], "more": 1}, Grid(2.0, (1.0, 2.0))),
        (Window, {"width": 3.0, "more": 1}, {"width": 3, "more": 1}),
        (BBox, {"bbox": [1, 2, 3, 4]}, BBox((1, 2, 3, 4))),
        (BBox | None, [1, 2, 3, 4], BBox((1, 2, 3, 4))),
        (BBox | None, None, None),
        (Optional[datetime.date], "2024-02-29", datetime.date(2024, 2, 29)),
        (Union[datetime.date, str], "soon", "soon"),
        (Union[str, dict[str, Any]], {"a": 1}, {"a": 1}),
        (Union[Path, str], "text", "text"),
        (Union[str, Path], {"$file": "/a"}, Path("/a")),
        (dict[str, float], {"a": 1}, {"a": 1.0}),
        (Any, {"a": {"$file": "/a"}}, {"a": Path("/a")}),
    ],
    ids=str,
)
def test_json_becomes_what_the_hint_wants(hint: Any, value: Any, expected: Any) -> None:
    got = through(hint, value)
    assert (got, type(got)) == (expected, type(expected))


@pytest.mark.parametrize(
    "hint, expected", [(Path, None), (bytes, b'{"size": 2}'), (str, '{"size": 2}'), (Grid, Grid(2.0))]
)
def test_a_file_becomes_what_the_hint_wants(tmp_path: Path, hint: Any, expected: Any) -> None:
    file = tmp_path / "given.json"
    file.write_text('{"size": 2}')
    assert through(hint, {"$file": str(file), "type": "application/json"}) == (expected or file)


@pytest.mark.parametrize(
    "hint, value",
    [(datetime.date, "2024-02-31"), (Colour, "green"), (bytes, "?"), (Path, "text"), (Grid, {})],
)
def test_a_value_that_does_not_fit_names_the_input(hint: Any, value: Any) -> None:
    with pytest.raises(BadInput) as raised:
        through(hint, value)
    assert raised.value.input_id == "x"


def test_unknown_inputs_are_left_out() -> None:
    assert decode(nothing, {"text": "a", "more": 1}) == {"text": "a"}


def test_several_outputs_keep_paths_and_may_lack_the_optional_ones() -> None:
    assert encode(grow_area, {"mask": Path("m.tif"), "share": 1}) == {"mask": Path("m.tif"), "share": 1}


@process
def anything() -> Any:
    """Anything."""


class Scalar:
    """Like numpy's: known by its methods, of no type of ours."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"Scalar({self.value!r})"

    def tolist(self) -> Any:
        return self.value


class Shape:
    def __repr__(self) -> str:
        return "Shape()"

    @property
    def __geo_interface__(self) -> dict[str, Any]:
        return {"type": "Point", "coordinates": (1.0, 2.0)}


@pytest.mark.parametrize(
    "returned, expected",
    [
        ((1, (2, 3)), [1, [2, 3]]),
        (Grid(1.0), {"size": 1.0, "origin": [0.0, 0.0], "tags": []}),
        (datetime.date(2024, 2, 29), "2024-02-29"),
        (datetime.datetime(2024, 2, 29), "2024-02-29T00:00:00Z"),
        (Colour.RED, "red"),
        (b"\xff", "/w=="),
        (BBox((1, 2, 3, 4), "urn:x"), {"bbox": [1, 2, 3, 4], "crs": "urn:x"}),
        ([Path("a")], [Path("a")]),
        (Scalar([Scalar(1.5)]), [1.5]),
        (Shape(), {"type": "Point", "coordinates": [1.0, 2.0]}),
    ],
    ids=str,
)
def test_what_is_returned_becomes_json(returned: Any, expected: Any) -> None:
    assert encode(anything, returned) == {"result": expected}


def test_numpy_becomes_json_too() -> None:
    numpy = pytest.importorskip("numpy")
    encoded = encode(anything, {"a": numpy.float64(1.5), "b": numpy.arange(2), "c": numpy.bool_(True)})["result"]
    assert encoded == {"a": 1.5, "b": [0, 1], "c": True}
    assert [type(value) for value in encoded.values()] == [float, list, bool]


@pytest.mark.parametrize(
    "function, returned, message",
    [
        (anything, {"a": [float("nan")]}, "anything: output 'result'.a[0] is nan, which JSON cannot express"),
        (anything, ["\ud800"], "anything: output 'result'[0] holds '\\ud800', which is no text in Unicode"),
        (anything, {"\udcff": 1}, "anything: output 'result' holds '\\udcff', which is no text in Unicode"),
        (anything, {"a": {1, 2}}, "anything: output 'result'.a is of type set, which JSON cannot express"),
        (anything, {1: 2}, "anything: output 'result' has the key 1, which is no text"),
        (grow_area, {"mask": Path("m")}, "grow_area: missing output 'share'"),
        (grow_area, {"mask": Path("m"), "share": 1, "x": 1}, "grow_area: unknown output 'x'"),
        (grow_area, 5, "grow_area: returned int instead of a dict of its outputs"),
        (grow_area, {"mask": "m.tif", "share": 1}, "grow_area: output 'mask' is no Path"),
        (grow_area, {"mask": None, "share": 1}, "grow_area: output 'mask' is None"),
        (nothing, 5, "nothing: a int was returned, but the process has no outputs: hint it"),
    ],
)
def test_what_cannot_be_an_output_is_named(function: Any, returned: Any, message: str) -> None:
    with pytest.raises(TypeError) as raised:
        encode(function, returned)
    assert str(raised.value) == message


def test_bad_input_takes_an_id_and_a_message_or_a_message() -> None:
    assert (str(BadInput("x", "is odd")), BadInput("x", "is odd").input_id) == ("x: is odd", "x")
    assert (str(BadInput("all is odd")), BadInput("all is odd").input_id) == ("all is odd", None)


def test_the_authoring_api_is_light() -> None:
    code = "import sys, geomill.processes; print(*{'inspect', 'dataclasses', 'json', 'ast'} & set(sys.modules))"
    before = "import sys; print(*{'inspect', 'dataclasses', 'json', 'ast'} & set(sys.modules))"
    loaded = [subprocess.run([sys.executable, "-c", c], capture_output=True, text=True).stdout for c in (before, code)]
    assert set(loaded[1].split()) <= set(loaded[0].split())
