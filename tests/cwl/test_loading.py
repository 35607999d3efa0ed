"""From a document to the process that runs: checked as a whole, and nothing reached but the document."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geomill.app.cwl import description, document, loading
from geomill.app.cwl.document import InvalidPackage, Unsupported
from geomill.app.cwl.sample import sample
from geomill.app.exchange import inputs

from .conftest import DOCUMENTS, Load

HEAD = "cwlVersion: v1.2\nclass: CommandLineTool\nid: t\nbaseCommand: echo\n"
EMPTY = "inputs: []\noutputs: []\n"
TOOL = HEAD + EMPTY
FLOW = "cwlVersion: v1.2\nclass: Workflow\nid: w\ninputs: []\noutputs: []\n"
EOAP = "https://raw.githubusercontent.com/eoap/schemas"


@pytest.mark.parametrize("path", sorted(DOCUMENTS.glob("*.cwl")), ids=lambda path: path.stem)
def test_a_good_document_loads_as_what_it_is(path: Path) -> None:
    parsed = document.parse(path.read_bytes())
    entry = document.entry(parsed)
    tool = loading.load(path, entry)
    assert tool.tool["class"] == document.process(parsed, entry)["class"]


@pytest.mark.parametrize("w", ["water-bodies", "detect_water_body", "crop", "otsu", "stac"])
def test_every_process_of_a_graph_can_be_loaded(load: Load, w: str) -> None:
    assert load("water.cwl", w).tool["id"].endswith(f"#{w}")


def test_each_of_two_processes_that_share_aliases_loads(load: Load) -> None:
    assert [load("aliases.cwl", w).tool["class"] for w in ("first", "second", "tool")] == [
        *["Workflow", "Workflow", "CommandLineTool"]
    ]


def test_the_caller_makes_the_processes(tmp_path: Path) -> None:
    from cwltool.workflow import default_make_tool

    made = []

    def construct(tool: Any, context: Any) -> Any:
        made.append(tool["class"])
        return default_make_tool(tool, context)

    loading.load(DOCUMENTS / "map-graph.cwl", "whole", construct)
    assert made == ["Workflow", "CommandLineTool"]


DELETED = "nothing at all"


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to everything in a document."""
    if place:
        yield place
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(inner, (*place, key))


def change(value: Any, place: tuple[Any, ...], new: Any) -> None:
    for key in place[:-1]:
        value = value[key]
    if new is DELETED:
        del value[place[-1]]
    else:
        value[place[-1]] = new


REFERENCES = {
    "$include of a file": "doc: {$include: /etc/hostname}",
    "$include by address": "doc: {$include: 'file:///etc/hostname'}",
    "$import of a file": "hints: {$import: hints.yml}",
    "$import by address": "hints: [{$import: 'http://127.0.0.1:9/hints.yml'}]",
    "$mixin": "doc: {$mixin: /etc/passwd}",
    "a schema that is not bundled": f"requirements: {{SchemaDefRequirement: {{types: [{{$import: {EOAP}/x}}]}}}}",
    "a schema outside the folder": f"hints: [{{$import: '{EOAP}/main/../../../formats.py'}}]",
}


@pytest.mark.parametrize("line", REFERENCES.values(), ids=REFERENCES)
def test_a_reference_out_of_the_package_is_refused_with_its_place(load: Load, line: str) -> None:
    with pytest.raises(InvalidPackage) as error:
        load(TOOL + line + "\n")
    assert str(error.value).startswith("line 7, column ")
    assert "it is not part of the package, and nothing is fetched" in str(error.value)


@pytest.mark.parametrize("run", ["http://10.0.0.1/x", "../other.cwl", "file:///etc/passwd", "other.cwl#main", "t"])
def test_a_step_that_runs_what_is_elsewhere_is_refused_with_its_place(load: Load, run: str) -> None:
    with pytest.raises(InvalidPackage) as error:
        load(FLOW + f"steps:\n  s: {{run: '{run}', in: [], out: []}}\n")
    assert str(error.value).startswith(f'line 7, column 7: A step runs "{run}", which is not part of the package')


def test_only_the_bundled_schemas_are_at_hand() -> None:
    for branch in ("main", "refs/heads/main", "refs/tags/0.2.0"):
        text = loading.bundled(f"{EOAP}/{branch}/ogc.yaml#BBox")
        assert text and "BBox" in text
    for url in ("/etc/passwd", "file:///etc/passwd", f"{EOAP}/main/nope.yaml", "https://example.com/main/ogc.yaml"):
        assert loading.bundled(url) is None


@pytest.mark.parametrize(
    "given, said",
    [
        ("{class: File, location: data.txt}", 'line 5, column 49: The File "data.txt" is not part of the package'),
        ("{class: File, path: /etc/passwd}", 'The File "/etc/passwd" is not part of the package'),
        ("{class: File, location: 'file:///etc/passwd'}", 'The File "file:///etc/passwd" is not part'),
        ("{class: Directory, path: here}", 'The Directory "here" is not part of the package'),
    ],
)
def test_a_file_that_the_document_only_names_is_refused(load: Load, given: str, said: str) -> None:
    with pytest.raises(InvalidPackage) as error:
        load(HEAD + f"inputs: {{a: {{type: File, default: {given}}}}}\noutputs: []\n")
    assert said in str(error.value)


