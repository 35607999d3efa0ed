"""Any document as a page shows it: as much as a person reads, and told what is left out."""

from __future__ import annotations

from typing import Any

import pytest

from geomill.app.pages.trees import COLUMNS, DEEPEST, EACH, LONGEST, MOST, Left, Records, bounded


@pytest.mark.parametrize("value", [None, True, 0, 1.5, "", "text", {}, [], {"a": [1, {"b": None}]}, [[1], ["a"]]])
def test_what_is_small_is_shown_as_it_is(value: Any) -> None:
    assert bounded(value) == value


def test_alike_objects_are_a_table() -> None:
    found = bounded([{"a": 1}, {"b": 2, "a": 3}])
    assert found == Records(["a", "b"], [[1, None], [3, 2]], None)
    wide = [{str(number): number for number in range(COLUMNS + 1)}]
    assert bounded(wide) == wide
    assert bounded([{"href": "http://a"}, {"href": "http://b"}]) == [{"href": "http://a"}, {"href": "http://b"}]


def test_what_is_long_is_cut_and_says_so() -> None:
    assert bounded(list(range(EACH + 5)))[-1] == Left("and 5 more")
    assert bounded({str(each): each for each in range(EACH + 5)})["..."] == Left("and 5 more")
    assert bounded([{"a": each} for each in range(EACH + 5)]).left == Left("and 5 more")
    assert bounded("x" * (LONGEST + 3)) == ["x" * LONGEST, Left("and 3 more characters")]


def test_what_is_deep_or_large_costs_no_more() -> None:
    deep: Any = 1
    for _ in range(DEEPEST + 1):
        deep = [deep, deep]
    assert "inside" in str(bounded(deep))
    wide = [[[0] * EACH] * EACH] * EACH
    assert str(bounded(wide)).count("0,") <= MOST
