"""The picture of a workflow: boxes in layers, none on another, each after all that it waits for."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from geomill.app.pages.workflow import HEIGHT, MOST, WIDTH, picture, words

Json = Any


def graph(*pairs: tuple[str, str]) -> Json:
    names = dict.fromkeys(name for pair in pairs for name in pair if ":" not in name)
    steps = [{"name": name, "runs": "CommandLineTool", "scatter": False} for name in names]
    return {"steps": steps, "links": [{"from": begin, "to": end, "value": "x"} for begin, end in pairs]}


@settings(max_examples=60, deadline=None)
@given(st.sets(st.tuples(st.integers(0, 12), st.integers(0, 12)).filter(lambda pair: pair[0] < pair[1]), max_size=20))
def test_boxes_stand_apart_and_in_order(pairs: set[tuple[int, int]]) -> None:
    links = [(f"s{begin}", f"s{end}") for begin, end in sorted(pairs)]
    made = picture(graph(*links, ("in:a", "s0"), ("s12", "out:b")))
    assert made is not None
    places = {each.name: each for each in made.boxes}
    assert all(places[begin].x + WIDTH < places[end].x for begin, end in links)
    for one, other in combinations(made.boxes, 2):
        assert one.x != other.x or abs(one.y - other.y) >= HEIGHT
    assert all(0 <= each.x <= made.width - WIDTH and 0 <= each.y <= made.height - HEIGHT for each in made.boxes)


def test_a_line_leads_past_the_boxes_between_its_ends() -> None:
    made = picture(graph(("a", "b"), ("b", "c"), ("a", "c")))
    assert made is not None
    middle = next(each for each in made.boxes if each.name == "b")
    line = next(line for line in made.lines if "H" in line)
    level = float(line.rpartition("H")[0].rpartition(" ")[2])  # where it passes the layer of b
    assert not middle.y <= level <= middle.y + HEIGHT


def test_a_workflow_is_told_in_words_however_large_it_is() -> None:
    large = graph(*((f"s{number}", f"s{number + 1}") for number in range(MOST)))
    assert picture(large) is None and len(words(large)) == MOST + 1
    told = words(graph(("in:item", "crop"), ("in:item", "crop"), ("crop", "mask")))
    assert told == [("crop", ["item"]), ("mask", ["crop"])]
