"""Any JSON as a page shows it: no more of it than a person reads, and lists of records as tables. Pure."""

from __future__ import annotations

from typing import Any, NamedTuple

MOST = 2000  # values in all
EACH = 200  # members of one object or list
DEEPEST = 8
LONGEST = 2000  # characters of a text
COLUMNS = 8


class Left(NamedTuple):
    """What was left out, in words."""

    text: str


class Records(NamedTuple):
    """A list of objects that are alike. rows: the values of each, in the order of the columns."""

    columns: list[str]
    rows: list[list[Any]]
    left: Left | None

    @property
    def numeric(self) -> list[bool]:
        """Of each column whether it holds numbers, and so is set to the right."""
        return [all(map(_is_number, filter(_is_some, column))) for column in zip(*self.rows, strict=True)]


def _is_some(value: Any) -> bool:
    return value is not None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def bounded(value: Any, most: int = MOST) -> Any:
    """As much of a document as is shown: what is cut ends in, or is, a `Left`. most: values in all."""
    return _Trimming(most).trim(value, 0)


class _Trimming:
    def __init__(self, most: int) -> None:
        self.room = most

    def trim(self, value: Any, depth: int) -> Any:
        self.room -= 1
        if isinstance(value, str) and len(value) > LONGEST:
            return [value[:LONGEST], Left(f"and {len(value) - LONGEST} more characters")]
        if not value or not isinstance(value, dict | list):
            return value
        if depth == DEEPEST or self.room <= 0:
            return Left(f"{len(value)} inside")
        if isinstance(value, dict):
            return self._members(value, depth)
        return self._records(value, depth) if _alike(value) else self._items(value, depth)

    def _members(self, value: dict[str, Any], depth: int) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for name, each in value.items():
            if len(kept) == EACH or self.room <= 0:
                return {**kept, "...": Left(f"and {len(value) - len(kept)} more")}
            kept[name] = self.trim(each, depth + 1)
        return kept

    def _items(self, value: list[Any], depth: int) -> list[Any]:
        kept: list[Any] = []
        for each in value:
            if len(kept) == EACH or self.room <= 0:
                return [*kept, Left(f"and {len(value) - len(kept)} more")]
            kept.append(self.trim(each, depth + 1))
        return kept

    def _records(self, value: list[dict[str, Any]], depth: int) -> Records:
        columns = _columns(value)
        rows: list[list[Any]] = []
        for each in value:
            if len(rows) == EACH or self.room <= 0:
                return Records(columns, rows, Left(f"and {len(value) - len(rows)} more"))
            rows.append([self.trim(each.get(name), depth + 1) for name in columns])
        return Records(columns, rows, None)


def _alike(value: list[Any]) -> bool:
    if not all(isinstance(each, dict) and "href" not in each for each in value):
        return False
    return 0 < len(_columns(value)) <= COLUMNS


def _columns(value: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for each in value for name in each))
