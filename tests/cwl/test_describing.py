"""From a loaded process to its OGC description, and to a request that fits it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openapi_schema_validator import OAS30Validator

from geomill.app.cwl import description, document
from geomill.app.cwl.document import InvalidPackage
from geomill.app.cwl.formats import media_types
from geomill.app.cwl.sample import sample
from geomill.app.cwl.types import BOX, GEOMETRIES, OBJECTS, PLAIN, STRING_FORMATS, Types
from geomill.app.exchange import inputs
from geomill.app.exchange.schema import compile_schema
from geomill.processes.description import BBOX_SCHEMA

from .conftest import DOCUMENTS, Load

ALL = sorted(path.name for path in DOCUMENTS.glob("*.cwl"))
STANDARD = Path(__file__).parents[3] / "shared/standard/schemas/bundled"
BINARY = {"type": "string", "contentEncoding": "binary"}
HEAD = "cwlVersion: v1.2\nclass: CommandLineTool\nid: t\nbaseCommand: echo\n"


def schemas(described: Any) -> dict[str, Any]:
    return {name: each["schema"] for name, each in described["inputs"].items()}


@cache
def standard(name: str) -> Any:
    """The validator of a process description in a published or draft definition."""
    definition = json.loads((STANDARD / name).read_text())
    return OAS30Validator({"$ref": "#/components/schemas/process", "components": definition["components"]})


@pytest.mark.skipif(not STANDARD.exists(), reason="the schemas of the standard are not at hand")
@pytest.mark.parametrize("version", ["ogcapi-processes-1.0.json", "ogcapi-processes-draft.json"])
@pytest.mark.parametrize("name", ALL)
def test_a_description_is_one_of_the_standard(describe: Load, name: str, version: str) -> None:
    assert [error.message[:200] for error in standard(version).iter_errors(describe(name))] == []


@pytest.mark.parametrize("name", ALL)
def test_values_can_be_checked_against_every_schema(describe: Load, name: str) -> None:
    described = describe(name)
    for each in [*described["inputs"].values(), *described["outputs"].values()]:
        compile_schema(each["schema"])
        for schema in nested(each["schema"]):
            assert isinstance(schema.get("type", ""), str)
            assert not {"const", "$ref", "examples"} & set(schema)


def nested(schema: Any) -> Iterator[Any]:
    yield schema
    for part in (*schema.get("oneOf", ()), *schema.get("anyOf", ()), *schema.get("allOf", ())):
        yield from nested(part)
    for part in (schema.get("items"), *schema.get("properties", {}).values()):
        yield from nested(part) if isinstance(part, dict) else ()


@pytest.mark.parametrize("name", ALL)
def test_the_sample_of_a_process_is_accepted_by_it(describe: Load, name: str) -> None:
    described = describe(name)
    body = sample(described)
    inputs.check(inputs.read(json.dumps(body).encode()), described)
    required = {each for each, of in described["inputs"].items() if of.get("minOccurs", 1) > 0}
    assert required <= set(body["inputs"])


TYPES = st.recursive(
    st.sampled_from([*PLAIN, "File", "Directory", *(f"https://h/string_format.yaml#{name}" for name in STRING_FORMATS)])
    | st.sampled_from(["https://h/ogc.yaml#BBox", *(f"https://h/geojson.yaml#{name}" for name in GEOMETRIES)])
    | st.sampled_from([f"https://h/{schema}.yaml#{name}" for schema, name in OBJECTS])
    | st.lists(st.sampled_from("abc"), min_size=1, unique=True).map(lambda names: {"type": "enum", "symbols": names}),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3)
        | inner.map(lambda items: {"type": "array", "items": items})
        | st.dictionaries(st.sampled_from(["href", "value", "type", "b"]), inner, max_size=3).map(
            lambda fields: {
                "type": "record",
                "fields": [{"name": name, "type": type_} for name, type_ in fields.items()],
            }
        )
    ),
    max_leaves=5,
)


@settings(deadline=None, max_examples=200)
@given(TYPES)
def test_there_is_a_sample_of_every_type(type_: Any) -> None:
    schema = Types({}).schema(type_)
    described = {"id": "p", "inputs": {"x": {"schema": schema}}, "outputs": {}}
    body = sample(described)
    if body["inputs"]["x"] is not None:
        inputs.check(inputs.read(json.dumps(body).encode()), described)


def test_every_scalar_has_its_schema(describe: Load) -> None:
    assert schemas(describe("scalars.cwl")) == {
        "a_boolean": {"type": "boolean"},
        "an_int": {"type": "integer", "format": "int32", "minimum": -(2**31), "maximum": 2**31 - 1},
        "a_long": {"type": "integer", "format": "int64", "minimum": -(2**63), "maximum": 2**63 - 1},
        "a_float": {"type": "number", "format": "float"},
        "a_double": {"type": "number", "format": "double"},
        "a_string": {"type": "string"},
        "anything": {},
    }


def test_a_default_makes_an_input_optional_whatever_it_is(describe: Load) -> None:
    described = describe("defaults.cwl")
    assert {each.get("minOccurs") for each in described["inputs"].values()} == {0}
    defaults = {name: schema["default"] for name, schema in schemas(described).items() if "default" in schema}
    assert defaults == {
        **{"off": False, "zero": 0, "empty": "", "none": [], "bands": ["green", "nir"], "maybe_zero": 0},
        **{"big": 9007199254740993, "half": 0.5},
    }
    assert schemas(described)["maybe"] == {"type": "string", "nullable": True}


def test_a_default_that_does_not_fit_is_refused(describe: Load) -> None:
    with pytest.raises(InvalidPackage, match='The default of the input a must be an integer, not "x"'):
        describe(HEAD + "inputs: {a: {type: int, default: x}}\noutputs: []\n")
    with pytest.raises(InvalidPackage, match=r"The default of the input a\[1\] must be a string"):
        describe(HEAD + "inputs: {a: {type: 'string[]', default: [a, 1]}}\noutputs: []\n")


def test_symbols_stand_without_their_prefixes(describe: Load) -> None:
    assert schemas(describe("enums.cwl")) == {
        "colour": {"type": "string", "enum": ["red", "green"], "default": "green"},
        "named": {"type": "string", "enum": ["s", "m", "l"]},
        "several": {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}},
        "maybe": {"type": "string", "enum": ["x", "y"], "nullable": True},
    }


def test_arrays_stay_arrays_and_files_right_in_them_take_any_form(describe: Load) -> None:
    described = describe("arrays.cwl")
    found = schemas(described)
    assert found["items"] == {"type": "array", "items": {"type": "string"}}
    assert found["grid"]["items"]["items"]["type"] == "number"
    assert found["files"] == {"type": "array", "items": BINARY}
    assert found["folders"]["items"]["format"] == "directory"
    assert found["holes"]["items"]["nullable"] is True
    assert found["sheets"]["items"]["items"]["oneOf"][0]["required"] == ["href"]
    assert not any("maxOccurs" in each for each in described["inputs"].values())


@pytest.mark.parametrize(
    "values",
    [
        {"items": "one", "files": "aGk="},
        {"items": ["one"], "files": {"href": "https://example.com/a"}},
        {"items": {"value": ["one"]}, "files": [{"value": "hi", "mediaType": "text/plain"}, {"href": "https://h/a"}]},
    ],
)
def test_one_item_may_stand_for_an_array(describe: Load, values: Any) -> None:
    rest = {"grid": [[1]], "mixed": [1, "a"], "folders": {"href": "https://h/"}, "holes": [None], "sheets": [[]]}
    body = json.dumps({"inputs": {**rest, **values}}).encode()
    inputs.check(inputs.read(body), describe("arrays.cwl"))


def test_a_record_has_the_words_of_its_fields_and_files_as_links(describe: Load) -> None:
    schema = describe("records.cwl")["inputs"]["scene"]["schema"]
    assert schema["required"] == ["image", "more", "name"] or schema["required"] == ["name", "image", "more"]
    assert schema["properties"]["name"] == {"title": "Name", "description": "Its name", "type": "string"}
    assert [each["required"] for each in schema["properties"]["image"]["oneOf"]] == [["href"], ["value"]]
    assert schema["properties"]["more"]["properties"]["folder"]["format"] == "directory"


def test_a_union_offers_alternatives(describe: Load) -> None:
    found = schemas(describe("unions.cwl"))
    assert [each["type"] for each in found["text_or_number"]["oneOf"]] == ["string", "integer"]
    assert [each["type"] for each in found["numbers"]["anyOf"]] == ["integer", "number"]
    assert found["numbers"]["nullable"] is True
    assert found["file_or_text"] == {"anyOf": [{"type": "string"}, BINARY]}
    assert found["nothing"] == {"enum": [None], "nullable": True}


@pytest.mark.parametrize(
    "input_, media",
    [
        ("json", ["application/json"]),
        ("csv", ["text/csv"]),
        ("tiff", ["image/tiff"]),
        ("bare", ["image/tiff; application=geotiff"]),
        ("either", ["text/csv", "image/tiff"]),
        ("geojson", ["application/geo+json"]),
        ("computed", [None]),
        ("unknown", [None]),
        ("plain", [None]),
    ],
)
def test_a_format_becomes_a_media_type(describe: Load, input_: str, media: list[str | None]) -> None:
    schema = describe("formats.cwl")["inputs"][input_]["schema"]
    assert [each.get("contentMediaType") for each in schema.get("oneOf", [schema])] == media


@pytest.mark.parametrize(
    "format_, media",
    [
        ("http://edamontology.org/format_3016", ("text/x-vcf",)),
        ("http://www.iana.org/assignments/media-types/application/geo+json", ("application/geo+json",)),
        ("file:///package.cwl#main/image/png", ("image/png",)),
        ("file:///package.cwl#main/tiff", ()),
        ("$(inputs.a.format)", ()),
        (["text/csv", "$(self)"], ()),
        (None, ()),
    ],
)
def test_formats_of_many_kinds_are_known(format_: Any, media: tuple[str, ...]) -> None:
    assert media_types(format_) == media


@pytest.mark.parametrize(
    "input_, value",
    [
        ("json", {"a": 1}),
        ("json", {"value": {"a": 1}}),
        ("csv", "a,b\n1,2\n"),
        ("csv", {"value": "YSxi", "encoding": "base64", "mediaType": "text/csv"}),
        ("tiff", "SUkqAA=="),
        ("tiff", {"href": "https://example.com/a.tif", "type": "image/tiff; application=geotiff"}),
        ("plain", {"href": "https://example.com/a.tif", "type": "image/tiff"}),
        ("plain", {"value": "some text", "mediaType": "text/plain"}),
        ("unknown", {"href": "https://example.com/a"}),
    ],
)
def test_a_file_is_accepted_by_reference_and_inline(describe: Load, input_: str, value: Any) -> None:
    described = describe("formats.cwl")
    body = sample(described)
    body["inputs"][input_] = value
    inputs.check(inputs.read(json.dumps(body).encode()), described)


def test_a_directory_is_given_by_reference_alone(describe: Load) -> None:
    described = describe("directories.cwl")
    for value in ({"href": "https://h/"}, {"href": "https://h/a.zip", "type": "application/zip"}):
        inputs.check(inputs.read(json.dumps({"inputs": {"item": value}}).encode()), described)
    with pytest.raises(inputs.BadInput):
        inputs.check(inputs.read(b'{"inputs": {"item": "https://h/"}}'), described)
    results = described["outputs"]["results"]["schema"]["anyOf"]
    assert [each.get("format", each["type"]) for each in results] == ["geojson-feature-collection", "object"]


def test_the_known_types_are_what_the_standard_has_for_them(describe: Load) -> None:
    described = describe("eoap.cwl")
    found = schemas(described)
    assert list(found) == ["aoi", "uri", "when", "maybe", "uris", "shape", "feature", "features", "item", "link"]
    crs = found["aoi"]["allOf"][0]["properties"]["crs"]
    assert found["aoi"] == BOX and {**crs, "format": "uri"} == BBOX_SCHEMA["allOf"][0]["properties"]["crs"]
    assert found["uri"] == {"type": "string", "format": "uri"}
    assert found["when"] == {"type": "string", "format": "date-time", "default": "2024-07-01T00:00:00Z"}
    assert found["maybe"] == {"type": "string", "format": "date", "nullable": True}
    assert found["uris"]["items"] == {"type": "string", "format": "uri"}
    assert [found[name]["format"] for name in ("shape", "feature", "features", "item")] == [
        *["geojson-geometry", "geojson-feature", "geojson-feature-collection", "stac-item"]
    ]
    assert found["link"]["required"] == ["href", "rel"]


def test_declared_types_are_written_out(describe: Load) -> None:
    found = schemas(describe("names.cwl"))
    level = {"type": "string", "enum": ["low", "high"]}
    assert found["level"] == {**level, "default": "low"}
    assert found["setting"]["properties"]["level"] == level
    assert found["settings"]["items"] == found["setting"]


def test_what_a_package_says_about_itself_is_kept(describe: Load) -> None:
    described = describe("water.cwl")
    assert {name: described[name] for name in ("id", "title", "description", "version", "keywords")} == {
        **{"id": "water-bodies", "title": "Water bodies", "description": "Finds water", "version": "1.4.1"},
        "keywords": ["water", "Sentinel-2"],
    }
    told = [
        (entry["role"].rpartition("/")[2], entry.get("href", entry.get("value"))) for entry in described["metadata"]
    ]
    jane = {"@type": "Person", "name": "Jane Doe", "affiliation": {"@type": "Organization", "name": "ACME"}}
    assert told == [
        ("softwareVersion", "1.4.1"),
        ("license", "https://spdx.org/licenses/MIT.html"),
        ("codeRepository", {"@context": "https://schema.org", "URL": "https://example.com/water.git"}),
        ("author", {"@context": "https://schema.org", **jane}),
        ("author", {"@context": "https://schema.org", "@type": "Person", "name": "John Doe"}),
    ]
    assert list(described["inputs"]) == ["stac_items", "aoi", "epsg", "bands"]
    assert described["inputs"]["epsg"] == {
        **{"title": "EPSG code", "description": "Of the box", "minOccurs": 0},
        "schema": {"type": "string", "default": "EPSG:4326"},
    }
    assert described["jobControlOptions"] == ["async-execute", "dismiss"]


def test_metadata_of_any_shape_is_tolerated(describe: Load) -> None:
    described = describe("metadata.cwl")
    assert (described["title"], described["version"], described["keywords"]) == ("A name", "2", ["one", "2"])
    assert {
        entry["role"].rpartition("/")[2]: entry.get("href", entry.get("value")) for entry in described["metadata"]
    } == {
        "citation": "A paper",
        "logo": "https://example.com/logo.png",
        "contributor": {"@context": "https://schema.org", "@type": "Organization", "name": "ACME"},
        "dateCreated": "2024-10-01",
        "isAccessibleForFree": "true",
    }


def test_the_needs_of_a_package_are_those_of_all_its_tools(load: Load) -> None:
    needed = description.needs(load("water.cwl"))
    assert [(each.tool, each.reference, each.required) for each in needed.images] == [
        ("node_detect/node_crop", "example.com/crop:1.0", False),
        ("node_detect/node_otsu", "example.com/otsu:latest", False),
        ("node_stac", "example.com/stac@sha256:77d571d9", True),
    ]
    assert (needed.network, needed.cores, needed.ram, needed.steps) == (True, 2, 1024, 3)
    assert (needed.javascript, needed.scatter, needed.subworkflow) == (True, True, True)
    assert needed.without_image == ()


def test_a_plain_tool_needs_little(load: Load) -> None:
    needed = description.needs(load("echo-v1.2.cwl"))
    assert needed == description.Needs((), ("echo",), False, None, None, False, False, False, 1)


def test_an_author_is_told_what_is_missing(load: Load) -> None:
    text = (DOCUMENTS / "water.cwl").read_bytes()
    told = description.warnings(load("water.cwl"), document.parse(text))
    assert told == [
        "The images example.com/otsu:latest may change: name a version or a digest.",
        "The package wants access to the network (NetworkAccess) while it runs.",
    ]
    bare = HEAD + "inputs: {a: string, b: {type: int, label: B, doc: b}}\noutputs: []\n"
    told = description.warnings(load(bare), document.parse(bare.encode()))
    assert [sentence.partition(":")[0] for sentence in told] == [
        "The process has no label",
        "The process has no doc",
        "No label is given for the inputs a.",
        "No doc is given for the inputs a.",
        "The package does not say its version",
        "No container image (DockerRequirement) is named for t.",
        "The process has no outputs",
    ]