INVALID: dict[str, tuple[str, str]] = {
    "a type that is none": (
        HEAD + "inputs: {a: strin}\noutputs: []\n",
        "line 5, column 10: Field 'type' names 'strin', which is not in the document.",
    ),
    "a misspelt field": (
        TOOL + "baseComand: x\n",
        'line 7, column 1: There is no field "baseComand" here. Did you mean "baseCommand"?',
    ),
    "a misspelt field inside": (
        HEAD + "inputs: []\noutputs: {a: {type: File, outputBinding: {glb: x}}}\n",
        'line 6, column 43: There is no field "glb" here. Did you mean "glob"?',
    ),
    "an array without items": (
        HEAD + "inputs: {a: {type: {type: array}}}\noutputs: []\n",
        "line 5, column 14: Missing required field 'items'.",
    ),
    "no outputs": (HEAD + "inputs: []\n", '"outputs" section is not valid.'),
    "no class": ("cwlVersion: v1.2\nid: a\n", "must say its class"),
    "a class that is none": (TOOL.replace("CommandLineTool", "Tool"), "must say its class (CommandLineTool, Expr"),
    "a class that is none, in a step": (
        "cwlVersion: v1.2\nclass: Workflow\nid: a\ninputs: []\noutputs: []\nsteps:\n  s: {in: {}, out: [],\n"
        "      run: {class: Tool, inputs: [], outputs: []}}\n",
        "line 8, column 13: What a step runs must say its class (CommandLineTool, ExpressionTool, Workflow or "
        'Operation), not "Tool".',
    ),
    "two inputs of a name": (
        HEAD + "inputs:\n- {id: a, type: int}\n- {id: a, type: int}\noutputs: []\n",
        'line 7, column 3: Two of the inputs have the id "a".',
    ),
    "inputs of another kind": (
        HEAD + "inputs: 5\noutputs: []\n",
        "line 5, column 1: inputs must be a mapping by name or a list, not 5.",
    ),
    "an input of another kind": (
        HEAD + "inputs: {a: 5}\noutputs: []\n",
        "line 5, column 10: A type must be a name, a mapping or a list of these, not 5.",
    ),
    "a type of another kind": (
        HEAD + "inputs: {a: {type: ['null', {type: array, items: [~]}]}}\noutputs: []\n",
        "line 5, column 43: A type must be a name, a mapping or a list of these, not null.",
    ),
    "a record without fields": (
        HEAD + "inputs: [{id: a, type: {type: record}}]\noutputs: []\n",
        "line 5, column 18: A record must have fields.",
    ),
    "a text where a step belongs": (FLOW + "steps: [a]\n", 'line 6, column 9: steps must hold mappings, not "a".'),
    "a mistake in a tool that a step runs": (
        "cwlVersion: v1.2\n$graph:\n"
        "- {class: Workflow, id: main, inputs: {}, outputs: {}, steps: {s: {run: '#t', in: {}, out: []}}}\n"
        "- {class: CommandLineTool, id: t, baseComand: echo, inputs: {}, outputs: {}}\n",
        'line 4, column 35: There is no field "baseComand" here. Did you mean "baseCommand"?',
    ),
    "a default type of nothing": (
        HEAD + "inputs: {a: {type: ''}}\noutputs: []\n",
        "line 5, column 1: a type is not valid",
    ),
    "a step that is missing": (
        FLOW + "steps: {s: {run: '#nope', in: [], out: []}}\n",
        'line 6, column 13: A step runs "#nope", which is not in the document.',
    ),
    "a source that is missing": (
        FLOW + "steps:\n- id: s\n  in: {a: b}\n  out: []\n"
        "  run: {class: CommandLineTool, baseCommand: echo, inputs: {a: int}, outputs: []}\n",
        "line 8, column 8: Field 'source' names 'b', which is not in the document.",
    ),
    "a workflow that runs itself": (
        "cwlVersion: v1.2\n$graph:\n- class: Workflow\n  id: main\n  inputs: []\n  outputs: []\n"
        "  steps: {s: {run: '#main', in: [], out: []}}\n",
        'line 4, column 3: The workflow "main" runs itself.',
    ),
    "two workflows in a circle": (
        "cwlVersion: v1.2\n$graph:\n"
        "- {class: Workflow, id: a, inputs: [], outputs: [], steps: {s: {run: '#b', in: [], out: []}}}\n"
        "- {class: Workflow, id: b, inputs: [], outputs: [], steps: {s: {run: '#a', in: [], out: []}}}\n",
        'The workflow "a" runs itself.',
    ),
    "types that do not meet": (
        "cwlVersion: v1.2\n$graph:\n"
        "- {class: Workflow, id: main, inputs: {x: int}, outputs: [], steps: {s: {run: '#t', in: {a: x}, out: []}}}\n"
        "- {class: CommandLineTool, id: t, baseCommand: echo, inputs: {a: string}, outputs: []}\n",
        "Source 'x' of type \"int\" is incompatible",
    ),
    "a field of a later version": (
        TOOL.replace("v1.2", "v1.0") + "intent: [a]\n",
        'line 7, column 1: There is no field "intent" here.',
    ),
    "an id that is the address of a schema": (
        TOOL.replace("id: t", f"id: {EOAP}/main/ogc.yaml"),
        "line 3, column 1: The id is the address of a schema: give it another.",
    ),
    "a type that the schema lacks": (
        HEAD + f"requirements: {{SchemaDefRequirement: {{types: [{{$import: '{EOAP}/main/ogc.yaml'}}]}}}}\n"
        f"inputs: {{a: '{EOAP}/main/ogc.yaml#Circle'}}\noutputs: []\n",
        "ogc.yaml#Circle",
    ),
}


