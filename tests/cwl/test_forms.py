"""Forms and pictures of packages: of every document that the tests have."""

from __future__ import annotations

import json
from typing import Any

import pytest

from geomill.app.cwl import graph
from geomill.app.cwl.sample import sample
from geomill.app.exchange import inputs
from geomill.app.exchange.request import read
from geomill.app.pages.form.entries import same
from geomill.app.pages.form.form import form_of
from geomill.app.pages.form.special import unwrapped
from geomill.app.pages.workflow import picture, words

from .conftest import DOCUMENTS, Load

Json = Any
ALL = sorted(path.name for path in DOCUMENTS.glob("*.cwl"))
SETTINGS = {"table": {"href": "https://example.com/a.txt"}, "factor": 2.5, "notes": ["x", "y"]}


@pytest.mark.parametrize("name", ALL)
def test_a_form_shows_a_request_and_makes_it_again(describe: Load, name: str) -> None:
    described = describe(name)
    form, asked = form_of(described), sample(described)
    entries = form.fill(asked)
    again = form.read(entries).request
    for each in (asked, again):
        each["inputs"] = {name: unwrapped(value) for name, value in each["inputs"].items()}
    assert same(again, asked)
    inputs.check(read(json.dumps(again).encode()), described)
    in_json = {each.id for each in form.inputs if each.in_json(entries)}
    assert all(asked["inputs"][name] in ("", [], {}) for name in in_json)  # as nothing else is shown so


def test_records_with_files_inside_are_fields(describe: Load) -> None:
    text = """
cwlVersion: v1.2
class: CommandLineTool
id: t
baseCommand: echo
inputs:
  settings:
    type:
      type: record
      fields: {table: File, factor: double, notes: "string[]", more: "File[]?"}
outputs: []
"""
    form = form_of(describe(text))
    for value in (SETTINGS, {**SETTINGS, "more": [{"href": "https://example.com/b", "type": "text/plain"}]}):
        entries = form.fill({"inputs": {"settings": {"value": value}}})
        assert not form.inputs[0].in_json(entries)
        assert form.read(entries).request == {"inputs": {"settings": {"value": value}}}


@pytest.mark.parametrize("name", ["water.cwl", "scatter.cwl", "map-graph.cwl"])
def test_a_workflow_has_a_picture(load: Load, name: str) -> None:
    found = graph.graph(load(name))
    assert found is not None
    made = picture(found)
    assert made is not None
    kinds = {kind: {each.name for each in made.boxes if each.kind == kind} for kind in ("in", "step", "out")}
    assert kinds["step"] == {name for name, _ in words(found)} and kinds["in"] and kinds["out"]
    assert all(sources for _, sources in words(found))


def test_a_tool_has_no_picture(load: Load) -> None:
    assert graph.graph(load("echo-v1.2.cwl")) is None
