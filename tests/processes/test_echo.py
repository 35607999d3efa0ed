"""The echo process is the one that the OGC's conformance tests want."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from geomill.processes.description import describe
from geomill.processes.echo import echo, wait
from geomill.processes.values import decode, encode

GIVEN: dict[str, Any] = {
    "echoInput": "teststring",
    "mixedInput": {"a": 1},
    "numbersInput": [1, 2, 3],
    "bboxInput": {"bbox": [51.9, 7.0, 52.0, 7.1], "crs": "http://www.opengis.net/def/crs/OGC/1.3/CRS84"},
    "imageInput": base64.b64encode(b"II*\0").decode(),
}


def call(arguments: dict[str, Any]) -> dict[str, Any]:
    return encode(echo, echo(**decode(echo, arguments), progress=lambda percent, message=None: None))


@pytest.fixture
def description() -> dict[str, Any]:
    return describe(echo)["description"]


def test_the_first_input_is_the_only_required_one_and_plain_text(description: dict[str, Any]) -> None:
    first, *others = description["inputs"].values()
    assert next(iter(description["inputs"])) == "echoInput"
    assert (first["schema"], first.get("minOccurs", 1)) == ({"type": "string"}, 1)
    assert {entry["minOccurs"] for entry in others} == {0}


def test_every_input_but_the_pause_is_an_output(description: dict[str, Any]) -> None:
    assert [name for name in description["inputs"] if name != "pause"] == list(description["outputs"])


def test_it_runs_both_ways(description: dict[str, Any]) -> None:
    assert {"sync-execute", "async-execute"} <= set(description["jobControlOptions"])


def test_no_input_is_flagged_binary_and_one_has_a_media_type(description: dict[str, Any]) -> None:
    schemas = [entry["schema"] for entry in description["inputs"].values()]
    assert [schema["contentEncoding"] for schema in schemas if "contentMediaType" in schema] == ["base64"]


@pytest.mark.parametrize("side", ["inputs", "outputs"])
def test_boxes_are_all_of_and_mixed_values_one_of(description: dict[str, Any], side: str) -> None:
    assert description[side]["bboxInput"]["schema"]["allOf"][0]["format"] == "ogc-bbox"
    assert description[side]["mixedInput"]["schema"]["oneOf"] == [{"type": "string"}, {"type": "object"}]


def test_it_gives_back_what_it_gets() -> None:
    assert call(GIVEN) == GIVEN


def test_what_was_not_given_is_no_output() -> None:
    assert call({"echoInput": "a", "pause": 0}) == {"echoInput": "a"}


def test_it_reports_progress_while_it_waits() -> None:
    reports: list[float] = []
    wait(0.05, lambda percent, message=None: reports.append(percent))
    assert reports[0] < 10