@pytest.mark.parametrize("text, said", INVALID.values(), ids=INVALID)
def test_what_is_wrong_is_said_briefly_with_line_and_column(load: Load, text: str, said: str) -> None:
    with pytest.raises(InvalidPackage) as error:
        load(text)
    assert said in str(error.value)
    for machine in ("/tmp", "file://", "package.cwl", "somewhere", "enum_", "\n"):
        assert machine not in str(error.value)
    assert len(str(error.value)) < 500


@pytest.mark.parametrize(
    "text, said",
    [
        (
            TOOL + "requirements: {NopeRequirement: {}}\n",
            "line 7, column 16: This server cannot run what requires Nope",
        ),
        (TOOL + "requirements: [{class: 'cwltool:MPIRequirement'}]\n", "requires cwltool:MPIRequirement"),
        (FLOW + "steps: {s: {in: [], out: [], run: {class: Operation, inputs: [], outputs: []}}}\n", "An Operation"),
    ],
)
def test_what_this_server_cannot_run_is_told_from_what_is_wrong(load: Load, text: str, said: str) -> None:
    with pytest.raises(Unsupported, match=said):
        load(text)


def test_an_unknown_hint_is_ignored(load: Load) -> None:
    extension = "$namespaces: {cwltool: 'http://commonwl.org/cwltool#'}\n"
    tool = load(TOOL + extension + "hints: {Nope: {a: 1}, 'cwltool:Secrets': {secrets: []}}\n")
    assert tool.tool["class"] == "CommandLineTool"


def test_many_mistakes_are_told_in_a_few_sentences(load: Load) -> None:
    with pytest.raises(InvalidPackage, match=r"\(And 17 more\.\)$"):
        load(HEAD + "inputs: {" + ", ".join(f"a{n}: nope" for n in range(20)) + "}\noutputs: []\n")


def test_loading_writes_nothing_and_says_nothing(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: Any
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home)
    caplog.set_level(logging.DEBUG)
    load("eoap.cwl")
    with pytest.raises(InvalidPackage):
        load(HEAD + "inputs: {a: strin}\noutputs: []\n")
    assert list(home.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_loading_leaves_the_schemas_of_cwl_as_they_were(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    from schema_salad import schema

    def read(*_: Any, **__: Any) -> Callable[[], None]:
        raise AssertionError("the schemas of CWL are read again")

    monkeypatch.setattr("cwltool.process.load_schema", read)
    monkeypatch.setattr(schema, "load_schema", read)
    for name in ("echo-v1.0.cwl", "echo-v1.1.cwl", "echo-v1.2.cwl", "water.cwl"):
        assert load(name)


JUNK = [None, 5, "x", [], {}, True, "$(inputs.a)", ["null"], {"type": "array"}, "#main", [None], "", {"$import": "#x"}]
PLACES = st.deferred(lambda: st.sampled_from(_places()))  # when they are wanted: reading the documents takes a second


def _places() -> list[tuple[str, tuple[Any, ...]]]:
    """All places of all documents, with their names."""
    paths = sorted(DOCUMENTS.glob("*.cwl"))
    return [(path.name, place) for path in paths for place in places(document.parse(path.read_bytes()))]


@settings(deadline=None, max_examples=40)
@given(PLACES, st.sampled_from([*JUNK, DELETED]), PLACES | st.none())
def test_a_document_with_something_else_in_any_place_is_described_or_refused(
    at: tuple[str, tuple[Any, ...]], junk: Any, other: tuple[str, tuple[Any, ...]] | None
) -> None:
    name, place = at
    text = json.dumps(document.parse((DOCUMENTS / name).read_bytes()))
    broken = json.loads(text)
    change(broken, place, junk)
    if other and other[0] == name and other[1][: len(place)] != place:
        change(broken, other[1], DELETED)
    try:
        parsed = document.parse(json.dumps(broken).encode())
        entry = document.entry(parsed)
        tool = loading.make(document.parse(json.dumps(broken).encode()), entry)
        described = description.describe(tool, parsed, document.process_id(parsed, entry, "w"))
        description.needs(tool)
        description.warnings(tool, parsed)
        inputs.check(inputs.read(json.dumps(sample(described)).encode()), described)
    except InvalidPackage as error:
        assert str(error)
