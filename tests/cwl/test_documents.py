"""From bytes to a document, and to the process in it that is meant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geomill.app.cwl.document import (
    EXPANDED,
    LARGEST,
    InvalidPackage,
    Unsupported,
    WorkflowNotFound,
    entry,
    parse,
    process_id,
)

TOOL = "class: CommandLineTool\nbaseCommand: echo\ninputs: []\noutputs: []\n"
BOMB = "cwlVersion: v1.2\na: &a [xxxxxxxxxx]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 10)}]\n" for n in range(8)
)
WATER = parse((Path(__file__).parent / "documents/water.cwl").read_bytes())


@pytest.mark.parametrize(
    "data",
    [
        b"cwlVersion: v1.2\ndoc: \xc3\xbc\n",
        b"\xef\xbb\xbfcwlVersion: v1.2\r\ndoc: \xc3\xbc\r\n",
        b"cwlVersion: v1.2\ndoc: \xfc\n",
        "cwlVersion: v1.2\ndoc: ü\n".encode("utf-16"),
        b"#!/usr/bin/env cwl-runner\n---\ncwlVersion: v1.2\ndoc: \xc3\xbc",
        b'{"cwlVersion": "v1.2", "doc": "\\u00fc"}',
        b'{"cwlVersion":\t"v1.2",\n\t"doc": "\\u00fc"}\n',
    ],
)
def test_a_document_is_read_in_every_way_it_is_written(data: bytes) -> None:
    assert parse(data) == {"cwlVersion": "v1.2", "doc": "ü"}


def test_json_is_read_as_json_is_meant() -> None:
    document = {"cwlVersion": "v1.0", "doc": '\U0001f600 \\ud83d\\ude00 \\\\ / " \u2028 \x7f', "n": [1e21, -0.5, None]}
    for text in (json.dumps(document), json.dumps(document, ensure_ascii=False, indent="\t")):
        assert parse(text.encode()) == document


def test_dates_stay_text() -> None:
    assert parse(b"cwlVersion: v1.2\ns:dateCreated: 2024-10-01\n")["s:dateCreated"] == "2024-10-01"


def test_tags_make_nothing_happen(tmp_path: Path) -> None:
    made = tmp_path / "made"
    tagged = f"cwlVersion: v1.2\na: !!python/object/apply:os.mkdir [{made}]\n"
    assert parse(tagged.encode())["a"] == [str(made)]
    assert not made.exists()


@pytest.mark.parametrize(
    "data, said",
    [
        (b"", "not nothing"),
        (b"# only a comment\n", "not nothing"),
        (b"- a\n- b\n", "not an array of 2"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "line 1: This is not YAML"),
        (b"cwlVersion: v1.2\n\tclass: Workflow\n", "line 2, column 1: This is not YAML"),
        (b"cwlVersion: v1.2\na: [1, 2\nb: 3\n", "line 3, column 2: This is not YAML"),
        (b"cwlVersion: v1.2\na: 1\na: 2\n", 'line 3, column 1: This is not YAML: found duplicate key "a"'),
        (b'{"cwlVersion": "v1.2", "a": 1, "a": 2}', 'found duplicate key "a"'),
        (b"cwlVersion: v1.2\n---\ncwlVersion: v1.2\n", "another document"),
        (b"cwlVersion: v1.2\na: *b\n", "line 2, column 4: This is not YAML: found undefined alias"),
        (b"[" * 100_000, "nested deeper than 64"),
        (b"cwlVersion: v1.2\na: " + b"[" * 80 + b"]" * 80, "nested deeper than 64"),
        (BOMB.encode(), f"larger than {EXPANDED} characters"),
        (b"cwlVersion: v1.2\na: .nan\n", "line 2, column 1: nan is nothing that JSON has"),
        (b"cwlVersion: v1.2\na: !!binary aGk=\n", "is nothing that JSON has"),
        (b'{"cwlVersion": "v1.2", "a": "\\ud83d"}', "has half a character"),
        (b"cwlVersion: v1.2\n1: a\n", "line 2, column 1: The name of a member must be text, not 1"),
        (b"cwlVersion: v1.2\na: " + b"9" * 5000, "line 2: A number has more than 4300 digits."),
        (b"class: CommandLineTool\n", "no cwlVersion; it must say cwlVersion: v1.2"),
        (b"cwlVersion: 1.2\n", "line 1, column 1: cwlVersion must be v1.0, v1.1 or v1.2, not 1.2"),
        (b'{"executionUnit": {}}', "send it as application/ogcapppkg+json"),
        (b"cwlVersion: v1.0 class: Workflow inputs: []", 'send it with --data-binary "@file"'),
        (b"#!/usr/bin/env cwl-runner cwlVersion: v1.0 class: Workflow", 'send it with --data-binary "@file"'),
        (b"$graph: - class: Workflow  id: main cwlVersion: v1.0", 'send it with --data-binary "@file"'),
        (b"a" * (LARGEST + 1), f"at most {LARGEST} are read"),
    ],
)
def test_what_is_no_document_is_refused_with_the_place_and_the_reason(data: bytes, said: str) -> None:
    with pytest.raises(InvalidPackage) as error:
        parse(data)
    assert said in str(error.value)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize(
    "version, said",
    [("draft-3", "Update the document with cwl-upgrader"), ("v1.3.0-dev1", "CWL v1.0, v1.1 and v1.2"), ("v2", "v2")],
)
def test_a_version_that_cannot_be_run_is_named(version: str, said: str) -> None:
    with pytest.raises(Unsupported, match=said):
        parse(f"cwlVersion: {version}\n".encode())


@pytest.mark.parametrize("version", ["v1.0", "v1.1", "v1.2", "cwl:v1.0", "https://w3id.org/cwl/cwl#v1.2"])
def test_every_way_to_write_a_version_that_runs_is_read(version: str) -> None:
    assert parse(f'cwlVersion: "{version}"\n'.encode())["cwlVersion"] == version


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=12,
)


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(st.text(max_size=6), VALUES, max_size=4), st.booleans(), st.sampled_from([None, "\t", 1]))
def test_any_json_is_read_as_it_is(members: dict[str, Any], ascii_: bool, indent: str | int | None) -> None:
    document = {"cwlVersion": "v1.2", **{name: value for name, value in members.items() if name != "cwlVersion"}}
    if any(name in json.dumps(document) for name in ("<<", "$", "executionUnit")):
        return
    text = json.dumps(document, ensure_ascii=ascii_, indent=indent)
    assert parse(text.encode("utf-8", "surrogatepass")) == document


@settings(deadline=None, max_examples=120)
@given(st.binary(max_size=60) | st.text("cwlVersion: v1.2\n-[]{}&*!|>'\"#%@`,?<\t$a", max_size=60).map(str.encode))
def test_no_bytes_make_it_fail_in_any_other_way(data: bytes) -> None:
    try:
        entry(parse(b"cwlVersion: v1.2\n" + data))
    except InvalidPackage as error:
        assert str(error)


@pytest.mark.parametrize(
    "w, chosen",
    [
        (None, "water-bodies"),
        ("water-bodies", "water-bodies"),
        ("#water-bodies", "water-bodies"),
        ("water_bodies", "water-bodies"),
        ("detect-water-body", "detect_water_body"),
        ("stac", "stac"),
    ],
)
def test_w_chooses_the_process_and_without_it_the_workflow_that_is_no_step(w: str | None, chosen: str) -> None:
    assert entry(WATER, w) == chosen
    assert process_id(WATER, chosen, w) == chosen


def test_a_workflow_that_is_not_there_is_refused_with_what_there_is() -> None:
    with pytest.raises(WorkflowNotFound) as error:
        entry(WATER, "flood")
    assert 'no process "flood"' in str(error.value)
    assert "water-bodies, detect_water_body, crop, otsu and stac" in str(error.value)


def test_two_names_that_differ_in_dashes_alone_are_told_apart() -> None:
    document = parse(b"cwlVersion: v1.2\n$graph: {a-b: {class: Workflow}, a_b: {class: Workflow}}")
    assert entry(document, "a_b") == "a_b"
    with pytest.raises(WorkflowNotFound):
        entry(parse(b"cwlVersion: v1.2\n$graph: {a-b-c: {class: Workflow}, a_b-c: {class: Workflow}}"), "a-b_c")


@pytest.mark.parametrize(
    "graph, chosen",
    [
        ("[{class: Workflow, id: a}, {class: Workflow, id: main}]", "main"),
        ("[{class: Workflow, id: '#a'}, {class: CommandLineTool, id: '#main'}]", "main"),
        ("[{class: CommandLineTool, id: a}, {class: Workflow, id: b}]", "b"),
        ("[{class: Workflow, id: a}, {class: Workflow, id: b, steps: {s: {run: '#a'}}}]", "b"),
        ("[{class: Workflow, id: a}, {class: Workflow, id: b, steps: [{id: s, run: {steps: {t: {run: '#a'}}}}]}]", "b"),
        ("[{class: Workflow, id: a, steps: {s: {run: '#b'}}}, {class: Workflow, id: b, steps: {s: {run: '#a'}}}]", "a"),
        ("{a: {class: CommandLineTool}, b: {class: Workflow, steps: {s: {run: '#a'}}}}", "b"),
        ("[{class: CommandLineTool, id: a}, {class: CommandLineTool, id: b}]", "a"),
        ("[{class: Workflow, id: 'file:///home/me/x.cwl#a'}]", "a"),
    ],
)
def test_the_entry_is_main_or_a_workflow_that_nothing_else_runs(graph: str, chosen: str) -> None:
    assert entry(parse(f"cwlVersion: v1.2\n$graph: {graph}\n".encode())) == chosen


@pytest.mark.parametrize(
    "graph, said",
    [
        ("[]", "$graph is empty"),
        ("{}", "$graph is empty"),
        ("5", "$graph must be a list of processes, not 5"),
        ("[a]", 'must hold processes with a class (CommandLineTool, ExpressionTool, Workflow or Operation), not "a"'),
        ("[{class: Tool, id: a}]", 'not "Tool"'),
        ("[{class: Workflow}]", "line 2, column 10: Every process of a $graph needs an id; this Workflow has none"),
        ("[{class: Workflow, id: a}, {class: Workflow, id: '#a'}]", 'Two processes have the id "a"'),
    ],
)
def test_a_graph_that_holds_no_processes_is_refused(graph: str, said: str) -> None:
    with pytest.raises(InvalidPackage) as error:
        entry(parse(f"cwlVersion: v1.2\n$graph: {graph}\n".encode()))
    assert said in str(error.value)


@pytest.mark.parametrize(
    "id_, w, named",
    [
        ("echo", None, "echo"),
        ("'#echo'", None, "echo"),
        ("'file:///home/me/a.cwl#tools/echo'", None, "echo"),
        ("ec-ho", "ec_ho", "ec-ho"),
        (None, "named", "named"),
        (None, "#named", "named"),
        ("größe", None, "größe"),
    ],
)
def test_a_single_process_is_named_by_its_id_else_by_w(id_: str | None, w: str | None, named: str) -> None:
    document = parse(f"cwlVersion: v1.2\n{TOOL}{f'id: {id_}' if id_ else ''}\n".encode())
    assert (entry(document, w), process_id(document, "", w)) == ("", named)


@pytest.mark.parametrize(
    "id_, w, said",
    [
        (None, None, "name it with ?w=my-process"),
        (None, "a b", '"a b" cannot be the id of a process'),
        ("'..'", None, "cannot be the id"),
        ("a?b", None, "cannot be the id"),
        ("echo", "other", 'no process "other" in the document, only echo'),
    ],
)
def test_a_process_without_a_usable_id_is_refused(id_: str | None, w: str | None, said: str) -> None:
    document = parse(f"cwlVersion: v1.2\n{TOOL}{f'id: {id_}' if id_ else ''}\n".encode())
    with pytest.raises(InvalidPackage) as error:
        process_id(document, entry(document, w), w)
    assert said in str(error.value)
